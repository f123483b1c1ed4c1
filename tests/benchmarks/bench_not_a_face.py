"""What each quality score finds, against people's judgement: FER+'s votes "not a face".

    python tests/benchmarks/bench_not_a_face.py FER2013.zip fer2013new.csv [WEIGHTS.onnx] [SHEETS]

FER2013.zip holds pictures named after the rows of fer2013.csv, `fer0000017.png`. A picture is no
face where at least half of FER+'s votes say so. WEIGHTS are those of YuNet, for the face score.
Into the folder SHEETS go pictures of what is flagged, rightly or by mistake, and of what is missed.
"""

from __future__ import annotations

import csv
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.ingest import IngestSettings, ingest
from fer_data.quality import QualitySettings, measure_quality

#: Score → sign and threshold: what lies below (-1) or above (+1) is flagged.
Rule = Mapping[str, tuple[int, float]]
Scores = Mapping[str, NDArray[np.float64]]

CERTAIN: Rule = {"effective_rank": (-1, 2.8), "edge_share": (-1, 0.40), "flat_share": (1, 0.50)}
STRICT: Rule = {**CERTAIN, "flat_share": (1, 0.45)}
RULES: Mapping[str, Rule] = {
    "certain": CERTAIN,
    "strict": STRICT,
    "certain + face score": {**CERTAIN, "face_score": (-1, 0.015)},
    "strict + face score": {**STRICT, "face_score": (-1, 0.020)},
}
#: The sides that go into the rank of a picture: its most suspicious one counts.
RANKED = {"effective_rank": -1, "edge_share": -1, "flat_share": 1, "face_score": -1}
COMPONENTS = (3, 10, 30, 100)
PCA_SIDES = {"pca_error": -1, "pca_relative": 1}
RECALLS = (0.30, 0.35, 0.40, 0.45, 0.50, 0.60, 0.70, 0.80)


def main() -> None:
    if len(sys.argv) < 3:
        print("left out: needs the paths of fer2013.zip and of FER+'s fer2013new.csv")
        return
    archive, votes, *rest = map(Path, sys.argv[1:])
    weights = next((path for path in rest if path.suffix == ".onnx"), None)
    sheets = next((path for path in rest if path.suffix != ".onnx"), None)
    with tempfile.TemporaryDirectory() as folder:
        dataset, _ = ingest(archive, Path(folder) / "ds", IngestSettings())
        settings = QualitySettings(faces=weights is not None, detector_weights=weights)
        dataset = measure_quality(dataset, settings)
        samples = dataset.samples(["path", "label", "split"]).to_pylist()
        table = dataset.table("quality")
        pixels = np.concatenate([dataset.pixels(block) for block in range(dataset.num_blocks)])
        rebuilt = {}
        for number in COMPONENTS:
            few = measure_quality(dataset, QualitySettings(pca_components=number)).table("quality")
            rebuilt[number] = {name: few[name].to_numpy() for name in PCA_SIDES}
    scores = {name: table[name].to_numpy() for name in table.column_names[1:]}
    is_no_face = read_truth(votes, [sample["path"] for sample in samples])
    print(f"{len(samples):,} pictures, {is_no_face.sum()} of them no face by FER+\n")
    show_scores(scores, is_no_face)
    print("\nthe PCA's scores by the number of components")
    for number, columns in rebuilt.items():
        for name, values in columns.items():
            show_side(f"{name}, k = {number}", values, PCA_SIDES[name], is_no_face)
    for name, rule in RULES.items():
        if set(rule) <= set(scores):
            show_rule(name, rule, scores, is_no_face, samples)
            if sheets is not None:
                write_sheets(sheets, name, flagged(rule, scores), is_no_face, pixels)
    show_curves(scores, is_no_face, pixels)


def read_truth(votes: Path, paths: Sequence[str]) -> NDArray[np.bool_]:
    with votes.open(newline="") as file:
        rows = [list(map(int, row[2:])) for row in list(csv.reader(file))[1:]]
    numbers = [int(re.findall(r"(\d+)\.png$", path)[0]) for path in paths]
    chosen = np.array([rows[number] for number in numbers])
    return chosen[:, -1] * 2 >= chosen.sum(axis=1)


def flagged(rule: Rule, scores: Scores) -> NDArray[np.bool_]:
    sides = [sign * scores[name] > sign * threshold for name, (sign, threshold) in rule.items()]
    return np.any(sides, axis=0)


def show_scores(scores: Scores, truth: NDArray[np.bool_]) -> None:
    print("each side alone: AUC; no faces among the 50, 100, 359 furthest; the widest threshold")
    print("beyond which at least 95% are no faces")
    for name, values in scores.items():
        for sign in (-1, 1):
            show_side(name, values, sign, truth)


def show_side(name: str, values: NDArray[np.float64], sign: int, truth: NDArray[np.bool_]) -> None:
    order = np.argsort(-sign * values, kind="stable")
    found = [int(truth[order[:number]].sum()) for number in (50, 100, 359)]
    counts = np.cumsum(truth[order])
    shares = counts / np.arange(1, len(order) + 1)
    is_end = np.append(np.diff(values[order]) != 0, True)  # ties are flagged together
    good = np.flatnonzero(is_end & (shares >= 0.95))
    strict = "none"
    if len(good):
        last = good[-1]
        strict = f"{values[order[last]]:.4g} flags {last + 1}, {counts[last]} no face"
    print(
        f"  {name:22} {'high' if sign > 0 else 'low ':4}  {auc(sign * values, truth):.2f}"
        f"  {found[0]:3} {found[1]:3} {found[2]:3}  {strict}"
    )


