"""Folders of pictures come back through ingest with the same pixels, labels and splits."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_data.emotions import canonical_class_name
from fer_data.export.shards import ExportSettings, export_shards
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings, ingest
from fer_data.shards.samples import Samples
from tests.made_shards import (
    NAMES,
    ODD_NAMES,
    made_splits,
    make_samples,
    make_shards,
    numbered_samples,
)

SETTINGS = ExportSettings(format="imagefolder")


def labels_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@given(made_splits())
@settings(max_examples=40, deadline=None)
def test_every_sample_is_there_once_with_all_that_is_known(
    made: tuple[dict[str, Samples], tuple[str, ...]],
) -> None:
    splits, class_names = made
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_shards(folder / "shards", splits, class_names)
        export_shards(folder / "shards", folder / "out", SETTINGS)
        rows = iter(labels_of(folder / "out"))
        paths = []
        for split, samples in splits.items():
            for number in range(len(samples)):
                row = next(rows)
                paths.append(row["path"])
                with Image.open(folder / "out" / row["path"]) as picture:
                    pixels = np.asarray(picture).reshape(samples.images.shape[1:])
                np.testing.assert_array_equal(pixels, samples.images[number])
                assert row["path"].startswith(f"{split}/")
                assert row["split"] == split
                assert row["label"] == class_names[samples.labels[number]]
                votes = [float(word) for word in row["votes"].split()]
                assert votes == ([] if samples.votes is None else samples.votes[number].tolist())
        assert next(rows, None) is None
        pictures = [
            path.relative_to(folder / "out").as_posix() for path in (folder / "out").rglob("*.png")
        ]
        assert sorted(pictures) == sorted(paths)
        assert len({path.casefold() for path in paths}) == len(paths)


def test_keys_and_parents_stand_in_the_labels(tmp_path: Path) -> None:
    samples = numbered_samples(20, copies=5)
    make_shards(tmp_path / "shards", {"train": samples})
    export_shards(tmp_path / "shards", tmp_path / "out", SETTINGS)
    rows = labels_of(tmp_path / "out")
    assert [row["key"] for row in rows] == samples.keys.tolist()
    assert [row["parent"] for row in rows] == samples.parents.tolist()
    assert rows[0]["path"] == "train/anger/000é.png"
    assert rows[19]["path"] == "train/surprise/005é#19.png"


def test_names_that_clash_get_a_mark(tmp_path: Path) -> None:
    images = np.zeros((4, 8, 8, 1), np.uint8)
    keys = ["a/1.png", "b/1.png", "a/1.jpg", "a/X.png"]
    samples = make_samples(images, [0, 0, 0, 0], keys)
    make_shards(tmp_path / "shards", {"train": samples}, ["con"])
    export_shards(tmp_path / "shards", tmp_path / "out", SETTINGS)
    paths = [row["path"] for row in labels_of(tmp_path / "out")]
    assert [paths[0], paths[3]] == ["train/_con/1.png", "train/_con/X.png"]
    assert len(set(paths)) == 4
    assert all(path.startswith("train/_con/1~") for path in paths[1:3])


CLASS_NAMES = st.lists(
    st.sampled_from([name for name in ODD_NAMES if canonical_class_name(name) == name]),
    min_size=1, max_size=9, unique=True,
)  # fmt: skip
SHAPES = st.tuples(st.integers(8, 10), st.sampled_from([1, 3])).map(lambda s: (s[0], s[0], s[1]))


@given(made_splits(shapes=SHAPES, class_names=CLASS_NAMES))
@settings(max_examples=25, deadline=None)
def test_ingest_reads_it_back(made: tuple[dict[str, Samples], tuple[str, ...]]) -> None:
    splits, class_names = made
    if not any(map(len, splits.values())):
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        index = make_shards(folder / "shards", splits, class_names)
        export_shards(folder / "shards", folder / "out", SETTINGS)
        color = "gray" if index.image_shape[2] == 1 else "rgb"
        image = ImageSettings(size=index.image_shape[0], color=color)
        dataset, _ = ingest(folder / "out", folder / "ds", IngestSettings(image=image), workers=1)
        assert dataset.info.sources[0].manifest == "ferkit-export"
        rows = {row["path"]: row for row in dataset.samples().to_pylist()}
        listed = iter(labels_of(folder / "out"))
        for split, samples in splits.items():
            for number in range(len(samples)):
                row = rows.pop(next(listed)["path"])
                assert (row["split"], row["label"]) == (split, class_names[samples.labels[number]])
                pixels = dataset.pixels(row["block"])[row["row"]]
                np.testing.assert_array_equal(pixels, samples.images[number])
        assert not rows


@pytest.mark.parametrize(
    "form", ["fer{:07d}.png", "S010_004_{:08d}.png", "Training_{}.jpg", "im{}.png"]
)
def test_names_of_known_data_sets_do_not_mislead_ingest(tmp_path: Path, form: str) -> None:
    names = (*NAMES, "contempt")
    samples = numbered_samples(16, (48, 48, 1), split="test", num_classes=len(names))
    keys = [f"src/{form.format(number)}" for number in range(16)]
    samples = make_samples(samples.images, samples.labels.tolist(), keys)
    make_shards(tmp_path / "shards", {"test": samples}, names)
    export_shards(tmp_path / "shards", tmp_path / "out", SETTINGS)
    dataset, _ = ingest(tmp_path / "out", tmp_path / "ds", IngestSettings(), workers=1)
    rows = {dict(row["attributes"])["key"]: row for row in dataset.samples().to_pylist()}
    assert set(rows) == set(keys)
    for key, label in zip(keys, samples.labels, strict=True):
        assert (rows[key]["label"], rows[key]["split"]) == (names[label], "test")
