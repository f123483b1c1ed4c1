"""What an audit finds of labels that were made wrong on purpose, one in ten.

    python tests/benchmarks/bench_audit.py

Drawn faces, one label in ten exchanged for another class, each as often. The average precision of
the ranking (target: at least 0.8), the precision and recall of the suspects, and beside them what
the network says of the samples that it learned from: why folds are needed.
"""

from __future__ import annotations

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
from fer_models.label_errors import LabelErrors, find_label_errors
from fer_models.predict import Predictor
from fer_models.train import train
from fer_models.zoo import network_defaults
from tests.benchmarks.made_data import machine
from tests.made_shards import make_samples, make_shards

NUM_FACES, SHARE, SEED = 6_000, 0.10, 3
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
        settings = dataclasses.replace(network_defaults(NETWORK), model=NETWORK, epochs=15)
        train(folder / "shards", folder / "run", settings)
        report = audit(folder / "run", settings=AuditSettings(top=NUM_FACES), say=print)
        is_wrong = given != true
        show("5 folds", is_wrong, given, report.errors)
        learned = Predictor.load(folder / "run").predict(images)
        show("what was learned by heart", is_wrong, given, find_label_errors(given, learned))


def exchanged(labels: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """The labels with one in ten exchanged for any other class."""
    rng = np.random.default_rng(SEED)
    rows = rng.choice(len(labels), round(SHARE * len(labels)), replace=False)
    changed = labels.copy()
    changed[rows] = (labels[rows] + rng.integers(1, num_classes, len(rows))) % num_classes
    return changed


def show(
    what: str, is_wrong: NDArray[np.bool_], labels: NDArray[np.int64], errors: LabelErrors
) -> None:
    ranking = average_precision_score(is_wrong, -errors.margins)
    suspects = errors.likely != labels
    print(
        f"{what:<26} average precision {ranking:.3f}; {suspects.sum():,} suspects: precision "
        f"{is_wrong[suspects].mean():.3f}, recall {suspects[is_wrong].mean():.3f}; estimated "
        f"{errors.num_estimated:,} wrong of {is_wrong.sum():,}"
    )


if __name__ == "__main__":
    main()
