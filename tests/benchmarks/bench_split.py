"""Split: time and evenness, against scikit-learn's, and what moves when samples are added.

    python tests/benchmarks/bench_split.py [--largest 1000000]

Three tables. Time of the whole stage on generated tables of samples: three sources, 8 classes, a
tenth in families, a quarter with a subject. Folds of sets like CK+, in which every subject shows
several expressions, beside those of StratifiedGroupKFold. The share of samples that another 1%
moves.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.dataset import SAMPLES_SCHEMA, Dataset, DatasetInfo, SourceRecord
from fer_data.image import ImageSettings
from fer_data.split import SplitSettings, plan_split
from fer_data.split_deal import deal
from fer_data.tables import write_table

NAMES = (
    "neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt",
)  # fmt: skip
SHARES = (0.25, 0.3, 0.12, 0.1, 0.06, 0.03, 0.1, 0.04)
#: Share of CK+'s 123 subjects that show each of its seven expressions.
CKPLUS = np.array([45, 18, 59, 25, 69, 28, 83]) / 123
BLOCK = 2_048


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest", type=int, default=100_000)
    asked = parser.parse_args()
    print("samples      asked                          seconds  furthest from ratio  groups")
    size = 10_000
    while size <= asked.largest:
        with tempfile.TemporaryDirectory() as folder:
            time_stage(generated_set(Path(folder), size), size)
        size *= 10
    print("\nsubjects folds   ours: std, seconds   scikit-learn: std, seconds   moved by 1%")
    for num_subjects in (123, 1_000, 10_000):
        for folds in (5, 10):
            compare_folds(num_subjects, folds)


def generated_set(folder: Path, size: int) -> Dataset:
    """A data set of tables alone."""
    rng = np.random.default_rng(size)
    labels = rng.choice(len(NAMES), size, p=SHARES)
    sources, subjects = rng.integers(0, 3, size), rng.integers(0, max(size // 10, 4), size)
    num_blocks = -(-size // BLOCK)
    source = SourceRecord(
        name="s0", kind="folder", manifest="folders", num_files=size, first_block=0,
        num_blocks=num_blocks,
    )  # fmt: skip
    info = DatasetInfo(image=ImageSettings(), class_names=NAMES, sources=(source,))
    dataset = Dataset(folder, info)
    keys = [f"s{s}/p{number:08d}.png" for number, s in enumerate(sources)]
    for block in range(num_blocks):
        rows = range(block * BLOCK, min(size, (block + 1) * BLOCK))
        none = pa.nulls(len(rows))
        columns = {
            "key": [keys[row] for row in rows],
            "source": [f"s{sources[row]}" for row in rows],
            "path": [keys[row] for row in rows],
            "label": [NAMES[labels[row]] for row in rows],
            "split": none,
            "file_sha256": [bytes(32)] * len(rows),
            "pixel_sha256": [rng.bytes(32) for _ in rows],
            "height": [48] * len(rows),
            "width": [48] * len(rows),
            "attributes": [
                [("subject", f"S{subjects[row]}")] if subjects[row] % 4 == 0 else [] for row in rows
            ],
            "votes": none,
        }
        table = pa.table(
            {name: pa.array(columns[name], kind) for name, kind in _types()}, schema=SAMPLES_SCHEMA
        )
        write_table(dataset.block_path("samples", block), table)
    dataset = dataset.publish("ingest", None, settings={}, counts={}, inputs=[], digest="generated")
    related = np.sort(rng.choice(size, size // 10, replace=False))
    families = pa.table(
        {
            "key": [keys[row] for row in related],
            "group": rng.integers(0, max(size // 25, 1), len(related)),
        }
    )
    return dataset.publish("duplicates", families, settings={}, counts={}, inputs=["ingest"])


def _types() -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in SAMPLES_SCHEMA]


def time_stage(dataset: Dataset, size: int) -> None:
    for settings in (
        SplitSettings(),
        SplitSettings(group_by=("duplicates",)),
        SplitSettings(folds=10),
    ):
        start = time.perf_counter()
        _, report = plan_split(dataset, settings)
        seconds = time.perf_counter() - start
        furthest = max(
            abs(report.reached[part][name] - wanted)
            for part, shares in report.wanted.items()
            for name, wanted in shares.items()
        )
        what = f"{','.join(settings.group_by)}{' folds' if settings.folds else ''}"
        print(f"{size:<12,} {what:<30} {seconds:7.2f}  {furthest:19.4%}  {report.num_groups:,}")


def subjects_like_ckplus(num_subjects: int, seed: int) -> tuple[NDArray[np.int64], ...]:
    """Labels and subjects: three frames a sequence."""
    rng = np.random.default_rng(seed)
    subjects, labels = np.nonzero(rng.random((num_subjects, len(CKPLUS))) < CKPLUS)
    return np.repeat(labels, 3), np.unique(np.repeat(subjects, 3), return_inverse=True)[1]


def compare_folds(num_subjects: int, folds: int) -> None:
    shares = np.full(folds, 1 / folds)
    figures = []
    for seed in range(5):
        labels, subjects = subjects_like_ckplus(num_subjects, seed)
        more_labels, more_subjects = subjects_like_ckplus(max(num_subjects // 100, 1), seed + 50)
        both = np.concatenate([subjects, more_subjects + subjects.max() + 1])
        rng = np.random.default_rng(seed)
        order = rng.integers(0, 2**64, both.max(initial=0) + 1, np.uint64)

        def dealt(
            labels: NDArray[np.int64],
            subjects: NDArray[np.int64],
            order: NDArray[np.uint64] = order,
        ) -> NDArray[np.int64]:
            order = order[: subjects.max() + 1]
            return deal(subjects, labels, np.zeros_like(labels), order, shares)[subjects]

        start = time.perf_counter()
        ours = dealt(labels, subjects)
        seconds = time.perf_counter() - start
        later = dealt(np.concatenate([labels, more_labels]), both)[: len(ours)]
        theirs = np.full(len(labels), -1)
        start = time.perf_counter()
        if num_subjects <= 1_000:  # their time grows with subjects x classes x folds in Python
            splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
            for number, (_, rows) in enumerate(splitter.split(labels, labels, subjects)):
                theirs[rows] = number
        figures.append(
            [
                deviation(labels, ours, folds),
                seconds,
                deviation(labels, theirs, folds) if num_subjects <= 1_000 else np.nan,
                time.perf_counter() - start,
                np.mean(ours != later),
            ]
        )
    ours_std, seconds, their_std, their_seconds, moved = np.mean(figures, axis=0)
    print(
        f"{num_subjects:<8,} {folds:<7} {ours_std:9.4%}, {seconds:7.3f}   {their_std:17.4%}, "
        f"{their_seconds:7.3f}   {moved:11.2%}"
    )


def deviation(labels: NDArray[np.int64], fold: NDArray[np.int64], folds: int) -> float:
    """Standard deviation of the folds' shares of each class."""
    counts = np.zeros((labels.max() + 1, folds))
    np.add.at(counts, (labels, fold), 1)
    return float(np.std(counts / counts.sum(axis=1, keepdims=True)))


if __name__ == "__main__":
    main()
