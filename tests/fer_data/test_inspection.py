"""What is said of a data set is true, and the page that says it stands alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.errors import DatasetError, MissingStageError
from fer_data.filter_settings import BLANK, FilterSettings
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings, ingest
from fer_data.inspection import inspect_dataset
from fer_data.pipeline import Runner
from fer_data.report.findings import find_trouble
from fer_data.report.page import render_inspection
from fer_data.split import SplitSettings
from tests.conftest import face_pixels, png_bytes

RUNNER = Runner(workers=1)
BLACK = np.zeros((48, 48), np.uint8)


def make_dataset(
    folder: Path, pictures: Mapping[str, NDArray[np.uint8]], color: str = "gray"
) -> Dataset:
    for path, pixels in pictures.items():
        file = folder / "raw" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png_bytes(pixels))
    settings = IngestSettings(image=ImageSettings(color=color), max_rejected=1.0)
    return RUNNER.measure(ingest(folder / "raw", folder / "ds", settings, workers=1)[0])


def faces(folder: str, seeds: range) -> dict[str, NDArray[np.uint8]]:
    return {f"{folder}/{seed:04d}.png": face_pixels(seed) for seed in seeds}


@pytest.fixture
def dirty(tmp_path: Path) -> Dataset:
    """Two leaks, one conflict within a split, one across, a repeated and two black pictures."""
    pictures = faces("train/happy", range(30)) | faces("train/sad", range(40, 43))
    pictures |= faces("test/happy", range(60, 64)) | faces("test/sad", range(70, 72))
    return make_dataset(
        tmp_path,
        pictures
        | {
            "test/happy/leak-1.png": face_pixels(1),
            "test/happy/leak-2.png": face_pixels(2),
            "train/sad/conflict.png": face_pixels(3),
            "test/sad/conflict.png": face_pixels(4),
            "train/happy/repeated.png": face_pixels(5),
            "train/sad/black.png": BLACK,
            "train/happy/black.png": BLACK,
            "train/happy/note.txt": face_pixels(6),  # a picture all the same
        },
    )


def test_the_numbers_are_those_of_what_was_put_in(dirty: Dataset) -> None:
    found = inspect_dataset(dirty)
    total = sum(sum(counts.values()) for counts in found.classes.values())
    assert total == found.num_samples == len(dirty.samples(["key"]))
    assert found.num_redundant == 7
    assert (found.num_blank, found.num_black) == (2, 2)
    assert found.blank_labels == {"happiness": 1, "sadness": 1}
    assert found.leak_labels == {"test": {"happiness": 2, "sadness": 1}}
    (leak,) = found.twins.leaks
    assert {leak["one"], leak["other"]} == {"train", "test"}
    assert (leak["groups"], leak["samples_one"], leak["samples_other"]) == (3, 3, 3)
    # the conflict across, the one within, and the black pictures
    assert (found.twins.conflicting, found.twins.conflicting_within) == (3, 2)
    assert found.twins.conflicting_across == 1
    assert found.near.groups >= 1
    assert sum(found.sizes.values()) == found.num_samples


def test_every_trouble_has_a_finding_and_a_command(dirty: Dataset) -> None:
    findings = {finding.command: finding for finding in find_trouble(inspect_dataset(dirty))}
    assert findings["ferdata filter --leaks drop-train"].number == 3
    assert "2 of the 6 happiness samples" in findings["ferdata filter --leaks drop-train"].detail
    assert findings["ferdata filter --conflicts drop"].number == 3
    assert findings["ferdata filter --blank"].title == "pictures are black throughout"
    assert findings["ferdata filter --duplicates keep-one"].number == 7
    assert findings["ferdata balance --target sadness"].number == 5


def test_near_twins_of_one_folder_are_dropped_by_the_command_against_them(tmp_path: Path) -> None:
    brighter = {"happy/near.png": np.clip(face_pixels(3).astype(int) + 6, 0, 255).astype(np.uint8)}
    dataset = make_dataset(tmp_path, faces("happy", range(12)) | brighter)
    (finding,) = find_trouble(inspect_dataset(dataset))
    assert finding.command == "ferdata filter --near --duplicates keep-one --dry-run"
    _, report = RUNNER.filter(dataset, FilterSettings(twins="near", duplicates="keep-one"))
    assert report.num_dropped == 1


def test_the_split_that_was_decided_is_the_one_that_is_shown(tmp_path: Path) -> None:
    pictures = faces("happy", range(30)) | faces("sad", range(40, 52))
    dataset = make_dataset(tmp_path, pictures | {"sad/black.png": BLACK})
    assert set(inspect_dataset(dataset).splits) == {"none"}
    relabel = {"happy/0000.png": "sad"}
    dataset, _ = RUNNER.filter(dataset, FilterSettings(rules=(BLANK,), relabel=relabel))
    dataset, report = RUNNER.split(dataset, SplitSettings())
    found = inspect_dataset(dataset)
    assert found.decided == {**report.classes, "dropped": {"happiness": 0, "sadness": 1}}
    assert '<th class="num">validation</th>' in render_inspection(dataset, found)


def test_a_clean_set_has_no_findings(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, faces("happy", range(8)) | faces("sad", range(20, 28)))
    found = inspect_dataset(dataset)
    assert find_trouble(found) == []
    assert "Nothing is wrong" in render_inspection(dataset, found)


@pytest.mark.parametrize(("color", "size"), [("gray", 48), ("rgb", 48), ("rgb", 96)])
def test_a_block_whose_files_were_all_rejected_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, color: str, size: int
) -> None:
    monkeypatch.setattr("fer_data.ingest.BLOCK_FILES", 4)
    raw = tmp_path / "raw"
    for path, pixels in (faces("happy", range(4, 12)) | faces("sad", range(20, 28))).items():
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
        (raw / path).write_bytes(png_bytes(pixels))
    for number in range(4):
        (raw / f"happy/{number:04d}.png").write_text("no picture")
    image = ImageSettings(size=size, color=color)
    settings = IngestSettings(image=image, max_rejected=1.0)
    dataset = RUNNER.measure(ingest(raw, tmp_path / "ds", settings, workers=1)[0])
    assert len(dataset.pixels(0)) == 0
    assert len(dataset.table("quality")) == 16
    assert "Nothing is wrong" in render_inspection(dataset, inspect_dataset(dataset))
    _, report = RUNNER.filter(dataset, FilterSettings(rules=(BLANK,)))
    assert (report.num_samples, report.num_dropped) == (16, 0)


@pytest.mark.parametrize("name", ["quality", "duplicates"])
def test_what_was_measured_and_is_gone_is_measured_again(dirty: Dataset, name: str) -> None:
    table, path = dirty.table(name), dirty.dir / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DatasetError, match=f"{name}.parquet: .*; remove it and run `ferdata insp"):
        inspect_dataset(RUNNER.measure(dirty))
    path.unlink()
    assert RUNNER.measure(dirty).table(name) == table


def test_the_filter_in_place_is_the_one_that_is_shown(dirty: Dataset) -> None:
    assert not inspect_dataset(dirty).is_filtered
    dataset, report = RUNNER.filter(dirty, FilterSettings(rules=(BLANK,), max_loss=1.0))
    found = inspect_dataset(dataset)
    assert found.is_filtered
    assert found.filter_report == report
    assert set(found.brightness_dropped.values()) == {0.0}


def test_what_the_class_explains_is_a_share_of_the_variance(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bright = {
        f"{name}/{n}.png": rng.integers(low, low + 60, (48, 48), dtype=np.uint8)
        for name, low in (("happy", 190), ("sad", 2))
        for n in range(12)
    }
    facts = inspect_dataset(make_dataset(tmp_path, bright)).scores
    assert facts["brightness"].class_share > 0.99
    assert facts["brightness"].class_means["happiness"] > facts["brightness"].class_means["sadness"]
    assert all(0 <= each.class_share <= 1 for each in facts.values())
    for each in facts.values():
        assert list(each.quantiles) == sorted(each.quantiles)


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_the_page_stands_alone_and_is_small(tmp_path: Path, color: str) -> None:
    pictures = faces("train/happy", range(9)) | faces("test/<b>sad & co", range(20, 24))
    pictures["train/happy/black.png"] = BLACK
    dataset = make_dataset(tmp_path, pictures, color)
    page = render_inspection(dataset, inspect_dataset(dataset))
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert "http" not in page
    assert "<b>sad" not in page
    assert "&lt;b&gt;sad &amp; co" in page
    assert len(page) < 10_000_000
    for name in dataset.table("quality").column_names[1:]:
        assert f"histogram of {name}" in page


def test_large_pictures_are_shown_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noise = {f"happy/{n}.png": rng.integers(0, 256, (400, 400), dtype=np.uint8) for n in range(12)}
    for path, pixels in noise.items():
        file = tmp_path / "raw" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png_bytes(pixels))
    settings = IngestSettings(image=ImageSettings(size=224, color="rgb"))
    dataset = RUNNER.measure(ingest(tmp_path / "raw", tmp_path / "ds", settings, workers=1)[0])
    assert len(render_inspection(dataset, inspect_dataset(dataset))) < 4_000_000


def test_numbers_for_machines_are_json(dirty: Dataset) -> None:
    values = json.loads(json.dumps(inspect_dataset(dirty).to_json(), allow_nan=False))
    assert values["num_redundant"] == 7
    assert FilterSettings.from_json(values["filter_settings"])


def test_it_needs_the_scores(tmp_path: Path) -> None:
    for path, pixels in faces("happy", range(3)).items():
        file = tmp_path / "raw" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png_bytes(pixels))
    dataset, _ = ingest(tmp_path / "raw", tmp_path / "ds", IngestSettings(), workers=1)
    with pytest.raises(MissingStageError):
        inspect_dataset(dataset)
