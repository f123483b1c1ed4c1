"""Traps of FER2013 and FER+: votes are joined by row, and counted by FER+'s own rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fer_data.dataset import Dataset
from fer_data.errors import SettingsError, SourceError
from fer_data.ingest import IngestSettings, ingest
from fer_data.manifest import load_manifest
from fer_data.pack import pack
from fer_data.pack_settings import PackSettings
from fer_data.shards.reader import read_split
from fer_data.sources.opening import SourceSettings
from fer_data.sources.raw import Facts, Rejection
from fer_data.sources.votes import Votes
from fer_data.split import SplitSettings, split_samples
from tests import miniatures
from tests.fer_data.sources.understanding import known, labels, read
from tests.miniatures import FERPLUS_NAMES, majority

_COLUMNS = (*FERPLUS_NAMES, "unknown", "NF")


def test_ferplus_joins_by_row_order_and_not_by_name(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path)
    facts = known(mini.raw, SourceSettings(votes=mini.votes))
    by_row = {int(path[-11:-4]): first for path, (first, *_) in facts.items()}
    # the name in row 4 is fer0000003.png; by name, picture 3 would have its votes
    assert isinstance(by_row[4], Facts)
    assert by_row[4].label == FERPLUS_NAMES[4]
    assert isinstance(by_row[3], Rejection)
    for row in range(28):
        if row not in (3, 5, 20):
            sample = by_row[row]
            assert isinstance(sample, Facts)
            assert sample.label == FERPLUS_NAMES[row % 8]


def test_ferplus_blank_names_are_not_faces(tmp_path: Path) -> None:
    votes = Votes(
        classes=dict.fromkeys(FERPLUS_NAMES, 0.0) | {"fear": 10.0},
        unknown=0,
        no_face=0,
        is_removed=True,
    )
    facts = votes.facts("x", Facts(label="fear"))
    assert isinstance(facts, Rejection)
    assert facts.reason == "not-a-face"


def test_ferplus_votes_stand_in_the_data_set_and_their_order_is_ferkits(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path)
    settings = IngestSettings(source=SourceSettings(votes=mini.votes))
    dataset, report = ingest(mini.raw, tmp_path / "ds", settings, workers=1)
    assert report.sources[0].manifest == "ferplus"
    assert dataset.class_names == (
        "anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt",
    )  # fmt: skip
    for row in dataset.samples().to_pylist():
        votes = dict(row["votes"])
        assert max(votes, key=lambda name: votes[name]) == row["label"]
        assert set(votes) == set(FERPLUS_NAMES)
        attributes = dict(row["attributes"])
        assert attributes["votes_unknown"] == "1"
        assert attributes["votes_nf"] == "0"
        assert attributes["fer2013_label"]


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([4, 0, 0, 1, 3, 2, 0, 0, 0, 0], "no-majority"),  # 4 of the 9 that are left
        ([6, 0, 1, 1, 0, 0, 0, 0, 2, 0], "neutral"),  # single votes count for nothing
        ([5, 0, 0, 3, 1, 0, 0, 0, 1, 0], "neutral"),
        ([5, 0, 0, 5, 0, 0, 0, 0, 0, 0], "no-majority"),
        ([1, 0, 0, 0, 0, 0, 0, 0, 9, 0], "no-majority"),  # cannot be told
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], "not-a-face"),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "no-majority"),
        ([0, 0, 0, 0, 0, 0, 0, 2, 1, 1], "contempt"),
    ],
)
def test_the_majority_is_that_of_ferpluss_rule(votes: list[int], expected: str) -> None:
    classes = dict(zip(FERPLUS_NAMES, map(float, votes), strict=False))
    facts = Votes(classes=classes, unknown=votes[8], no_face=votes[9]).facts("x", Facts(label=""))
    assert (facts.label if isinstance(facts, Facts) else facts.reason) == expected


def test_votes_for_csv_rows_and_for_pictures_agree(tmp_path: Path) -> None:
    csv = miniatures.fer2013_csv(tmp_path / "raw").raw
    usages = ["Training"] * 7 + ["PublicTest"] * 7 + ["PrivateTest"] * 7
    rows = [[usages[row], "x.png", *majority(FERPLUS_NAMES[row % 8])] for row in range(21)]
    text = "\r\n".join(",".join(map(str, row)) for row in [miniatures.VOTES_HEADER, *rows])
    (tmp_path / "votes.csv").write_text("\ufeff" + text, encoding="utf-8", newline="")
    found = labels(csv, SourceSettings(votes=tmp_path / "votes.csv"))
    assert list(found.values()) == [FERPLUS_NAMES[row % 8] for row in range(21)]
    assert read(csv, tmp_path / "ds", SourceSettings(votes=tmp_path / "votes.csv")).reasons == {}


def test_votes_in_another_order_are_refused(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path)
    assert mini.votes is not None
    header, *rows = mini.votes.read_text().splitlines()
    mini.votes.write_text("\n".join([header, *rows[::-1]]))
    with pytest.raises(SourceError, match="row 14 is of train, but .* is of validation"):
        known(mini.raw, SourceSettings(votes=mini.votes))


def test_pictures_beyond_the_votes_are_said(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path)
    assert mini.votes is not None
    mini.votes.write_text("\n".join(mini.votes.read_text().splitlines()[:26]))
    found = list(labels(mini.raw, SourceSettings(votes=mini.votes)).values())
    assert found.count("no-votes") == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Usage,Image name\nTraining,x\n", "has no column neutral"),
        (",".join(miniatures.VOTES_HEADER) + "\nTraining,x,4,x,0,0,0,0,0,0,0,0\n", "row 1"),
        (",".join(miniatures.VOTES_HEADER) + "\nTraining,x,4\n", "row 1"),
        (",".join(miniatures.VOTES_HEADER) + "\nTraining,x,nan,0,0,0,0,0,0,0,0,0\n", "row 1"),
    ],
)
def test_a_wrong_file_of_votes_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    raw = miniatures.fer2013_folders(tmp_path / "raw").raw
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(SourceError, match=r"votes.csv") as caught:
        known(raw, SourceSettings(votes=tmp_path / "votes.csv"))
    assert message in str(caught.value)


def test_votes_need_pictures_that_say_their_row(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path / "a")
    copy = miniatures.fer2013_copy(tmp_path / "b")
    with pytest.raises(SourceError, match="joined by the row of fer2013.csv"):
        known(copy.raw, SourceSettings(votes=mini.votes))
    other = miniatures.ck48(tmp_path / "c")
    with pytest.raises(SourceError, match="votes are known for fer2013, and this source is ck48"):
        known(other.raw, SourceSettings(votes=mini.votes))


def _samples(raw: Path, out: Path, source: SourceSettings) -> tuple[Dataset, dict[str, Any]]:
    """The data set, and path → the row of each sample."""
    dataset, _ = ingest(raw, out, IngestSettings(source=source), workers=1)
    return dataset, {row["path"]: row for row in dataset.samples().to_pylist()}


def test_kept_labels_are_those_of_the_source_beside_the_votes_of_the_majority(
    tmp_path: Path,
) -> None:
    mini = miniatures.ferplus_votes(tmp_path)
    without, plain = _samples(mini.raw, tmp_path / "plain", SourceSettings())
    _, major = _samples(mini.raw, tmp_path / "major", SourceSettings(votes=mini.votes))
    both = SourceSettings(votes=mini.votes, keep_labels=True)
    dataset, kept = _samples(mini.raw, tmp_path / "kept", both)
    assert dataset.info.sources[0].manifest == "fer2013"
    assert dataset.class_names == without.class_names
    assert len(major) < len(plain)
    for name in ("key", "label", "split", "pixel_sha256"):
        assert {path: row[name] for path, row in kept.items()} == {
            path: row[name] for path, row in plain.items()
        }
    for path, row in major.items():
        assert kept[path]["votes"] == row["votes"]
        assert kept[path]["label"] == dict(row["attributes"])["fer2013_label"]


def test_votes_for_other_classes_than_the_sets_are_not_packed(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path)
    assert mini.votes is not None
    lines = mini.votes.read_text().splitlines()[:27]  # of 28 rows: two have no votes
    lines[8] = "Training,x.png," + ",".join("10" if n == "contempt" else "0" for n in _COLUMNS)
    mini.votes.write_text("\n".join(lines))
    source = SourceSettings(votes=mini.votes, keep_labels=True)
    dataset, samples = _samples(mini.raw, tmp_path / "ds", source)
    dataset, _ = split_samples(dataset, SplitSettings(group_by=()))
    _, report = pack(dataset, tmp_path / "shards", PackSettings(), workers=1)
    by_key = {row["key"]: dict(row["votes"] or {}) for row in samples.values()}
    zeros = set()
    for split in ("train", "validation"):
        packed = read_split(tmp_path / "shards", report.index, split)
        assert packed.votes is not None
        for key, votes in zip(packed.keys.tolist(), packed.votes.tolist(), strict=True):
            assert votes == [by_key[key].get(name, 0) for name in dataset.class_names]
            if not any(votes):
                zeros.add(int(key[-11:-4]))
    # not a face, contempt alone, behind the last row of votes
    assert zeros == {3, 7, 26, 27}
    assert set(dataset.class_names) == set(load_manifest("fer2013").classes)


def test_labels_can_only_be_kept_beside_votes() -> None:
    with pytest.raises(SettingsError, match=r"keep_labels .* name their file with --votes"):
        SourceSettings(keep_labels=True)