def auc(suspicion: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Area under the ROC curve; ties count half."""
    _, number, counts = np.unique(suspicion, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[number]
    positive = int(truth.sum())
    area = ranks[truth].sum() - positive * (positive + 1) / 2
    return float(area / (positive * (len(truth) - positive)))


def show_rule(
    name: str,
    rule: Rule,
    scores: Scores,
    truth: NDArray[np.bool_],
    samples: Sequence[Mapping[str, str]],
) -> None:
    parts = [f"{key} {'<>'[sign > 0]} {limit:g}" for key, (sign, limit) in rule.items()]
    print(f"\n{name}: " + " or ".join(parts))
    is_flagged = flagged(rule, scores)
    splits = np.array([sample["split"] for sample in samples])
    for split in ("all", *np.unique(splits)):
        where = (splits == split) | (split == "all")
        hits, all_flagged = (is_flagged & truth & where).sum(), (is_flagged & where).sum()
        positive = (truth & where).sum()
        print(
            f"  {split:11} flags {all_flagged:3}, {hits:3} of {positive:3} no faces:"
            f" precision {hits / max(all_flagged, 1):.3f}, recall {hits / positive:.3f}"
        )
    labels = np.array([sample["label"] for sample in samples])
    mistakes = np.flatnonzero(is_flagged & ~truth)
    light = ", ".join(f"{labels[row]} {scores['brightness'][row]:.0f}" for row in mistakes)
    print(f"  mistakes, class and brightness: {light or 'none'}")
    lost = Counter(labels[is_flagged].tolist())
    print("  flagged a class: " + ", ".join(f"{key} {n}" for key, n in lost.most_common()))


def show_curves(scores: Scores, truth: NDArray[np.bool_], pixels: NDArray[np.uint8]) -> None:
    print("\nprecision at a recall of" + "".join(f"  {recall:.2f}" for recall in RECALLS))
    without = [name for name in RANKED if name in scores and name != "face_score"]
    curves = {
        "most suspicious of " + ", ".join(without): most_suspicious(scores, without),
    }
    if "face_score" in scores:
        curves["face score alone"] = -scores["face_score"]
        curves["most suspicious of all four"] = most_suspicious(scores, list(RANKED))
    learned = cross_validated(scores, truth, pixels)
    if learned is not None:
        curves["trees on all scores, cross-validated"] = learned
    for name, suspicion in curves.items():
        order = np.argsort(-suspicion, kind="stable")
        recall = np.cumsum(truth[order]) / truth.sum()
        precision = np.cumsum(truth[order]) / np.arange(1, len(order) + 1)
        best = [precision[recall >= wanted].max() for wanted in RECALLS]
        print(f"  {name}\n" + " " * 24 + "".join(f"  {value:.2f}" for value in best))


def most_suspicious(scores: Scores, names: Sequence[str]) -> NDArray[np.float64]:
    """Of the ranks of a picture in several scores the most suspicious one."""
    ranks = [np.argsort(np.argsort(RANKED[name] * scores[name])) for name in names]
    return np.max(ranks, axis=0).astype(float)


def cross_validated(
    scores: Scores, truth: NDArray[np.bool_], pixels: NDArray[np.uint8]
) -> NDArray[np.float64] | None:
    """What a classifier on all scores could do at best; None where there is no scikit-learn."""
    try:
        from sklearn.ensemble import ExtraTreesClassifier
        from sklearn.model_selection import StratifiedGroupKFold
    except ImportError:
        return None
    features = np.stack(list(scores.values()), axis=1)
    twins = np.unique(pixels.reshape(len(pixels), -1), axis=0, return_inverse=True)[1].ravel()
    suspicion = np.zeros(len(truth))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    for train, test in folds.split(features, truth, twins):
        trees = ExtraTreesClassifier(
            300, min_samples_leaf=2, class_weight="balanced_subsample", random_state=0, n_jobs=-1
        )
        trees.fit(features[train], truth[train])
        suspicion[test] = trees.predict_proba(features[test])[:, 1]
    return suspicion


def write_sheets(
    folder: Path,
    name: str,
    is_flagged: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    pixels: NDArray[np.uint8],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {
        "right": truth & is_flagged,
        "mistake": ~truth & is_flagged,
        "miss": truth & ~is_flagged,
    }
    for kind, where in kinds.items():
        pictures = [cv2.resize(picture, (96, 96)) for picture in pixels[where][..., 0]]
        pictures += [np.full((96, 96), 255, np.uint8)] * (-len(pictures) % 12)
        if pictures:
            rows = [
                np.hstack(pictures[start : start + 12]) for start in range(0, len(pictures), 12)
            ]
            path = folder / f"{name.replace(' ', '-').replace('+', 'and')}-{kind}.png"
            cv2.imwrite(str(path), np.vstack(rows))


if __name__ == "__main__":
    main()
