"""Label files as people write them, beside the pictures or given with --labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_data.errors import SourceError
from fer_data.sources.opening import SourceSettings
from fer_data.sources.raw import HARMLESS_REASONS, REASONS, Facts
from tests import miniatures
from tests.conftest import face_pixels
from tests.fer_data.sources.understanding import known, labels, opened, read, write_csv_set
from tests.miniatures import save


@pytest.mark.parametrize(
    "table",
    [
        b"path,label\na.png,happy\nb.png,sad\n",
        b"path,label\r\na.png,happy\r\nb.png,sad\r\n",
        b"\xef\xbb\xbfpath,label\na.png,happy\nb.png,sad",
        "path,label\na.png,happy\nb.png,sad\n".encode("utf-16"),
        b"Path, Label \n./a.png, happy\n.\\b.png,SAD\n\n\n",
        b'"path","label"\n"a.png","happy"\n"b.png","sad"\n',
        b",path,label\n0,a.png,happy\n1,b.png,sad\n",
    ],
    ids=["plain", "crlf", "bom", "utf-16", "blanks", "quotes", "index"],
)
def test_every_way_to_write_a_table_is_read(tmp_path: Path, table: bytes) -> None:
    raw = write_csv_set(tmp_path / "raw", table, {"a.png": 1, "b.png": 2})
    assert labels(raw) == {"a.png": "happiness", "b.png": "sadness", "labels.csv": "support-file"}


def test_names_that_are_not_utf8_are_found(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    save(raw / "é.png", face_pixels(1))
    save(raw / "b.png", face_pixels(2))
    (raw / "labels.csv").write_bytes("path,label\né.png,happy\nb.png,sad\n".encode("cp1252"))
    found = labels(raw)
    assert found["é.png"] == "happiness"


def test_missing_and_unnamed_files_are_rejections(tmp_path: Path) -> None:
    table = b"path,label\na.png,happy\nb.png,sad\nmissing.png,sad\n"
    raw = write_csv_set(tmp_path / "raw", table, {"a.png": 1, "b.png": 2, "unnamed.png": 3})
    report = read(raw, tmp_path / "ds")
    assert report.reasons == {"missing-file": 1, "unlabelled": 1, "support-file": 1}
    assert report.num_samples + report.num_rejected == report.num_files == 5
    with opened(raw) as source:
        (remark,) = source.describe()
    assert "1 rows name no file" in remark
    assert "1 files are named by none" in remark


def test_a_file_named_twice_with_other_labels_is_rejected(tmp_path: Path) -> None:
    table = b"path,label\na.png,happy\nb.png,sad\na.png,fear\nb.png,sadness\n"
    raw = write_csv_set(tmp_path / "raw", table, {"a.png": 1, "b.png": 2})
    found = labels(raw)
    assert (found["a.png"], found["b.png"]) == ("conflicting-labels", "sadness")


def test_bad_rows_are_rejections_of_their_own(tmp_path: Path) -> None:
    table = b"path,label\na.png,happy\nb.png,sad\nc.png\n,sad\nd.png,\n"
    raw = write_csv_set(tmp_path / "raw", table, {f"{n}.png": ord(n) for n in "abcd"})
    found = labels(raw)
    assert found["labels.csv#row-3"] == found["labels.csv#row-4"] == "bad-label"
    assert (found["c.png"], found["d.png"]) == ("unlabelled", "unlabelled")


def test_a_label_file_may_be_larger_than_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_data.sources.file_list.MAX_FILE_BYTES", 5000)
    long = "x" * 6000  # as AffectNet's list of 400 MB is, for its landmarks
    table = f"path,label,landmarks\na.png,happy,{long}\n".encode()
    raw = write_csv_set(tmp_path / "raw", table, {"a.png": 1})
    assert labels(raw) == {"a.png": "happiness", "labels.csv": "support-file"}


def test_a_table_elsewhere_labels_the_pictures(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / "raw" / name, face_pixels(ord(name[0])))
    (tmp_path / "mine.csv").write_text("who,what,when,age\na.png,joy,val,30\nb.png,tired,val,\n")
    settings = SourceSettings(
        labels=tmp_path / "mine.csv", path_column="who", label_column="what", split_column="when"
    )
    facts = known(tmp_path / "raw", settings)
    assert facts["a.png"] == (
        Facts(label="happiness", split="validation", attributes={"age": "30"}),
    )
    assert facts["b.png"] == (Facts(label="tired", split="validation"),)
    assert labels(tmp_path / "raw", settings)["c.png"] == "unlabelled"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"path_column": "nowhere"}, "expected nowhere, label"),
        ({"split_column": "nowhere"}, 'has no column "nowhere"'),
    ],
)
def test_a_column_that_is_not_there_is_said(
    tmp_path: Path, columns: dict[str, str], message: str
) -> None:
    save(tmp_path / "raw" / "a.png", face_pixels(1))
    (tmp_path / "mine.csv").write_text("path,label\na.png,joy\n")
    with pytest.raises(SourceError, match=message):
        known(tmp_path / "raw", SourceSettings(labels=tmp_path / "mine.csv", **columns))


def test_a_csv_of_paths_is_a_source_itself(tmp_path: Path) -> None:
    mini = miniatures.csv_of_paths(tmp_path)
    report = read(mini.raw / "faces.csv", tmp_path / "ds")
    assert report.classes["train"]["happiness"] == 1
    assert report.sources[0].manifest == "csv"


def test_a_stray_table_beside_class_folders_does_not_label_them(tmp_path: Path) -> None:
    mini = miniatures.class_folders(tmp_path / "raw")
    (mini.raw / "notes.csv").write_text("file,class,mark\nother.png,7a,1\n")
    (mini.raw / "broken.csv").write_bytes(b"\xff\xfe\x00")
    report = read(mini.raw, tmp_path / "ds")
    assert report.sources[0].manifest == "folders"
    assert report.num_samples == 8


def test_every_harmless_reason_is_a_reason() -> None:
    assert set(REASONS) >= HARMLESS_REASONS
    assert len(set(REASONS)) == len(REASONS)
