"""Traps of FER2013: its two tables, and pictures that stand in it more than once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.filter import FilterReport
from fer_data.filter_settings import default_filter
from fer_data.ingest import IngestSettings, ingest
from fer_data.pipeline import Runner
from fer_data.split import SplitSettings
from tests import miniatures
from tests.conftest import face_pixels
from tests.miniatures import save

RUNNER = Runner(workers=1)
BLACK = np.zeros((48, 48), np.uint8)
CLASSES = ("angry", "disgust", "fear", "happy", "sad")


def fer2013_with(
    tmp_path: Path, pictures: Sequence[tuple[str, str, NDArray[np.uint8]]]
) -> tuple[Dataset, list[str]]:
    """FER2013 with further pictures (split, class, pixels), and the keys of these."""
    raw = miniatures.fer2013_folders(tmp_path / "raw").raw
    paths = [
        f"fer2013/{split}/{name}/fer{row:07d}.png"
        for row, (split, name, _) in enumerate(pictures, start=1000)
    ]
    for path, (_, _, pixels) in zip(paths, pictures, strict=True):
        save(raw / path, pixels)
    dataset, _ = ingest(raw, tmp_path / "ds", IngestSettings(), workers=1)
    return dataset, [key for path in paths for key in keys_of(dataset, path)]


def keys_of(dataset: Dataset, path: str) -> list[str]:
    rows = dataset.samples(["key", "path"]).to_pylist()
    return [row["key"] for row in rows if path.endswith(row["path"])]


def filtered(dataset: Dataset) -> tuple[Dataset, FilterReport, dict[str, str | None]]:
    """With the default filter, whatever a class loses; and key → why it was dropped, or None."""
    settings = dataclasses.replace(default_filter("gray"), max_loss=1.0)
    dataset, report = RUNNER.filter(dataset, settings)
    rows = dataset.table("filter").to_pylist()
    return dataset, report, {r["key"]: None if r["keep"] else r["reason"] for r in rows}


def test_both_column_orders_of_the_table_hold_the_same_samples(tmp_path: Path) -> None:
    tables = []
    for mini in (miniatures.fer2013_csv(tmp_path / "a"), miniatures.icml_face_data(tmp_path / "b")):
        dataset, report = ingest(mini.raw, tmp_path / mini.raw.stem, IngestSettings(), workers=1)
        assert report.num_rejected == 0
        tables.append(dataset.samples(["label", "split", "pixel_sha256"]))
    assert tables[0].equals(tables[1])


def test_a_public_test_picture_that_stands_in_training_is_a_leak_and_its_twin_goes(
    tmp_path: Path,
) -> None:
    twin = face_pixels(900)
    dataset, (train, public) = fer2013_with(
        tmp_path, [("train", "happy", twin), ("public_test", "happy", twin)]
    )
    _, report = RUNNER.split(dataset, SplitSettings())
    assert (report.leaks, report.leaked["validation"]) == (1, 1)
    dataset, _, why = filtered(dataset)
    assert (why[train], why[public]) == ("leak", None)
    assert RUNNER.split(dataset, SplitSettings())[1].leaks == 0


def test_identical_pictures_under_different_labels_are_a_conflict(tmp_path: Path) -> None:
    pictures = [("train", name, face_pixels(901)) for name in ("fear", "surprise")]
    dataset, keys = fer2013_with(tmp_path, pictures)
    _, report, why = filtered(dataset)
    assert [why[key] for key in keys] == ["conflict", "conflict"]
    assert report.reasons["conflict"] == 2


def test_black_pictures_are_blank_under_all_five_of_their_labels(tmp_path: Path) -> None:
    dataset, keys = fer2013_with(tmp_path, [("train", name, BLACK) for name in CLASSES])
    _, report, why = filtered(dataset)
    assert {why[key] for key in keys} == {"blank"}
    assert report.reasons == {"blank": 5}
