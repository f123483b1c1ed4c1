"""HDF5 shards hold what NPZ shards hold, in bytes that depend on the data set alone."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from fer_data.balance import BalanceSettings, balance
from fer_data.dataset import Dataset
from fer_data.pack import PackSettings, pack
from fer_data.shards.index import read_index
from fer_data.shards.reader import ShardReader, read_split
from fer_data.shards.verify import verify_shards
from tests.fer_data.conftest import MakeDataset

COUNTS = {"train": {"anger": 60, "disgust": 9}, "validation": {"anger": 12, "disgust": 3}}


@pytest.fixture
def balanced(make_dataset: MakeDataset) -> Dataset:
    return balance(make_dataset(COUNTS), BalanceSettings(to="max"))[0]


def packed(dataset: Dataset, folder: Path, **options: object) -> Path:
    settings = PackSettings(format="hdf5", shard_samples=50, **options)  # type: ignore[arg-type]
    pack(dataset, folder, settings, workers=1)
    return folder


def test_both_formats_hold_the_same(balanced: Dataset, tmp_path: Path) -> None:
    hdf5 = packed(balanced, tmp_path / "hdf5")
    pack(balanced, tmp_path / "npz", PackSettings(shard_samples=50), workers=1)
    assert verify_shards(hdf5).problems == ()
    for split in ("train", "validation"):
        one = read_split(hdf5, read_index(hdf5), split)
        other = read_split(tmp_path / "npz", read_index(tmp_path / "npz"), split)
        for name in ("images", "labels", "keys", "parents"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype.kind == getattr(other, name).dtype.kind
    assert ShardReader(hdf5, "train")[7].keys == ShardReader(tmp_path / "npz", "train")[7].keys


def test_same_data_set_same_bytes(balanced: Dataset, tmp_path: Path) -> None:
    one, other = packed(balanced, tmp_path / "one"), tmp_path / "other"
    pack(balanced, other, PackSettings(format="hdf5", shard_samples=50), workers=2)
    files = {path.name: path.read_bytes() for path in one.iterdir()}
    assert {path.name: path.read_bytes() for path in other.iterdir()} == files
    assert sum(name.endswith(".h5") for name in files) == len(read_index(one).shards)


def test_h5py_alone_reads_it_by_slices(balanced: Dataset, tmp_path: Path) -> None:
    folder = packed(balanced, tmp_path / "shards")
    index = read_index(folder)
    expected = read_split(folder, index, "train")
    with h5py.File(folder / index.split_shards("train")[0].file) as file:
        np.testing.assert_array_equal(file["images"][10:20], expected.images[10:20])
        assert file["keys"].asstr()[3] == expected.keys[3]


def test_packing_in_another_format_removes_the_old_shards(
    balanced: Dataset, tmp_path: Path
) -> None:
    folder = packed(balanced, tmp_path / "shards")
    pack(balanced, folder, PackSettings(shard_samples=50), workers=1)
    assert not list(folder.glob("*.h5"))
    assert verify_shards(folder).problems == ()


def test_every_changed_byte_is_found(balanced: Dataset, tmp_path: Path) -> None:
    folder = packed(balanced, tmp_path / "shards")
    shard = folder / read_index(folder).shards[0].file
    whole = shard.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 60).tolist():
        wrong = bytearray(whole)
        wrong[place] ^= 1 << place % 8
        shard.write_bytes(wrong)
        problems = verify_shards(folder).problems
        assert [problem.file for problem in problems][:1] == [shard.name], place
    shard.write_bytes(whole[:-1])
    assert verify_shards(folder).problems
    packed(balanced, folder)
    assert shard.read_bytes() == whole
