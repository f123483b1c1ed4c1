"""Laws of the balance plan."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image

from fer_data.balance import BalanceSettings, balance, plan_balance, preview_balance
from fer_data.balance_settings import resolve_targets
from fer_data.dataset import Dataset
from fer_data.errors import MissingStageError, SettingsError, StaleStageError, UnknownNameError
from fer_data.operations import PRESETS, Operation
from tests.fer_data.conftest import MakeDataset, build_dataset

COUNTS = {
    "train": {"anger": 20, "disgust": 3, "happiness": 31, "sadness": 12},
    "validation": {"anger": 4, "disgust": 2, "happiness": 4, "sadness": 4},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return build_dataset(tmp_path_factory.mktemp("balance") / "ds", COUNTS)


def test_target_without_number_is_the_median_class(dataset: Dataset) -> None:
    plan = plan_balance(dataset, BalanceSettings(targets={"disgust": None}))
    # of 3, 12, 20 and 31 the lower middle one
    assert plan.before == COUNTS["train"]
    assert plan.after == {**COUNTS["train"], "disgust": 12}
    assert len(plan.table) == 9
    assert plan.warnings == ()


def test_fer2013_lifts_disgust_to_4097() -> None:
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    before = dict(zip(names, [3995, 436, 4097, 7215, 4830, 3171, 4965], strict=True))
    settings = BalanceSettings(targets={"disgust": None})
    assert resolve_targets(before, settings) == {"disgust": 4097}


@pytest.mark.parametrize(
    ("settings", "after"),
    [
        ({"to": "max"}, {"anger": 31, "disgust": 31, "happiness": 31, "sadness": 31}),
        ({"to": "median"}, {"anger": 20, "disgust": 12, "happiness": 31, "sadness": 12}),
        ({"to": 15}, {"anger": 20, "disgust": 15, "happiness": 31, "sadness": 15}),
        (
            {"to": 15, "targets": {"sad": 14, "disgusted": None}},
            {"anger": 20, "disgust": 15, "happiness": 31, "sadness": 14},
        ),
        (
            {"targets": {"HAPPY": 40}},
            {"anger": 20, "disgust": 3, "happiness": 40, "sadness": 12},
        ),
    ],
)
def test_classes_are_lifted_to_their_targets(
    dataset: Dataset, settings: dict[str, object], after: dict[str, int]
) -> None:
    plan = plan_balance(dataset, BalanceSettings(**settings))  # type: ignore[arg-type]
    assert plan.after == after
    classes = Counter(parent.split("/")[2] for parent in plan.table["parent"].to_pylist())
    assert {name: COUNTS["train"][name] + classes[name] for name in after} == after


def test_only_training_samples_are_copied_and_evenly(dataset: Dataset) -> None:
    table = plan_balance(dataset, BalanceSettings(to="max")).table
    assert all(parent.startswith("src/train/") for parent in table["parent"].to_pylist())
    for name in ("anger", "disgust", "sadness"):
        mine = table.filter(pc.match_substring(table["parent"], f"/{name}/"))
        copies: dict[str, list[int]] = {}
        for row in mine.to_pylist():
            copies.setdefault(row["parent"], []).append(row["copy"])
        sizes = [len(numbers) for numbers in copies.values()]
        sizes += [0] * (COUNTS["train"][name] - len(sizes))
        assert max(sizes) - min(sizes) <= 1
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in copies.values())


def test_same_seed_same_plan_and_other_seed_other_plan(dataset: Dataset) -> None:
    one, same, other = (
        plan_balance(dataset, BalanceSettings(to="max", seed=seed)).table for seed in (1, 1, 2)
    )
    assert one.equals(same)
    assert not one["seed"].equals(other["seed"])
    assert not one["parent"].equals(other["parent"])  # who gets one more is chance, too
    assert pc.count_distinct(one["seed"]).as_py() == len(one)


def test_seed_of_a_copy_does_not_depend_on_other_samples(make_dataset: MakeDataset) -> None:
    fewer = make_dataset({"train": {"anger": 9, "disgust": 3}}, name="fewer")
    more = make_dataset({"train": {"anger": 20, "disgust": 3, "fear": 5}}, name="more")

    def seeds(dataset: Dataset) -> dict[tuple[str, int], int]:
        rows = plan_balance(dataset, BalanceSettings(targets={"disgust": 9})).table.to_pylist()
        return {(row["parent"], row["copy"]): row["seed"] for row in rows}

    assert seeds(fewer) == seeds(more)


def test_a_class_that_needs_too_many_copies_stops_and_says_so(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    plan = plan_balance(dataset, BalanceSettings(to="max", max_copies=4))
    assert plan.after["disgust"] == 3 + 3 * 4
    message = (
        "disgust: 15 training samples instead of 31, because one original is copied at most 4 "
        "times (--max-copies)"
    )
    assert plan.warnings == (message,)
    assert message in caplog.text


def test_balance_publishes_its_own_table_and_nothing_else(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(COUNTS)
    before = files(dataset.dir)
    plan_balance(dataset, BalanceSettings(to="max"))
    assert files(dataset.dir) == before
    done, plan = balance(dataset, BalanceSettings(to="max"))
    after = files(dataset.dir)
    assert set(after) - set(before) == {"balance.parquet"}
    assert {name for name in before if before[name] != after[name]} == {"dataset.json"}
    again = Dataset.open(dataset.dir)
    assert again.table("balance").equals(plan.table)
    assert again.is_done("balance")
    counts = again.stage("balance").counts
    assert {n: counts["before"][n] + counts["copies"][n] for n in plan.after} == counts["after"]
    assert done.stage("balance").fingerprint == again.stage("balance").fingerprint
    repeated, _ = balance(again, BalanceSettings(to="max"))
    assert files(dataset.dir) == after
    assert repeated.fingerprint("balance") == again.fingerprint("balance")


def test_many_copies_of_each_original_are_warned_of(dataset: Dataset) -> None:
    plan = plan_balance(dataset, BalanceSettings(targets={"disgust": 20}))
    assert plan.warnings == (
        "disgust: 5.7 copies of each original on average; beyond 5 they add little that is new, "
        "and a network learns the 3 originals by heart: more originals, a lower target or class "
        "weights help more",
    )
    assert plan_balance(dataset, BalanceSettings(targets={"disgust": 18})).warnings == ()


def test_operations_without_enough_pictures_are_warned_of(dataset: Dataset) -> None:
    flip = (Operation(name="flip"),)
    plan = plan_balance(dataset, BalanceSettings(targets={"disgust": 8}, operations=flip))
    (warning,) = plan.warnings
    assert warning.startswith("2 copies show the same picture as their original or another copy")
    assert len(plan.table) == 5


@pytest.mark.parametrize(
    ("settings", "after"),
    [
        ({}, {"anger": 3, "disgust": 3, "happiness": 3, "sadness": 3}),
        ({"to": "median"}, {"anger": 12, "disgust": 3, "happiness": 12, "sadness": 12}),
        ({"to": 15}, {"anger": 15, "disgust": 3, "happiness": 15, "sadness": 12}),
        ({"targets": {"happy": None}}, {"anger": 20, "disgust": 3, "happiness": 12, "sadness": 12}),
        (
            {"to": 15, "targets": {"joy": 25, "sad": 12}},
            {"anger": 15, "disgust": 3, "happiness": 25, "sadness": 12},
        ),
    ],
)
def test_undersampling_leaves_out_what_is_above_the_targets(
    dataset: Dataset, settings: dict[str, object], after: dict[str, int]
) -> None:
    asked = BalanceSettings(method="undersample", **settings)  # type: ignore[arg-type]
    plan = plan_balance(dataset, asked)
    assert plan.after == after
    assert plan.left_out == {name: n - after[name] for name, n in plan.before.items()}
    rows = plan.table.to_pylist()
    assert Counter(row["parent"].split("/")[2] for row in rows) == Counter(plan.left_out)
    assert {(row["copy"], row["seed"], row["operations"]) for row in rows} == {(0, 0, "")}
    assert all(row["parent"].startswith("src/train/") for row in rows)
    assert not any(plan.copies.values())


def test_who_is_left_out_depends_on_the_seed_and_little_on_other_samples(
    make_dataset: MakeDataset,
) -> None:
    def stays(number: int, seed: int = 0) -> set[str]:
        dataset = make_dataset({"train": {"anger": number, "fear": 2}}, name=f"of-{number}")
        settings = BalanceSettings(method="undersample", targets={"anger": 20}, seed=seed)
        out = set(plan_balance(dataset, settings).table["parent"].to_pylist())
        return {f"src/train/anger/{n:03d}é.png" for n in range(number)} - out

    assert stays(40) == stays(40)
    assert stays(40) != stays(40, seed=1)
    assert len(stays(40) & stays(42)) >= 18  # two more can take two places at most


def test_weights_plan_nothing_and_say_so(make_dataset: MakeDataset) -> None:
    done, plan = balance(make_dataset(COUNTS), BalanceSettings(method="weights"))
    assert len(plan.table) == 0
    assert plan.after == plan.before
    assert plan.summary == "class weights alone"
    assert done.stage("balance").settings["method"] == "weights"
    weights = plan.class_weights
    assert weights["original"] == weights["balanced"]
    assert weights["original"]["disgust"] == pytest.approx(66 / (4 * 3))


def test_settings_survive_json(make_dataset: MakeDataset) -> None:
    settings = BalanceSettings(targets={"sad": 14, "disgust": None}, to="max", seed=3)
    done, plan = balance(make_dataset(COUNTS), settings)
    again = BalanceSettings.from_json(done.stage("balance").settings)
    assert again == settings
    assert plan_balance(done, again) == plan
    old = {name: v for name, v in settings.to_json().items() if name != "method"}
    assert BalanceSettings.from_json(old) == settings  # planned before there were methods


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "nothing to balance; name classes"),
        ({"to": "mean"}, 'to must be max, median or a number to augment; received "mean"'),
        ({"to": "min"}, 'to must be max, median or a number to augment; received "min"'),
        (
            {"method": "undersample", "to": "max"},
            'to must be min, median or a number to undersample; received "max"',
        ),
        ({"method": "weights", "to": "max"}, "the method weights takes no targets"),
        ({"method": "smote"}, 'unknown method "smote"; expected one of augment, undersample'),
        ({"to": 0}, "to must be 1 or more; received 0"),
        ({"targets": {"fear": -3}}, "target fear must be 1 or more; received -3"),
        ({"to": "max", "max_copies": 0}, "max_copies must be 1 to 1000; received 0"),
        ({"to": "max", "seed": -1}, "seed must be 0 to"),
        ({"to": "max", "operations": ()}, "no operation can fire"),
        (
            {"to": "max", "operations": (Operation(name="flip", probability=0),)},
            "no operation can fire",
        ),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises((SettingsError, UnknownNameError), match=message):
        BalanceSettings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"targets": {"anger": 10}},
            "anger: has 20 training samples already, target 10; give it a larger number",
        ),
        (
            {"targets": {"happiness": None}},
            "happiness: has 31 training samples already, target 12",
        ),
        ({"targets": {"fear": 10}}, "fear: has no training sample to copy"),
        ({"to": "max"}, "fear: has no training sample to copy"),
        (
            {"method": "undersample", "targets": {"anger": 25}},
            "anger: has 20 training samples only, target 25; give it a smaller number "
            r"\(--target anger=20 or less\), or lift it with --method augment",
        ),
        (
            {"method": "undersample", "targets": {"fear": 2}},
            "fear: has no training sample to leave out",
        ),
    ],
)
def test_targets_that_cannot_be_met_are_refused(
    make_dataset: MakeDataset, settings: dict[str, object], message: str
) -> None:
    counts = {**COUNTS, "validation": {**COUNTS["validation"], "fear": 3}}
    with pytest.raises(SettingsError, match=message):
        plan_balance(make_dataset(counts), BalanceSettings(**settings))  # type: ignore[arg-type]


def test_unknown_class_gets_the_nearest_name_suggested(dataset: Dataset) -> None:
    with pytest.raises(UnknownNameError, match=r'"joyful".*Did you mean "happiness"'):
        plan_balance(dataset, BalanceSettings(targets={"joyful": None}))


def test_a_class_named_twice_is_refused(dataset: Dataset) -> None:
    settings = BalanceSettings(targets={"happy": 40, "joy": 50})
    with pytest.raises(SettingsError, match='"happy" and "joy" are one class, happiness'):
        plan_balance(dataset, settings)


def test_balance_needs_a_split_that_fits(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(COUNTS)
    with pytest.raises(MissingStageError, match="split has not been done"):
        plan_balance(dataset.withdraw("split"), BalanceSettings(to="max"))
    dataset = make_dataset(COUNTS, name="stale")
    stale = dataset.publish("ingest", None, settings={}, counts={}, inputs=[], digest="other")
    with pytest.raises(StaleStageError, match="run `ferdata split` again"):
        plan_balance(stale, BalanceSettings(to="max"))


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_preview_shows_originals_beside_their_copies(
    make_dataset: MakeDataset, tmp_path: Path, color: str
) -> None:
    dataset = make_dataset(COUNTS, color=color)
    settings = BalanceSettings(targets={"disgust": 9}, operations=PRESETS["generator"])
    plan = plan_balance(dataset, settings)
    assert preview_balance(dataset, plan.table, tmp_path / "new" / "preview.png") == 3
    sheet = np.asarray(Image.open(tmp_path / "new" / "preview.png"))
    # 3 originals, 2 copies each, a gap of 4 between them, twice as large
    assert sheet.shape[:2] == (2 * 3 * 24, 2 * (3 * 24 + 4))
    assert (sheet[:, 48:56] == 255).all()
    first = np.asarray(dataset.pixels(0)[20]).squeeze()
    np.testing.assert_array_equal(sheet[:48:2, :48:2], first)
    empty = pa.table({name: [] for name in plan.table.column_names}, plan.table.schema)
    assert preview_balance(dataset, empty, tmp_path / "none.png") == 0


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
