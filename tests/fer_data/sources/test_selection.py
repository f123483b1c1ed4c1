"""Which files and classes of a source are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_data.errors import SettingsError, SourceError, UnknownNameError
from fer_data.ingest import IngestSettings, ingest
from fer_data.ingest_report import IngestReport
from fer_data.sources.opening import SourceSettings, open_source
from tests import miniatures
from tests.conftest import face_pixels
from tests.fer_data.test_ingest import tree_digest

MakeFolders = Callable[..., Path]


def read(raw: Path, out: Path, source: SourceSettings, workers: int = 1) -> IngestReport:
    return ingest(raw, out, IngestSettings(source=source), workers=workers)[1]


def test_a_dropped_class_is_counted_and_gone_from_the_list(tmp_path: Path) -> None:
    mini = miniatures.affectnet_2021(tmp_path / "raw")
    settings = IngestSettings(source=SourceSettings(class_map={"contempt": "drop"}))
    dataset, report = ingest(mini.raw, tmp_path / "ds", settings, workers=1)
    assert report.reasons["dropped-class"] == 2
    assert "contempt" not in dataset.class_names
    assert len(dataset.class_names) == 7


def test_classes_are_mapped_by_any_of_their_names(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    raw = class_folders({"joy": 2, "sad": 3, "tired": 4, "bored": 1})
    mapped = {"Tired": "low", "BORED": "low", "sadness": "negative"}
    report = read(raw, tmp_path / "ds", SourceSettings(class_map=mapped))
    assert report.classes == {"": {"happiness": 2, "low": 5, "negative": 3}}


def test_one_mapping_serves_two_sets(class_folders: MakeFolders, tmp_path: Path) -> None:
    ck48 = miniatures.ck48(tmp_path / "a").raw
    plain = class_folders({"happy": 2, "sad": 2})
    settings = SourceSettings(class_map={"contempt": "drop", "disgust": "anger"})
    read(ck48, tmp_path / "ds", settings)
    report = read(plain, tmp_path / "ds", settings)
    assert report.classes[""] == {
        "anger": 6, "fear": 3, "happiness": 5, "sadness": 5, "surprise": 3,
    }  # fmt: skip
    assert report.reasons == {"dropped-class": 3}


def test_votes_follow_the_mapping(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path)
    mapped = {"contempt": "drop", "disgust": "anger"}
    settings = IngestSettings(source=SourceSettings(votes=mini.votes, class_map=mapped))
    dataset, _ = ingest(mini.raw, tmp_path / "ds", settings, workers=1)
    for row in dataset.samples().to_pylist():
        assert set(dict(row["votes"])) == set(dataset.class_names)
    disgust = [row for row in dataset.samples().to_pylist() if dict(row["votes"])["anger"] == 8]
    assert {row["label"] for row in disgust} == {"anger"}


@pytest.mark.parametrize(
    ("mapped", "nearest"),
    [
        ({"conempt": "drop"}, "contempt"),
        ({"joyful": "drop"}, "happiness"),
        ({"anger": "disgst"}, "disgust"),
        ({"anger": "dropp"}, "drop"),
    ],
)
def test_an_unknown_class_gets_the_nearest_name_suggested(
    tmp_path: Path, mapped: dict[str, str], nearest: str
) -> None:
    raw = miniatures.ck48(tmp_path / "raw").raw
    with pytest.raises(UnknownNameError, match=f'Did you mean "{nearest}"'):
        read(raw, tmp_path / "ds", SourceSettings(class_map=mapped))


def test_a_class_is_mapped_once(tmp_path: Path) -> None:
    raw = miniatures.ck48(tmp_path / "raw").raw
    with pytest.raises(SettingsError, match='names "happiness" twice'):
        read(raw, tmp_path / "ds", SourceSettings(class_map={"joy": "drop", "happy": "fear"}))


def test_globs_choose_files_and_the_others_are_counted(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    raw = class_folders({"a/happy": 3, "a/sad": 2, "b/happy": 4})
    settings = SourceSettings(include=("a/*", "b/*/0000.png"), exclude=("*/sad/0001.png",))
    report = read(raw, tmp_path / "ds", settings)
    assert report.num_files == 9
    assert report.reasons == {"excluded": 4}
    assert report.classes == {"": {"happiness": 4, "sadness": 1}}


def test_excluded_files_do_not_hide_the_layout(tmp_path: Path) -> None:
    mini = miniatures.ck48(tmp_path / "raw")
    for number in range(30):
        miniatures.save(mini.raw / "extra" / f"{number}.png", face_pixels(number))
    report = read(mini.raw, tmp_path / "ds", SourceSettings(exclude=("extra/*",)))
    assert report.sources[0].manifest == "ck48"
    assert report.reasons == {"excluded": 30}


def test_globs_that_leave_no_picture_are_refused(class_folders: MakeFolders) -> None:
    raw = class_folders({"happy": 3})
    settings = SourceSettings(include=("sad/*",))
    with (
        pytest.raises(SourceError, match="no picture files that are asked for"),
        open_source(raw, settings),
    ):
        pass


def test_a_limit_reads_the_first_files(class_folders: MakeFolders, tmp_path: Path) -> None:
    raw = class_folders({"happy": 5, "sad": 5})
    report = read(raw, tmp_path / "ds", SourceSettings(limit=7))
    assert report.classes == {"": {"happiness": 5, "sadness": 2}}
    assert report.reasons == {"over-limit": 3}


def test_a_limit_that_is_raised_reads_the_rest(class_folders: MakeFolders, tmp_path: Path) -> None:
    raw = class_folders({"happy": 5, "sad": 5})
    read(raw, tmp_path / "ds", SourceSettings(limit=7))
    report = read(raw, tmp_path / "ds", SourceSettings())
    assert report.num_samples == 10
    whole = read(raw, tmp_path / "whole", SourceSettings())
    assert report.classes == whole.classes


@pytest.mark.parametrize("make", [miniatures.fer2013_csv, miniatures.fer2013_folders])
def test_csv_rows_are_chosen_like_files(
    tmp_path: Path, make: Callable[[Path], miniatures.Miniature]
) -> None:
    raw = make(tmp_path / "raw").raw
    settings = SourceSettings(
        class_map={"neutral": "drop", "disgust": "anger"}, max_per_class=2, limit=9
    )
    report = read(raw, tmp_path / "ds", settings)
    counts = Counter[str]()
    for each in report.classes.values():
        counts.update(each)
    assert max(counts.values()) <= 2
    assert "neutral" not in counts
    assert report.num_samples == 9
    assert report.num_samples + report.num_rejected == report.num_files
    assert set(report.reasons) == {"dropped-class", "over-limit"}


def test_at_most_so_many_of_a_class_spread_over_splits(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    raw = class_folders({"train/happy": 40, "test/happy": 40, "train/sad": 3})
    report = read(raw, tmp_path / "ds", SourceSettings(max_per_class=20))
    assert sum(counts.get("happiness", 0) for counts in report.classes.values()) == 20
    assert sum(counts.get("sadness", 0) for counts in report.classes.values()) == 3
    assert min(report.classes["train"]["happiness"], report.classes["test"]["happiness"]) >= 4
    assert report.reasons == {"over-limit": 60}


def test_what_is_chosen_does_not_depend_on_workers(
    class_folders: MakeFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_data.ingest.BLOCK_FILES", 8)
    raw = class_folders({"happy": 20, "sad": 20, "fear": 9})
    settings = SourceSettings(
        class_map={"fear": "drop"}, max_per_class=10, limit=15, exclude=("*7.png",)
    )
    for workers in (1, 2):
        read(raw, tmp_path / f"ds{workers}", settings, workers)
    assert tree_digest(tmp_path / "ds1") == tree_digest(tmp_path / "ds2")


def test_what_is_chosen_of_a_class_does_not_depend_on_other_files(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    settings = IngestSettings(source=SourceSettings(max_per_class=5, name="raw"))
    small = class_folders({"happy": 20}, "small")
    large = class_folders({"happy": 20, "sad": 30}, "large")
    first, _ = ingest(small, tmp_path / "a", settings, workers=1)
    second, _ = ingest(large, tmp_path / "b", settings, workers=1)
    chosen = set(first.samples()["key"].to_pylist())
    assert chosen <= set(second.samples()["key"].to_pylist())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"limit": 0}, "limit must be at least 1"),
        ({"max_per_class": -1}, "max_per_class must be at least 1"),
        ({"label_column": "x"}, "--labels"),
        ({"labels": Path("a"), "votes": Path("b")}, "name one of them"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SourceSettings(**fields)  # type: ignore[arg-type]
