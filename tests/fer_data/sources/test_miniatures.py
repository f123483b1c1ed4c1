"""Laws that hold for every known data set, on a miniature of each."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_data.dataset import Dataset
from fer_data.emotions import order_class_names
from fer_data.errors import SettingsError
from fer_data.face_align import FaceSettings
from fer_data.ingest import IngestSettings, ingest, inspect_source
from fer_data.ingest_report import IngestReport
from fer_data.manifest import load_manifest, manifest_dir, manifest_names
from fer_data.sources.opening import SourceSettings, open_source
from tests.fer_data.test_ingest import tree_digest
from tests.miniatures import MINIATURES, Miniature, affectnet_old, expw, fer2013_csv, rafdb

Make = Callable[[Path], Miniature]
every_miniature = pytest.mark.parametrize("make", MINIATURES, ids=lambda make: make.__name__)


def read(miniature: Miniature, out: Path, workers: int = 1) -> tuple[Dataset, IngestReport]:
    settings = IngestSettings(source=SourceSettings(votes=miniature.votes))
    return ingest(miniature.raw, out, settings, workers=workers)


@every_miniature
def test_it_is_understood_without_being_named(make: Make, tmp_path: Path) -> None:
    miniature = make(tmp_path / "raw")
    before = tree_digest(tmp_path / "raw")
    dataset, report = read(miniature, tmp_path / "ds")
    assert report.sources[0].manifest == miniature.manifest
    found = {
        split: {name: count for name, count in counts.items() if count}
        for split, counts in report.classes.items()
    }
    assert found == miniature.counts
    assert dict(report.reasons) == miniature.reasons
    assert report.num_samples + report.num_rejected == report.num_files
    names = {name for counts in miniature.counts.values() for name in counts}
    expected = set(load_manifest(miniature.manifest).classes) | names
    assert dataset.class_names == order_class_names(expected)
    assert tree_digest(tmp_path / "raw") == before


@every_miniature
def test_its_subjects_are_kept(make: Make, tmp_path: Path) -> None:
    miniature = make(tmp_path / "raw")
    dataset, _ = read(miniature, tmp_path / "ds")
    attributes = [dict(each) for each in dataset.samples()["attributes"].to_pylist()]
    subjects = {each["subject"] for each in attributes if "subject" in each}
    assert subjects == miniature.subjects
    if subjects:
        assert all("subject" in each for each in attributes)


@every_miniature
def test_keys_are_unique_and_details_say_why(make: Make, tmp_path: Path) -> None:
    dataset, report = read(make(tmp_path / "raw"), tmp_path / "ds")
    keys = dataset.samples()["key"].to_pylist()
    assert len(set(keys)) == len(keys) == report.num_samples
    assert all(row["detail"] for row in dataset.rejected().to_pylist())


@every_miniature
def test_it_is_the_same_zipped_and_tarred(make: Make, tmp_path: Path) -> None:
    miniature = make(tmp_path / "raw")
    _, expected = read(miniature, tmp_path / "folder")
    is_folder = miniature.raw.is_dir()
    folder = miniature.raw if is_folder else miniature.raw.parent
    files = [p for p in folder.rglob("*") if p.is_file()] if is_folder else [miniature.raw]
    with zipfile.ZipFile(tmp_path / "raw.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        for path in files:
            opened.write(path, path.relative_to(folder))
    with tarfile.open(tmp_path / "raw.tar.gz", "w:gz") as opened_tar:
        for path in files:
            opened_tar.add(path, path.relative_to(folder))
    for archive in ("raw.zip", "raw.tar.gz"):
        settings = IngestSettings(source=SourceSettings(votes=miniature.votes))
        _, report = ingest(tmp_path / archive, tmp_path / f"{archive}-ds", settings, workers=1)
        assert report.sources[0].manifest == miniature.manifest
        assert report.classes == expected.classes
        assert report.reasons == expected.reasons


@every_miniature
def test_what_was_understood_is_said_before_it_starts(make: Make, tmp_path: Path) -> None:
    miniature = make(tmp_path / "raw")
    with open_source(miniature.raw, SourceSettings(votes=miniature.votes)) as source:
        remarks = source.describe()
    assert any(load_manifest(miniature.manifest).title in remark for remark in remarks)


def test_any_number_of_workers_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_data.ingest.BLOCK_FILES", 4)
    makes = {make.__name__: make for make in MINIATURES}
    for name in ("expw", "affectnet_2021"):
        miniature = makes[name](tmp_path / name)
        read(miniature, tmp_path / f"{name}1", workers=1)
        read(miniature, tmp_path / f"{name}2", workers=2)
        assert tree_digest(tmp_path / f"{name}1") == tree_digest(tmp_path / f"{name}2")


def test_every_shipped_manifest_has_a_miniature(tmp_path: Path) -> None:
    made = {make(tmp_path / make.__name__).manifest for make in MINIATURES}
    assert made == set(manifest_names())


@every_miniature
def test_a_users_own_copy_of_a_manifest_works_the_same(make: Make, tmp_path: Path) -> None:
    miniature = make(tmp_path / "raw")
    shipped = manifest_dir() / f"{miniature.manifest}.toml"
    own = tmp_path / "own.toml"
    own.write_text(shipped.read_text().replace('title = "', 'title = "My '))
    settings = SourceSettings(manifest=str(own), votes=miniature.votes)
    with open_source(miniature.raw, settings) as source:
        assert source.manifest_name == miniature.manifest
        assert any("My " in remark for remark in source.describe())


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (fer2013_csv, "holds pixels, not pictures"),
        (affectnet_old, "says where the faces are"),
        (expw, "says where the faces are"),
    ],
)
def test_no_faces_are_looked_for_where_that_would_not_be_done(
    make: Make, why: str, tmp_path: Path
) -> None:
    raw = make(tmp_path / "raw").raw
    with pytest.raises(SettingsError, match=f"{raw}: {why}.*; leave --align away"):
        ingest(raw, tmp_path / "ds", IngestSettings(faces=FaceSettings()), workers=1)
    with pytest.raises(SettingsError, match="leave --align away"):
        inspect_source(raw, IngestSettings(faces=FaceSettings()))
    assert not (tmp_path / "ds").exists()
    inspect_source(rafdb(tmp_path / "photos").raw, IngestSettings(faces=FaceSettings()))
