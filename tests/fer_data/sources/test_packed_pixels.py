"""A table of pixels inside an archive or deep in a folder, as FER2013 is published."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from fer_data.dataset import Dataset
from fer_data.errors import SourceError
from fer_data.ingest import IngestSettings, ingest
from fer_data.ingest_report import IngestReport
from fer_data.sources.settings import SourceSettings
from tests import miniatures


def packed(folder: Path) -> Path:
    """The archive of the University of Montreal: the table, and texts beside it."""
    mini = miniatures.fer2013_csv(folder / "raw" / "fer2013")
    for name in ("README", "fer2013.bib"):
        (mini.raw.parent / name).write_text("Goodfellow et al. 2013")
    with tarfile.open(folder / "fer2013.tar.gz", "w:gz") as archive:
        archive.add(mini.raw.parent, "fer2013")
    return folder / "fer2013.tar.gz"


def read(
    raw: Path, out: Path, source: SourceSettings | None = None
) -> tuple[Dataset, IngestReport]:
    settings = IngestSettings(source=source if source is not None else SourceSettings())
    return ingest(raw, out, settings, workers=1)


def test_the_published_archive_gives_what_the_table_gives(tmp_path: Path) -> None:
    archive = packed(tmp_path)
    dataset, report = read(archive, tmp_path / "a")
    expected, plain = read(tmp_path / "raw" / "fer2013" / "fer2013.csv", tmp_path / "b")
    assert report.classes == plain.classes
    assert report.sources[0].manifest == "fer2013"
    columns = ["path", "label", "split", "pixel_sha256"]
    assert dataset.samples(columns).equals(expected.samples(columns))


def test_it_is_not_read_again_as_long_as_the_archive_is_the_same(tmp_path: Path) -> None:
    archive = packed(tmp_path)
    _, first = read(archive, tmp_path / "ds")
    _, again = read(archive, tmp_path / "ds")
    assert first.num_blocks_done_before == 0
    assert again.num_blocks_done_before == 1


def test_the_archive_of_the_competition_holds_one_whole_table(tmp_path: Path) -> None:
    mini = miniatures.icml_face_data(tmp_path / "raw")
    with zipfile.ZipFile(tmp_path / "competition.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(mini.raw, "icml_face_data.csv")
        archive.writestr("train.csv", "emotion,pixels\n0,1 2 3\n")
        archive.writestr("test.csv", "pixels\n1 2 3\n")
        archive.writestr("example_submission.csv", "0\n")
    _, report = read(tmp_path / "competition.zip", tmp_path / "a")
    _, expected = read(mini.raw, tmp_path / "b")
    assert report.classes == expected.classes


def test_a_table_deep_in_a_folder_is_found(tmp_path: Path) -> None:
    packed(tmp_path)
    _, report = read(tmp_path / "raw", tmp_path / "ds")
    assert report.sources[0].kind == "csv-pixels"


def test_of_two_tables_none_is_chosen(tmp_path: Path) -> None:
    miniatures.fer2013_csv(tmp_path / "raw" / "a")
    miniatures.icml_face_data(tmp_path / "raw" / "b")
    with pytest.raises(SourceError, match=r"several files of pixels \(a/fer2013.csv, b/"):
        read(tmp_path / "raw", tmp_path / "ds")


@pytest.mark.parametrize("place", [0.5, 0.01])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_named(tmp_path: Path, method: int, place: float) -> None:
    mini = miniatures.fer2013_csv(tmp_path / "raw")
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w", method) as opened:
        opened.write(mini.raw, "fer2013.csv")
    data = bytearray(archive.read_bytes())
    start = int(len(data) * place) + 50
    data[start : start + 20] = bytes(value ^ 0xAA for value in data[start : start + 20])
    archive.write_bytes(data)
    with pytest.raises(SourceError, match=r"set.zip: fer2013.csv is damaged"):
        read(archive, tmp_path / "ds")
