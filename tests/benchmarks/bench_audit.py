"""What an audit finds of labels that were made wrong on purpose, one in ten.

    python tests/benchmarks/bench_audit.py [suspects.csv fer2013new.csv]

Drawn faces, one label in ten exchanged for another class, each as often: the average precision of
the ranking (target: at least 0.8), and the precision and recall of the suspects. Where the suspects
of an audit of FER2013 and FER+'s votes are named: how often ten people chose another class than the
label, among the first suspects and among all pictures.
"""

from __future__ import annotations

import csv
import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from sklearn.metrics import average_precision_score

from fer_data.ingest import IngestSettings, ingest
from fer_data.synth import SynthSettings, write_faces
from fer_models.audit import AuditSettings, audit
from fer_models.augmentation import AugmentSettings
from fer_models.label_errors import LabelErrors
from fer_models.train import train
from fer_models.zoo import network_defaults
from tests.benchmarks.ferplus import CLASSES, OTHERS, majority_labels
from tests.benchmarks.made_data import machine
from tests.made_shards import make_samples, make_shards

NUM_FACES, SHARE, SEED, EPOCHS = 6_000, 0.10, 3, 20
NETWORK = f"{Path(__file__).parent / 'small_network.py'}:build"


def main() -> None:
    print(f"{NUM_FACES:,} drawn faces, {SHARE:.0%} of the labels wrong; {machine()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_faces(folder / "drawn", SynthSettings(num_samples=NUM_FACES, seed=SEED))
        dataset, _ = ingest(folder / "drawn", folder / "dataset", IngestSettings())
        images = np.concatenate([dataset.pixels(block) for block in range(dataset.num_blocks)])
        table = dataset.samples(["key", "label"])
        true = np.array([dataset.class_names.index(label) for label in table["label"].to_pylist()])
        given = exchanged(true, len(dataset.class_names))
        samples = make_samples(images, given.tolist(), table["key"].to_pylist())
        make_shards(folder / "shards", {"train": samples}, dataset.class_names, shard_samples=1024)
        augment = AugmentSettings(flip=True, shift=0.08, rotation=8.0, zoom=0.1)
        settings = dataclasses.replace(
            network_defaults(NETWORK), model=NETWORK, epochs=1, batch_size=64, augment=augment
        )
        train(folder / "shards", folder / "run", settings)
        report = audit(
            folder / "run", settings=AuditSettings(num_folds=3, epochs=EPOCHS), say=print
        )
        show(given != true, given, report.errors)
    if sys.argv[2:]:
        ask_people(Path(sys.argv[1]), Path(sys.argv[2]))


def exchanged(labels: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """The labels with one in ten exchanged for any other class."""
    rng = np.random.default_rng(SEED)
    rows = rng.choice(len(labels), round(SHARE * len(labels)), replace=False)
    changed = labels.copy()
    changed[rows] = (labels[rows] + rng.integers(1, num_classes, len(rows))) % num_classes
    return changed


def show(is_wrong: NDArray[np.bool_], labels: NDArray[np.int64], errors: LabelErrors) -> None:
    ranking = average_precision_score(is_wrong, -errors.margins)
    suspects = errors.likely != labels
    print(
        f"average precision {ranking:.3f}; {suspects.sum():,} suspects: precision "
        f"{is_wrong[suspects].mean():.3f}, recall {suspects[is_wrong].mean():.3f}; estimated "
        f"{errors.num_estimated:,} wrong of {is_wrong.sum():,}"
    )


def ask_people(suspects_path: Path, votes_path: Path) -> None:
    """What most of FER+'s people chose for the first suspects, and for all training pictures."""
    chosen = majority_labels(votes_path)
    with suspects_path.open(newline="", encoding="utf-8") as file:
        suspects = list(csv.DictReader(file))
    # FER+ does not name the pictures that show no face
    people = [chosen.get(Path(row["key"]).name, "NF") for row in suspects]
    print(
        "| suspects | people chose another class | of them the likely one | no face, or unknown |"
    )
    print("|---|---|---|---|")
    for count in (100, 287, 1_000, 3_000):
        rows = list(zip(suspects[:count], people, strict=False))
        others = [(row, said) for row, said in rows if said in CLASSES and said != row["given"]]
        likely = sum(said == row["likely"] for row, said in others)
        nobody = sum(said in OTHERS for _, said in rows)
        n = len(rows)
        print(f"| the first {n:,} | {len(others) / n:.0%} | {likely / n:.0%} | {nobody / n:.0%} |")


if __name__ == "__main__":
    main()
