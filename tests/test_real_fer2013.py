"""The whole of FER2013: counts as published, in every form it is handed around in."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from fer_data.dataset import Dataset
from fer_data.ingest import IngestSettings, ingest
from fer_data.manifest import load_manifest
from fer_data.pipeline import Runner
from fer_data.split import SplitSettings

pytestmark = [pytest.mark.realdata, pytest.mark.xdist_group("realdata")]
CODES = list(load_manifest("fer2013").classes)
USAGES = {"train": "Training", "validation": "PublicTest"}


def check_counts(dataset: Dataset) -> None:
    manifest = load_manifest("fer2013")
    counts = dataset.stage("ingest").counts
    assert (counts["files"], counts["samples"], counts["rejected"]) == (32_298, 32_298, 0)
    assert counts["classes"]["train"] == dict(manifest.counts["train"])
    assert counts["classes"]["validation"] == dict(manifest.counts["validation"])
    assert [sum(c.values()) for c in counts["classes"].values()] == [28_709, 3_589]


@pytest.fixture(scope="module")
def from_zip(real_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    archive = tmp_path_factory.mktemp("zip") / "FER2013.zip"
    archive.symlink_to((real_data_dir / "fer2013.zip").resolve())
    return ingest(archive, archive.parent / "dataset", IngestSettings())[0]


def test_the_archive_has_the_published_counts(from_zip: Dataset) -> None:
    check_counts(from_zip)


def test_the_unpacked_folder_gives_the_same_samples(
    from_zip: Dataset, real_data_dir: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(real_data_dir / "fer2013.zip") as archive:
        archive.extractall(tmp_path / "FER2013")
    dataset, _ = ingest(tmp_path / "FER2013", tmp_path / "dataset", IngestSettings())
    check_counts(dataset)
    assert dataset.samples().equals(from_zip.samples())


def test_the_csv_gives_the_same_pixels(from_zip: Dataset, tmp_path: Path) -> None:
    rows = from_zip.samples().to_pylist()
    rows.sort(key=lambda row: row["path"].rsplit("/", 1)[1])  # the number is the row of the CSV
    pixels = [from_zip.pixels(block) for block in range(from_zip.num_blocks)]
    csv = tmp_path / "fer2013.csv"
    with csv.open("w") as file:
        file.write("emotion,pixels,Usage\n")
        for row in rows:
            levels = " ".join(map(str, pixels[row["block"]][row["row"]].ravel()))
            file.write(f"{CODES.index(row['label'])},{levels},{USAGES[row['split']]}\n")
    dataset, _ = ingest(csv, tmp_path / "dataset", IngestSettings())
    check_counts(dataset)
    same = dataset.samples(["pixel_sha256"])["pixel_sha256"].to_pylist()
    assert same == [row["pixel_sha256"] for row in rows]


def test_leaks_of_the_official_splits_are_counted_and_filtered(from_zip: Dataset) -> None:
    dataset, report = Runner().split(from_zip, SplitSettings())
    # 280 of the 3,589 PublicTest pictures are pixel for pixel those of a Training picture
    assert report.leaked["validation"] == 280
    assert report.num_official == 32_298
    dataset, filtered = Runner().filter(dataset)
    assert filtered.num_dropped < 0.06 * 32_298
    assert max(d / n for n, d in filtered.classes.values()) < 0.20
    dataset, report = Runner().split(dataset, SplitSettings())
    assert report.leaks == 0
    assert sum(report.classes["validation"].values()) == 3_589


def test_a_split_of_one_s_own_keeps_near_pictures_together_and_the_ratios(
    from_zip: Dataset,
) -> None:
    dataset, report = Runner().split(from_zip, SplitSettings(keep_official=False))
    placed = dataset.table("split")
    families = dataset.table("duplicates", ["key", "group"]).join(placed, "key")
    held = families.group_by("group").aggregate([("split", "count_distinct")])
    assert len(held) > 2_000
    assert set(held["split_count_distinct"].to_pylist()) == {1}
    assert (report.leaks, report.off_ratio) == (0, ())
    for part, shares in report.wanted.items():
        for name, wanted in shares.items():
            assert report.reached[part][name] == pytest.approx(wanted, abs=0.002)


def test_folds_of_training_leave_no_family_in_two(from_zip: Dataset) -> None:
    dataset, report = Runner().split(from_zip, SplitSettings(folds=10))
    families = dataset.table("duplicates", ["key", "group"]).join(dataset.table("split"), "key")
    held = families.group_by("group").aggregate([("fold", "count_distinct")])
    assert set(held["fold_count_distinct"].to_pylist()) == {1}
    assert [sum(counts.values()) for counts in report.folds.values()] == pytest.approx(
        [3_229.8] * 10, abs=20
    )
