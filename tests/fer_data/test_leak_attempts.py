"""Every way to bring a picture and its copy into two splits is refused, by pack and by verify."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray

from fer_data.balance import BalanceSettings, balance, plan_balance
from fer_data.dataset import Dataset
from fer_data.errors import DatasetError, LeakageError, MissingStageError, StaleStageError
from fer_data.filter import filter_samples
from fer_data.filter_settings import FilterSettings
from fer_data.pack import PackSettings, pack
from fer_data.shards.index import INDEX_NAME, read_index
from fer_data.shards.npz import encode_npz
from fer_data.shards.verify import verify_shards
from fer_data.tables import write_table
from tests.edited_index import edit_fields
from tests.fer_data.conftest import MakeDataset

COUNTS = {"train": {"anger": 8, "disgust": 3}, "validation": {"anger": 3, "disgust": 2}}
Arrays = dict[str, NDArray[Any]]


@pytest.fixture
def balanced(make_dataset: MakeDataset) -> Dataset:
    return balance(make_dataset(COUNTS), BalanceSettings(to="max"))[0]


def refuse(dataset: Dataset, out: Path, error: type[Exception], message: str) -> None:
    """Pack says no, in words, and leaves no index."""
    with pytest.raises(error, match=message):
        pack(dataset, out, PackSettings(), workers=1)
    assert not (out / INDEX_NAME).exists()


def edit(dataset: Dataset, stage: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Changes a stage's table on the disk, as somebody with an editor could."""
    write_table(dataset.dir / f"{stage}.parquet", change(dataset.table(stage)))


def with_column(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, name, pa.array(values, table.schema.field(name).type))


def test_pack_refuses_balancing_before_a_split(balanced: Dataset, tmp_path: Path) -> None:
    unsplit = balanced.withdraw("split")
    with pytest.raises(MissingStageError, match="split has not been done"):
        plan_balance(unsplit, BalanceSettings(to="max"))
    refuse(unsplit, tmp_path / "out", StaleStageError, "balance no longer fits the stages before")


def test_pack_refuses_a_split_made_after_balancing(balanced: Dataset, tmp_path: Path) -> None:
    table = balanced.table("split")
    swap = {"train": "validation", "validation": "train"}
    other = with_column(table, "split", [swap[s] for s in table["split"].to_pylist()])
    again = balanced.publish("split", other, settings={"seed": 9}, counts={}, inputs=["ingest"])
    refuse(again, tmp_path / "out", StaleStageError, "balance no longer fits the stages before it")


def test_pack_refuses_a_copy_whose_parent_is_in_another_split(
    balanced: Dataset, tmp_path: Path
) -> None:
    def borrow(table: pa.Table) -> pa.Table:
        parents = table["parent"].to_pylist()
        return with_column(table, "parent", ["src/validation/disgust/000é.png", *parents[1:]])

    edit(balanced, "balance", borrow)
    message = (
        "1 planned copies have a parent outside train, for example copy 1 of "
        r"src/validation/disgust/000é.png \(validation\); run `ferdata balance` again"
    )
    refuse(balanced, tmp_path / "out", LeakageError, message)


def test_pack_refuses_a_parent_that_was_moved_by_hand(balanced: Dataset, tmp_path: Path) -> None:
    def move(table: pa.Table) -> pa.Table:
        homes = zip(table["key"].to_pylist(), table["split"].to_pylist(), strict=True)
        moved = ["validation" if "train/disgust/001" in key else home for key, home in homes]
        return with_column(table, "split", moved)

    edit(balanced, "split", move)
    message = r"have a parent outside train, .*disgust/001é.png \(validation\)"
    refuse(balanced, tmp_path / "out", LeakageError, message)


def test_pack_refuses_a_parent_dropped_after_balancing(balanced: Dataset, tmp_path: Path) -> None:
    dropped = "src/train/disgust/001é.png"
    edit(balanced, "split", lambda table: table.filter(pc.not_equal(table["key"], dropped)))
    message = r"have a parent outside train, .*disgust/001é.png \(no split\)"
    refuse(balanced, tmp_path / "out", LeakageError, message)


