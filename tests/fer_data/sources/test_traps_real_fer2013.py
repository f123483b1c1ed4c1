"""Traps of FER2013 and FER+, counted on the real files."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from fer_data.dataset import Dataset
from fer_data.ingest import IngestSettings, ingest
from fer_data.quality import measure_quality
from fer_data.sources.opening import SourceSettings
from tests.miniatures import VOTES_HEADER

VOTES = VOTES_HEADER[2:]
pytestmark = [pytest.mark.realdata, pytest.mark.xdist_group("realdata")]


@pytest.fixture(scope="module")
def ferplus(real_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    settings = IngestSettings(source=SourceSettings(votes=real_data_dir / "fer2013new.csv"))
    return ingest(real_data_dir / "fer2013.zip", tmp_path_factory.mktemp("ds"), settings)[0]


def read_votes(real_data_dir: Path) -> list[dict[str, str]]:
    """The rows of FER+'s file, each column by its name."""
    with (real_data_dir / "fer2013new.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def row_of(path: str) -> int:
    """The row of fer2013.csv that a picture's name says: fer0000012.png."""
    return int(Path(path).stem.removeprefix("fer"))


def test_pictures_that_ferplus_took_out_are_no_samples(
    ferplus: Dataset, real_data_dir: Path
) -> None:
    votes = read_votes(real_data_dir)
    blank = {row for row, cells in enumerate(votes) if not cells["Image name"]}
    assert len(blank) == 158  # of the 173 of the whole set: PrivateTest has the others
    reasons = {row_of(row["path"]): row["reason"] for row in ferplus.rejected().to_pylist()}
    assert {reasons[row] for row in blank} == {"not-a-face"}
    assert Counter(reasons.values())["not-a-face"] == 160  # of 176 likewise


def test_fer2013_and_ferplus_agree_on_two_thirds_of_the_pictures(ferplus: Dataset) -> None:
    agree: dict[str, list[bool]] = defaultdict(list)
    for row in ferplus.samples(["label", "attributes"]).to_pylist():
        before = dict(row["attributes"])["fer2013_label"]
        agree[before].append(before == row["label"])
    flat = [each for votes in agree.values() for each in votes]
    assert sum(flat) / len(flat) == pytest.approx(0.668, abs=0.02)
    for name, share in (("fear", 0.13), ("disgust", 0.33), ("sadness", 0.42)):
        assert sum(agree[name]) / len(agree[name]) == pytest.approx(share, abs=0.04)


def test_some_pictures_stand_in_it_more_than_once_and_under_different_labels(
    ferplus: Dataset,
) -> None:
    # of the whole set 1,853 are redundant, and 57 groups disagree; here is most of it
    labels: dict[bytes, set[str]] = defaultdict(set)
    table = ferplus.samples(["pixel_sha256", "attributes"]).to_pylist()
    for row in table:
        labels[row["pixel_sha256"]].add(dict(row["attributes"])["fer2013_label"])
    assert 0.03 < 1 - len(labels) / len(table) < 0.06
    assert 20 < sum(len(names) > 1 for names in labels.values()) <= 57


@pytest.mark.slow
def test_what_shows_next_to_nothing_is_not_a_face_to_ferplus(
    real_data_dir: Path, tmp_path: Path
) -> None:
    dataset, _ = ingest(real_data_dir / "fer2013.zip", tmp_path / "ds", IngestSettings())
    scores = measure_quality(dataset).table("quality")
    rows = read_votes(real_data_dir)
    is_no_face = [2 * int(row["NF"]) >= sum(int(row[name]) for name in VOTES) for row in rows]
    no_face = np.array([is_no_face[row_of(key)] for key in scores["key"].to_pylist()])
    counts = {}
    for name, threshold in (("flat_share", 0.50), ("flat_share", 0.40), ("relfcs", 0.80)):
        beyond = np.array(scores[name]) > threshold
        counts[name, threshold] = (int(beyond.sum()), int(no_face[beyond].sum()))
    assert counts == {
        ("flat_share", 0.50): (36, 36),
        ("flat_share", 0.40): (65, 45),
        ("relfcs", 0.80): (44, 42),
    }
