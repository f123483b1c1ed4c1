"""Traps of RAF-DB, handed around in two forms, and of ExpW, with many faces in a picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_data.ingest import IngestSettings, ingest
from fer_data.sources.raw import Facts, Rejection
from tests import miniatures
from tests.fer_data.sources.understanding import known, labels


@pytest.mark.parametrize("name", ["list_patition_label.txt", "list_partition_label.txt"])
def test_rafdb_patition_and_its_right_spelling_are_both_taken(tmp_path: Path, name: str) -> None:
    mini = miniatures.rafdb(tmp_path)
    folder = mini.raw / "EmoLabel"
    (folder / "list_patition_label.txt").rename(folder / name)
    assert labels(mini.raw)["Image/aligned/train_00005_aligned.jpg"] == "sadness"


def test_rafdb_aligned_names_are_found_and_originals_left(tmp_path: Path) -> None:
    mini = miniatures.rafdb(tmp_path)
    found = labels(mini.raw)
    assert found["Image/aligned/test_00001_aligned.jpg"] == "surprise"
    assert found["Image/original/test_00001.jpg"] == "other-form"


def test_rafdb_originals_are_read_where_there_are_no_aligned_ones(tmp_path: Path) -> None:
    mini = miniatures.rafdb(tmp_path)
    for path in (mini.raw / "Image" / "aligned").iterdir():
        path.unlink()
    assert labels(mini.raw)["Image/original/test_00001.jpg"] == "surprise"


def test_expw_has_several_faces_a_picture_each_with_its_box(tmp_path: Path) -> None:
    mini = miniatures.expw(tmp_path / "raw")
    first, second = known(mini.raw)["image/origin/ang0_0.jpg"]
    assert isinstance(first, Facts)
    assert isinstance(second, Facts)
    assert (first.label, first.box) == ("anger", (20, 10, 68, 78))  # top comes first in the list
    assert (second.label, second.box) == ("neutral", (90, 80, 140, 150))
    dataset, report = ingest(mini.raw, tmp_path / "ds", IngestSettings(max_rejected=1.0), workers=1)
    paths = dataset.samples()["path"].to_pylist()
    assert "image/origin/ang0_0.jpg#face-2" in paths
    assert report.num_files == 10


def test_an_empty_box_is_a_rejection(tmp_path: Path) -> None:
    mini = miniatures.expw(tmp_path)
    lines = mini.raw.joinpath("label/label.lst").read_text().splitlines()
    bad = ["ang0_0.jpg 2 10 20 20 78 60.9 1", "ang0_0.jpg 3 1e999 20 30 78 60.9 1",
           "ang0_0.jpg 4 nan 20 30 78 60.9 1"]  # fmt: skip
    mini.raw.joinpath("label/label.lst").write_text("\n".join([*lines, *bad]))
    faces = known(mini.raw)["image/origin/ang0_0.jpg"]
    reasons = [each.reason for each in faces if isinstance(each, Rejection)]
    assert reasons == ["bad-box", "bad-box"]
    assert isinstance(faces[4], Facts)
    assert faces[4].box is None
