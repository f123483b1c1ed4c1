"""What is found of the dirt in a drawn set that has 10% of every kind, against its ledger.

    python tests/benchmarks/bench_dirt.py [WEIGHTS.onnx] [SEED]

Precision and recall of blank and black pictures, identical and near twins, conflicting labels,
leaks, and pictures that show no face; the latter by scores of pixels, and where WEIGHTS are named
those of YuNet by the face score. The thresholds were chosen with seed 11; try another.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Set
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from fer_data.dataset import Dataset
from fer_data.duplicate_report import label_conflicts, leakage
from fer_data.duplicates import find_duplicates
from fer_data.filter import beyond, score_values
from fer_data.filter_settings import Rule
from fer_data.ingest import IngestSettings, ingest
from fer_data.quality import QualitySettings, measure_quality
from fer_data.synth import SynthSettings, write_faces
from fer_data.synth.files import plan_files

BY_PIXELS = (
    Rule("entropy", "below", 4.5),
    Rule("edge_share", "below", 0.40),
    Rule("pca_relative", "above", 0.82),
)
BY_DETECTOR = (Rule("face_score", "below", 0.10),)
ONE_LEVEL, DARK = Rule("flat_share", "above", 0.9999), Rule("brightness", "below", 0.0001)
EMPTY = ("blank", "black", "non-face")


def main() -> None:
    weights = next((Path(word) for word in sys.argv[1:] if not word.isdecimal()), None)
    seed = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 11)
    settings = SynthSettings(num_samples=4_000, dirt=0.10, even_dirt=True, splits=True, seed=seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_faces(folder / "drawn", settings)
        dataset, _ = ingest(folder / "drawn", folder / "set", IngestSettings(max_rejected=0.5))
        dataset = find_duplicates(dataset)
        quality = QualitySettings(faces=weights is not None, detector_weights=weights)
        dataset = measure_quality(dataset, quality)
        with (folder / "drawn" / "ledger.csv").open(newline="", encoding="utf-8") as file:
            ledger = {f"drawn/{row['path']}": row for row in csv.DictReader(file)}
        print(f"\n{settings.num_samples:,} drawn faces, 10% dirt of every kind, seed {seed}")
        compare_empty(dataset, {key: row["kind"] for key, row in ledger.items()})
        compare_twins(dataset, ledger, settings)


def compare_empty(dataset: Dataset, kind: dict[str, str]) -> None:
    keys = dataset.samples(["key"])["key"].to_pylist()
    one_level = {keys[row] for row in beyond(score_values(dataset, "flat_share"), ONE_LEVEL)}
    dark = {keys[row] for row in beyond(score_values(dataset, "brightness"), DARK)}
    planted = {what: {key for key in keys if kind[key] == what} for what in EMPTY}
    show("blank", one_level - dark, planted["blank"], "1")
    show("black", one_level & dark, planted["black"], "1")
    no_face = planted["non-face"]
    # blank pictures are no faces either: they neither count for nor against
    blank = planted["blank"] | planted["black"]
    measured = dataset.table("quality").column_names
    for what, rules in (("no face, pixels", BY_PIXELS), ("no face, YuNet", BY_DETECTOR)):
        if all(rule.score in measured for rule in rules):
            rows = [beyond(score_values(dataset, rule.score), rule).tolist() for rule in rules]
            show(what, {keys[row] for row in chain(*rows)} - blank, no_face, ">= 0.9")


def compare_twins(
    dataset: Dataset, ledger: dict[str, dict[str, str]], settings: SynthSettings
) -> None:
    kind = {key: row["kind"] for key, row in ledger.items()}
    source = {key: f"drawn/{row['source_path'] or row['path']}" for key, row in ledger.items()}
    samples = dataset.samples(["key", "label", "split"])
    split = dict(zip(samples["key"].to_pylist(), samples["split"].to_pylist(), strict=True))
    table = dataset.table("duplicates")
    groups = exact_groups(table)
    numbers = label_conflicts(table, samples)["number"]
    conflicting = exact_groups(table.filter(pc.is_in(table["exact"], value_set=numbers)))
    leaking = {group for group in groups if len({split[key] for key in group}) > 1}
    for what, found, kinds in (
        ("exact duplicates", groups, ("duplicate", "leaking", "conflicting-label")),
        ("conflicts", conflicting, ("conflicting-label",)),
        ("leaks", leaking, ("leaking",)),
    ):
        # blank pictures are twins too, and tell nothing of copies
        sources = {source[min(g)] for g in found if kind[min(g)] not in ("blank", "black")}
        show(what, sources, {source[key] for key in ledger if kind[key] in kinds}, "1")

    near = {(r["key"], r["twin"]) for r in table.to_pylist() if r["kind"] in ("near", "mirrored")}
    right = {pair for pair in near if source[pair[0]] == source[pair[1]]}
    family = dict(zip(table["key"].to_pylist(), table["group"].to_pylist(), strict=True))
    planted = [key for key in ledger if kind[key] == "near-duplicate"]
    hits = [key for key in planted if family.get(key, -1) == family.get(source[key], -2)]
    print_figures("near-duplicates", len(right), len(near), len(hits), len(planted), ">= 0.9")
    sorts = {f"drawn/{file.path}": file.variant for file in plan_files(settings)}
    tally, found_of = Counter(sorts[key] for key in planted), Counter(sorts[key] for key in hits)
    recalls = ", ".join(f"{sort} {found_of[sort] / tally[sort]:.2f}" for sort in sorted(tally))
    print(f"    recall by sort: {recalls}")
    for row in leakage(table, samples).to_pylist():
        print(f"  leakage, exact: {row}")
    for row in leakage(table, samples, same="group").to_pylist():
        print(f"  leakage, near:  {row}")


def exact_groups(table: pa.Table) -> set[frozenset[str]]:
    groups: dict[int, set[str]] = {}
    for row in table.filter(pc.is_valid(table["exact"])).to_pylist():
        groups.setdefault(row["exact"], set()).add(row["key"])
    return {frozenset(group) for group in groups.values()}


def show(what: str, found: Set[str], planted: Set[str], target: str) -> None:
    both = len(found & planted)
    print_figures(what, both, len(found), both, len(planted), target)


def print_figures(what: str, right: int, found: int, hit: int, planted: int, target: str) -> None:
    print(f"  {what:16} precision {right / found:.3f} ({right} of {found})  "
          f"recall {hit / planted:.3f} ({hit} of {planted}); target both {target}")  # fmt: skip


if __name__ == "__main__":
    main()
