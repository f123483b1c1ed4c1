"""Laws of the filter: what it may drop, what it must not, and how it is undone."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fer_data.dataset import Dataset
from fer_data.errors import FilterLossError, SettingsError, UnknownNameError
from fer_data.filter import beyond, score_values
from fer_data.filter_evidence import threshold_curve, threshold_sheet
from fer_data.filter_settings import BLANK, PRESETS, FilterSettings, Rule, find_preset
from fer_data.ingest import IngestSettings, ingest
from fer_data.pack import PackSettings
from fer_data.pipeline import Runner
from fer_data.verdicts import read_decisions
from tests.conftest import face_pixels, png_bytes

RUNNER = Runner(workers=1)
DROP_TWINS = FilterSettings(
    conflicts="drop", leaks="drop-train", duplicates="keep-one", max_loss=1.0
)


def make_dataset(folder: Path, pictures: dict[str, NDArray[np.uint8]]) -> Dataset:
    for path, pixels in pictures.items():
        file = folder / "raw" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png_bytes(pixels))
    return ingest(folder / "raw", folder / "ds", IngestSettings(), workers=1)[0]


def faces(folder: str, seeds: range) -> dict[str, NDArray[np.uint8]]:
    return {f"{folder}/{seed:04d}.png": face_pixels(seed) for seed in seeds}


def why(dataset: Dataset) -> dict[str, tuple[bool, str]]:
    """Path in the source → (kept, reason), of those that have a reason."""
    rows = dataset.table("filter").to_pylist()
    return {r["key"].split("/", 1)[1]: (r["keep"], r["reason"]) for r in rows if r["reason"]}


@pytest.fixture
def mixed(tmp_path: Path) -> Dataset:
    """Faces, twins of every kind and a blank picture, in train and test."""
    pictures = faces("train/happy", range(12)) | faces("train/sad", range(20, 30))
    pictures |= faces("test/happy", range(40, 44)) | faces("test/sad", range(50, 53))
    return make_dataset(
        tmp_path,
        pictures
        | {
            "train/happy/twin.png": face_pixels(0),
            "train/sad/conflict.png": face_pixels(1),
            "train/happy/conflict-2.png": face_pixels(1),
            "train/happy/leak.png": face_pixels(40),
            "test/sad/blank.png": np.zeros((48, 48), np.uint8),
            "train/sad/blank.png": np.full((48, 48), 7, np.uint8),
        },
    )


def test_kept_and_dropped_make_all(mixed: Dataset) -> None:
    settings = dataclasses.replace(DROP_TWINS, rules=(BLANK,))
    dataset, report = RUNNER.filter(mixed, settings)
    table = dataset.table("filter")
    assert table["key"].to_pylist() == dataset.samples(["key"])["key"].to_pylist()
    assert sum(table["keep"].to_pylist()) + report.num_dropped == report.num_samples
    assert sum(report.reasons.values()) == report.num_dropped
    assert len(dataset.kept_samples(["key"])) == report.num_samples - report.num_dropped


def test_twice_is_once(mixed: Dataset) -> None:
    first, _ = RUNNER.filter(mixed, DROP_TWINS)
    again, _ = RUNNER.filter(first, DROP_TWINS)
    assert first.table("filter").equals(again.table("filter"))
    assert first.fingerprint("filter") == again.fingerprint("filter")


def test_undone_gives_the_shards_of_before(mixed: Dataset, tmp_path: Path) -> None:
    def shards(name: str, dataset: Dataset) -> dict[str, bytes]:
        RUNNER.pack(dataset, tmp_path / name, PackSettings())
        return {p.name: p.read_bytes() for p in (tmp_path / name).glob("*.npz")}

    before = shards("before", mixed)
    dataset, report = RUNNER.filter(Dataset.open(mixed.dir), DROP_TWINS)
    assert report.num_dropped
    assert shards("filtered", dataset) != before
    assert shards("after", Dataset.open(mixed.dir).withdraw("filter")) == before


def test_neither_the_order_of_files_nor_workers_matter(tmp_path: Path) -> None:
    pictures = (
        faces("happy", range(9)) | {"sad/a.png": face_pixels(3)} | faces("sad", range(30, 36))
    )
    tables = []
    for number, names in enumerate((sorted(pictures), sorted(pictures, reverse=True))):
        dataset = make_dataset(tmp_path / str(number), {name: pictures[name] for name in names})
        dataset, _ = Runner(workers=1 + number).filter(dataset, DROP_TWINS)
        tables.append(dataset.table("filter"))
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("max_loss", [0.2, 1.0])
def test_no_class_is_left_empty(tmp_path: Path, max_loss: float) -> None:
    dataset = make_dataset(tmp_path, faces("happy", range(6)) | faces("sad", range(10, 13)))
    everything = FilterSettings(rules=(Rule("entropy", "below", 8.0),), max_loss=max_loss)
    with pytest.raises(FilterLossError, match=r"class \w+ would be left without any sample"):
        RUNNER.filter(dataset, everything)
    assert "filter" not in Dataset.open(dataset.dir).info.stages


@pytest.mark.parametrize("side", ["above", "below"])
def test_a_quantile_drops_its_share_and_no_more(side: str) -> None:
    values = np.random.default_rng(0).permutation(np.arange(200.0))
    rows = beyond(values, Rule("sharpness", side, 0.07, is_quantile=True))
    expected = range(186, 200) if side == "above" else range(14)
    assert sorted(values[rows]) == list(expected)


def test_equal_scores_are_dropped_together_or_not_at_all() -> None:
    values = np.array([1.0, 1.0, 1.0, 0.5, 0.2])
    assert beyond(values, Rule("flat_share", "above", 0.4, is_quantile=True)).tolist() == []
    assert beyond(values, Rule("flat_share", "above", 0.6, is_quantile=True)).tolist() == [0, 1, 2]
    assert len(beyond(values, Rule("flat_share", "above", 1.0, is_quantile=True))) == 5


def test_a_sample_at_the_threshold_stays_and_one_without_a_score_too() -> None:
    values = np.array([0.5, 0.51, np.nan, 0.49])
    assert beyond(values, Rule("flat_share", "above", 0.5)).tolist() == [1]
    assert beyond(values, Rule("flat_share", "below", 0.5)).tolist() == [3]


def test_the_majority_of_a_group_keeps_its_label(tmp_path: Path) -> None:
    pictures = faces("happy", range(10, 16)) | faces("sad", range(30, 36))
    for name in ("happy/a.png", "happy/b.png", "sad/c.png"):
        pictures[name] = face_pixels(1)
    for name in ("happy/d.png", "sad/e.png"):
        pictures[name] = face_pixels(2)
    settings = FilterSettings(conflicts="majority", max_loss=1.0)
    dataset, _ = RUNNER.filter(make_dataset(tmp_path, pictures), settings)
    assert why(dataset) == {
        "sad/c.png": (False, "conflict"),
        "happy/d.png": (False, "conflict"),  # one against one: nobody is right
        "sad/e.png": (False, "conflict"),
    }


def test_official_tests_are_flagged_and_dropped_only_where_it_is_asked(mixed: Dataset) -> None:
    settings = FilterSettings(rules=(BLANK,), max_loss=1.0)
    flagged, report = RUNNER.filter(mixed, settings)
    assert why(flagged) == {
        "test/sad/blank.png": (True, "blank"),
        "train/sad/blank.png": (False, "blank"),
    }
    assert report.flagged == {"blank": 1}
    dropped, _ = RUNNER.filter(mixed, dataclasses.replace(settings, official="drop"))
    assert not any(kept for kept, _ in why(dropped).values())
    named = dataclasses.replace(settings, drop=("test/sad/0050.png",))
    single, _ = RUNNER.filter(mixed, named)
    assert why(single)["test/sad/0050.png"] == (False, "decision")
    assert why(single)["test/sad/blank.png"] == (True, "blank")


def test_a_person_has_the_last_word(mixed: Dataset, tmp_path: Path) -> None:
    source = mixed.info.sources[0].name
    (tmp_path / "mine.csv").write_text(
        "key,action,label\n"
        f"{source}/train/sad/blank.png,keep,\n"
        "train/happy/twin.png,keep,\n"
        "train/happy/0007.png,drop,\n"
        "train/sad/0020.png,relabel,Joy\n"
    )
    single = read_decisions(tmp_path / "mine.csv")
    settings = dataclasses.replace(
        DROP_TWINS, rules=(BLANK,), keep=single.keep, drop=single.drop, relabel=single.relabel
    )
    dataset, report = RUNNER.filter(mixed, settings)
    reasons = why(dataset)
    assert "train/sad/blank.png" not in reasons
    assert reasons["train/happy/0007.png"] == (False, "decision")
    # of two twins the one that is to be kept stays
    assert "train/happy/twin.png" not in reasons
    assert reasons["train/happy/0000.png"] == (False, "duplicate")
    assert report.num_relabelled == 1
    kept = {r["path"]: r["label"] for r in dataset.kept_samples(["path", "label"]).to_pylist()}
    assert kept["train/sad/0020.png"] == "happiness"


def test_a_new_label_reaches_the_shards(mixed: Dataset, tmp_path: Path) -> None:
    settings = FilterSettings(relabel={"test/sad/0050.png": "happy"}, max_loss=1.0)
    dataset, _ = RUNNER.filter(mixed, settings)
    RUNNER.pack(dataset, tmp_path / "shards", PackSettings())
    index = json.loads((tmp_path / "shards" / "index.json").read_text())
    (shard,) = (tmp_path / "shards").glob("test-*.npz")
    with np.load(shard) as arrays:
        labels = dict(zip(arrays["keys"].tolist(), arrays["labels"].tolist(), strict=True))
    place = labels[f"{dataset.info.sources[0].name}/test/sad/0050.png"]
    assert index["class_names"][place] == "happiness"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,action\na,keep\n", "columns are name, action; expected key or path"),
        ("", "columns are missing"),
        ("key,action\na,remove\n", 'line 2: action is "remove"; expected keep, drop, relabel'),
        ("path,action,label\na,relabel,\n", "line 2: relabel needs a class"),
    ],
)
def test_a_wrong_list_of_decisions_says_what_is_expected(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_decisions(tmp_path / "d.csv")


def test_a_decision_on_nothing_is_an_error(mixed: Dataset) -> None:
    with pytest.raises(SettingsError, match='no sample has the key or path "nowhere.png"'):
        RUNNER.filter(mixed, FilterSettings(drop=("nowhere.png",)))
    with pytest.raises(UnknownNameError, match='unknown class "joyfull"'):
        RUNNER.filter(mixed, FilterSettings(relabel={"train/happy/0001.png": "joyfull"}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("entropi", "below", 4.5), 'unknown score "entropi".*Did you mean "entropy"'),
        (("entropy", "under", 4.5), 'side must be above or below; received "under"'),
        (("entropy", "below", 9.0), "threshold of entropy must be 0 to 8; received 9"),
        (("entropy", "below", 9.0, True), "threshold of entropy as a share must be 0 to 1"),
    ],
)
def test_a_wrong_rule_says_what_is_right(arguments: tuple[str, str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Rule(*arguments)


@pytest.mark.parametrize("settings", [each.settings for each in PRESETS.values()])
def test_settings_survive_json(settings: FilterSettings) -> None:
    settings = dataclasses.replace(settings, keep=("a",), relabel={"b": "happy"})
    assert FilterSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(UnknownNameError, match='unknown preset "fer2012"'):
        find_preset("fer2012")


def test_the_curve_grows_and_holds_the_threshold(mixed: Dataset) -> None:
    dataset = RUNNER.measure(mixed)
    for rule in (Rule("entropy", "below", 7.0), Rule("flat_share", "above", 0.05), BLANK):
        points = threshold_curve(dataset, rule)
        numbers = [point.num_beyond for point in points]
        assert numbers == sorted(numbers)
        (chosen,) = [point for point in points if point.is_chosen]
        assert chosen.threshold == rule.threshold
        assert chosen.num_beyond == len(beyond(score_values(dataset, rule.score), rule))


def test_the_sheet_shows_both_sides_of_the_threshold(mixed: Dataset, tmp_path: Path) -> None:
    dataset = RUNNER.measure(mixed)
    for rule in (BLANK, Rule("flat_share", "above", 1.0), Rule("entropy", "below", 8.0)):
        (tmp_path / "sheet.png").write_bytes(threshold_sheet(dataset, rule))
        with Image.open(tmp_path / "sheet.png") as sheet:
            assert sheet.width > 12 * 96
            levels = np.asarray(sheet.convert("L"))
            assert levels.min() < 60 < levels.max()