def test_pack_refuses_a_filter_run_after_balancing(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(COUNTS)
    dataset = filter_samples(dataset, FilterSettings())[0]
    table = dataset.table("split")
    dataset = dataset.publish("split", table, settings={}, counts={}, inputs=["filter"])
    dataset, _ = balance(dataset, BalanceSettings(to="max"))
    dropped = FilterSettings(drop=("src/train/disgust/001é.png",), max_loss=1)
    dataset = filter_samples(dataset, dropped)[0]
    refuse(dataset, tmp_path / "out", StaleStageError, "split no longer fits the stages before it")


def test_pack_refuses_to_leave_out_what_it_shall_copy(balanced: Dataset, tmp_path: Path) -> None:
    def leave_out(table: pa.Table) -> pa.Table:
        copies = table["copy"].to_pylist()
        return with_column(table, "copy", [0, *copies[1:]])

    edit(balanced, "balance", leave_out)
    message = "balance leaves out src/train/disgust/000é.png and copies it too"
    refuse(balanced, tmp_path / "out", DatasetError, message)


def test_pack_refuses_to_leave_out_what_is_not_in_train(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, _ = balance(make_dataset(COUNTS), BalanceSettings(method="undersample"))
    edit(
        dataset,
        "balance",
        lambda t: with_column(t, "parent", ["src/validation/anger/000é.png"] * len(t)),
    )
    message = r"5 originals to be left out are not in train, .*validation/anger/000é.png \(valid"
    refuse(dataset, tmp_path / "out", LeakageError, message)


@pytest.fixture
def shards(balanced: Dataset, tmp_path: Path) -> Path:
    pack(balanced, tmp_path / "shards", PackSettings(), workers=1)
    assert verify_shards(tmp_path / "shards").problems == ()
    return tmp_path / "shards"


def rewrite(shards: Path, split: str, change: Callable[[Arrays], Arrays]) -> None:
    """Changes a shard and makes its digests right again, so that only the meaning is wrong."""
    index = read_index(shards)
    (shard,) = index.split_shards(split)
    with np.load(shards / shard.file, allow_pickle=False) as npz:
        arrays = dict(npz)
    encoded = encode_npz(change(arrays))
    (shards / shard.file).write_bytes(encoded.data)
    entry = dataclasses.replace(
        shard, arrays=encoded.arrays, sha256=encoded.sha256, bytes=len(encoded.data),
        num_samples=len(change(arrays)["keys"]),
    )  # fmt: skip
    entries = tuple(entry if s.file == shard.file else s for s in index.shards)
    (shards / INDEX_NAME).write_text(
        dataclasses.replace(index, shards=entries).to_json(), encoding="utf-8"
    )


def found(shards: Path) -> str:
    return "\n".join(str(problem) for problem in verify_shards(shards).problems)


def test_verify_finds_balancing_before_a_split(shards: Path) -> None:
    edit_fields(shards, lambda fields: fields["lineage"].pop("split"))
    assert "lineage has balance but no split: an image and its copy may stand in two splits" in (
        found(shards)
    )


def test_verify_finds_a_copy_in_another_split(shards: Path) -> None:
    def adopt(arrays: Arrays) -> Arrays:
        parents = arrays["parents"].astype("<U60")
        parents[0] = "src/train/disgust/000é.png"
        return {**arrays, "parents": parents}

    rewrite(shards, "validation", adopt)
    assert "1 augmented samples in validation, for example src/validation/" in found(shards)


def test_verify_finds_a_copy_whose_parent_is_in_another_split(shards: Path) -> None:
    def borrow(arrays: Arrays) -> Arrays:
        parents = arrays["parents"].astype("<U60")
        parents[np.flatnonzero(parents != "")[0]] = "src/validation/disgust/000é.png"
        return {**arrays, "parents": parents}

    rewrite(shards, "train", borrow)
    assert "its parent src/validation/disgust/000é.png is in validation" in found(shards)


def test_verify_finds_a_parent_that_was_dropped(shards: Path) -> None:
    def drop(arrays: Arrays) -> Arrays:
        stays = arrays["keys"] != "src/train/disgust/001é.png"
        return {name: array[stays] for name, array in arrays.items()}

    rewrite(shards, "train", drop)
    text = found(shards)
    assert "its parent src/train/disgust/001é.png is not there" in text
    assert "lineage says 3 training samples of disgust before balancing; the shards" in text


def test_verify_finds_wrong_numbers_of_left_out_samples(shards: Path) -> None:
    def leave_out(fields: dict[str, Any]) -> None:
        fields["counts"]["train"]["anger"]["left_out"] = 4
        fields["counts"]["validation"]["anger"]["left_out"] = 1

    edit_fields(shards, leave_out)
    text = found(shards)
    assert "counts of anger in train says 4 left out; its lineage says 0" in text
    assert "counts of anger in validation says 1 left out; its lineage says 0" in text
    assert "class_weights of original says" in text


def test_undersampled_shards_say_what_was_left_out(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, plan = balance(make_dataset(COUNTS), BalanceSettings(method="undersample"))
    _, report = pack(dataset, tmp_path / "shards", PackSettings(), workers=1)
    assert verify_shards(tmp_path / "shards").problems == ()
    counts = report.index.counts["train"]
    assert {name: (c.before, c.left_out, c.total) for name, c in counts.items()} == {
        "anger": (8, 5, 3),
        "disgust": (3, 0, 3),
    }
    assert report.index.class_weights == plan.class_weights
    assert report.index.class_weights["original"]["disgust"] == pytest.approx(11 / 6)
    assert report.index.num_samples("train") == 6
    with np.load(tmp_path / "shards" / "train-00000-of-00001.npz") as npz:
        assert set(npz["keys"].tolist()).isdisjoint(plan.table["parent"].to_pylist())
