"""Laws of balancing, over random configurations: from the plan to the packed copies."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_data.augment import augment_images
from fer_data.balance import BalanceSettings, balance, plan_balance
from fer_data.dataset import Dataset
from fer_data.operations import OPERATIONS, Operation, operations_from_json
from fer_data.pack import PackSettings, pack
from tests.fer_data.conftest import build_dataset

COUNTS = {
    "train": {"anger": 7, "disgust": 2, "happiness": 11},
    "validation": {"anger": 2, "disgust": 2},
}
VOTES = {
    f"src/train/{name}/{number:03d}é.png": {name: number + 1.0, "anger": 0.5}
    for name in ("disgust", "happiness")
    for number in range(2)
}
Arrays = dict[str, NDArray[Any]]

some_operations = st.lists(
    st.builds(
        lambda operation, p: Operation(
            name=operation.name, probability=p, low=operation.low, high=operation.high
        ),
        st.sampled_from([OPERATIONS[name] for name in sorted(OPERATIONS)]),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=4,
).filter(lambda operations: any(o.probability > 0 for o in operations))
some_settings = st.builds(
    lambda operations, to, max_copies, seed: BalanceSettings(
        operations=tuple(operations), to=to, max_copies=max_copies, seed=seed
    ),
    some_operations,
    st.sampled_from(["max", "median", 9, 16]),
    st.integers(1, 6),
    st.integers(0, 2**63 - 1),
)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    folder = tmp_path_factory.mktemp("laws")
    return {
        color: build_dataset(folder / color, COUNTS, color=color, votes=VOTES)
        for color in ("gray", "rgb")
    }


@given(balancing=some_settings, color=st.sampled_from(["gray", "rgb"]), shuffle=st.randoms())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_plan_and_copies_keep_their_laws(
    datasets: dict[str, Dataset], balancing: BalanceSettings, color: str, shuffle: Any
) -> None:
    dataset = datasets[color]
    plan = plan_balance(dataset, balancing)
    rows = plan.table.to_pylist()
    # counts are exact, and only training samples are copied
    level = {"max": 11, "median": 7}.get(str(balancing.to), balancing.to)
    for name, before in COUNTS["train"].items():
        wanted = max(before, min(int(level or 0), before * (1 + balancing.max_copies)))
        assert plan.after[name] == wanted
        assert sum(row["parent"].split("/")[2] == name for row in rows) == wanted - before
    assert all(row["parent"].startswith("src/train/") for row in rows)
    assert plan_balance(dataset, balancing).table.equals(plan.table)
    if not rows:
        return
    # same seed, same pixels, in any order; shape and dtype kept
    originals = pixels_of(dataset, [row["parent"] for row in rows])
    operations = operations_from_json(rows[0]["operations"])
    assert operations == balancing.operations
    seeds = [row["seed"] for row in rows]
    copies = augment_images(originals, operations, seeds)
    assert (copies.shape, copies.dtype) == (originals.shape, np.uint8)
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    again = augment_images(originals[order], operations, [seeds[n] for n in order])
    np.testing.assert_array_equal(again, copies[order])
    # different copies of one original differ, unless it is said
    pictures = Counter(
        (row["parent"], copy.tobytes()) for row, copy in zip(rows, copies, strict=True)
    )
    pictures.update({(p, o.tobytes()): 1 for p, o in originals_of(dataset, rows).items()})
    num_same = sum(number - 1 for number in pictures.values())
    said = [warning for warning in plan.warnings if "show the same picture" in warning]
    assert (num_same > 0) == bool(said)
    assert not said or said[0].startswith(f"{num_same} copies show")


@given(
    operations=some_operations.map(tuple),
    fires=st.lists(st.booleans(), min_size=4, max_size=4),
    seed=st.integers(0, 2**64 - 1),
)
@settings(max_examples=100, deadline=None)
def test_p_0_never_fires_and_p_1_always(
    datasets: dict[str, Dataset],
    operations: tuple[Operation, ...],
    fires: list[bool],
    seed: int,
) -> None:
    from fer_data import augment

    chosen = [
        Operation(name=o.name, probability=float(fire), low=o.low, high=o.high)
        for o, fire in zip(operations, fires, strict=False)
    ]
    expected = [number for number, operation in enumerate(chosen) if operation.probability == 1]
    augment.random.seed(seed)
    assert augment._draw(chosen) == expected


def test_packed_copies_inherit_from_their_parents_for_any_number_of_workers(
    tmp_path: Path,
) -> None:
    dataset = build_dataset(tmp_path / "ds", COUNTS, color="rgb", votes=VOTES)
    every = tuple(
        Operation(name=o.name, probability=0.5, low=o.low, high=o.high) for o in OPERATIONS.values()
    )
    dataset, plan = balance(dataset, BalanceSettings(to="max", operations=every))
    for workers in (1, 2, 4):
        settings_ = PackSettings(shard_samples=9)
        pack(dataset, tmp_path / f"shards-{workers}", settings_, workers=workers)
    one, two, four = (files(tmp_path / f"shards-{workers}") for workers in (1, 2, 4))
    assert one == two == four
    train = arrays_of(tmp_path / "shards-1", "train")
    index = json.loads(one["index.json"])
    place = {key: number for number, key in enumerate(train["keys"].tolist())}
    copies = np.flatnonzero(train["parents"] != "")
    parents = [place[train["parents"][number]] for number in copies]
    assert len(copies) == len(plan.table)
    for array in ("labels", "votes"):
        np.testing.assert_array_equal(train[array][copies], train[array][parents])
    planned = {f"{row['parent']}#{row['copy']}": row["seed"] for row in plan.table.to_pylist()}
    seeds = [planned[key] for key in train["keys"][copies]]
    expected = augment_images(train["images"][parents], every, seeds)
    np.testing.assert_array_equal(train["images"][copies], expected)
    counts = index["counts"]["train"]
    assert {name: sum(count.values()) for name, count in counts.items()} == plan.after


def test_seeds_are_the_same_for_any_number_of_workers(
    datasets: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_data import balance_seeds

    monkeypatch.setattr(balance_seeds, "_TASK_BYTES", 3000)
    settings_ = BalanceSettings(to=30, operations=(OPERATIONS["rotate"],))
    one, two, four = (
        plan_balance(datasets["gray"], settings_, workers=workers) for workers in (1, 2, 4)
    )
    assert one == two == four
    monkeypatch.undo()
    assert plan_balance(datasets["gray"], settings_) == one


def test_validation_is_byte_identical_before_and_after(tmp_path: Path) -> None:
    dataset = build_dataset(tmp_path / "ds", COUNTS)
    pack(dataset, tmp_path / "before", PackSettings(), workers=1)
    for number, settings_ in enumerate(
        [BalanceSettings(to="max"), BalanceSettings(method="undersample")]
    ):
        done, _ = balance(dataset, settings_)
        pack(done, tmp_path / f"after-{number}", PackSettings(), workers=1)
        after = files(tmp_path / f"after-{number}")
        for file, data in files(tmp_path / "before").items():
            if file.startswith("validation"):
                assert after[file] == data


def test_a_copy_is_drawn_anew_until_it_is_another_picture(datasets: dict[str, Dataset]) -> None:
    """Five whole degrees to both sides give ten pictures: seven are found, thirteen cannot be."""
    turn = (Operation(name="rotate", low=-5, high=5, fill="nearest"),)
    few = plan_balance(
        datasets["gray"],
        BalanceSettings(targets={"disgust": 2 * 8}, operations=turn, max_copies=20),
    )
    assert not any("same picture" in warning for warning in few.warnings)
    first = {(r["parent"], r["copy"]): r["seed"] for r in few.table.to_pylist()}
    more = plan_balance(
        datasets["gray"],
        BalanceSettings(targets={"disgust": 2 * 14}, operations=turn, max_copies=20),
    )
    assert any("same picture as their original" in warning for warning in more.warnings)
    assert (
        first.items()
        <= {(r["parent"], r["copy"]): r["seed"] for r in more.table.to_pylist()}.items()
    )


def pixels_of(dataset: Dataset, keys: list[str]) -> NDArray[np.uint8]:
    samples = dataset.samples(["key"])
    places = samples.take(pc.index_in(pa.array(keys), value_set=samples["key"].combine_chunks()))
    return np.stack([dataset.pixels(row["block"])[row["row"]] for row in places.to_pylist()])


def originals_of(dataset: Dataset, rows: list[dict[str, Any]]) -> dict[str, NDArray[np.uint8]]:
    keys = sorted({row["parent"] for row in rows})
    return dict(zip(keys, pixels_of(dataset, keys), strict=True))


def arrays_of(shards_dir: Path, split: str) -> Arrays:
    """All samples of one split, joined over its shards."""
    shards = []
    for path in sorted(shards_dir.glob(f"{split}-*.npz")):
        with np.load(path, allow_pickle=False) as npz:
            shards.append(dict(npz))
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
