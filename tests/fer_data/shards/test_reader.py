"""What stands in shards comes back, to plain NumPy as to us; what is damaged does not."""

from __future__ import annotations

import dataclasses
import pickle
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_data.errors import DamagedShardError, MissingShardsError, SettingsError, UnknownNameError
from fer_data.shards import reader as reader_module
from fer_data.shards.index import INDEX_NAME, ShardEntry, ShardIndex, read_index
from fer_data.shards.reader import Samples, ShardReader, read_shard, read_split
from fer_data.shards.samples import batches_of, join_samples
from tests.made_shards import assert_same, made_splits, make_shards, numbered_samples


@given(made_splits(), st.integers(1, 5), st.integers(1, 7), st.randoms())
@settings(max_examples=60, deadline=None)
def test_samples_come_back_however_they_are_read(
    made: tuple[dict[str, Samples], tuple[str, ...]],
    shard_samples: int,
    batch_size: int,
    chance: object,
) -> None:
    splits, class_names = made
    with tempfile.TemporaryDirectory() as folder:
        index = make_shards(Path(folder), splits, class_names, shard_samples=shard_samples)
        for split, written in splits.items():
            if not len(written):
                with pytest.raises(UnknownNameError, match=f'unknown split "{split}"'):
                    ShardReader(folder, split)
                continue
            reader = ShardReader(folder, split, cache_mb=0)
            assert len(reader) == len(written)
            assert_same(reader.read(), written)
            assert_same(read_split(folder, index, split), written)
            batches = list(reader.batches(batch_size))
            assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
            assert_same(join_samples(batches), written)
            numbers = [chance.randrange(-len(written), len(written)) for _ in range(6)]  # type: ignore[attr-defined]
            assert_same(reader.take(numbers), written.select(np.array(numbers)))
            assert_same(reader[numbers[0]], written.select(np.array(numbers[:1])))
            assert len(reader.take([])) == 0
            for name in ("images", "labels", "keys", "parents"):
                parts = []
                for shard in index.split_shards(split):
                    with np.load(Path(folder) / shard.file, allow_pickle=False) as arrays:
                        parts.append(arrays[name])
                np.testing.assert_array_equal(np.concatenate(parts), getattr(written, name))


def test_batches_do_not_depend_on_how_the_samples_are_cut() -> None:
    samples = numbered_samples(23)
    for cuts in ([23], [1] * 23, [0, 5, 0, 18], [22, 1]):
        starts = np.cumsum([0, *cuts])
        parts = [samples.select(slice(a, b)) for a, b in pairwise(starts)]
        batches = list(batches_of(parts, 4))
        assert [len(batch) for batch in batches] == [4] * 5 + [3]
        assert_same(join_samples(batches), samples)
    with pytest.raises(SettingsError, match="batch_size must be 1 or more; received 0"):
        next(batches_of([samples], 0))


def test_decoded_shards_stay_in_memory_up_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_shards(tmp_path, {"train": numbered_samples(40)}, shard_samples=4)
    read: list[str] = []

    def counted(folder: Path, index: ShardIndex, shard: ShardEntry) -> Samples:
        read.append(shard.file)
        return read_shard(folder, index, shard)

    monkeypatch.setattr(reader_module, "read_shard", counted)
    roomy = ShardReader(tmp_path, "train")
    for number in [*range(40), *range(39, -1, -1)]:
        roomy[number]
    assert len(read) == len(set(read)) == 10
    read.clear()
    two = 2 * roomy.take(range(4)).num_bytes / 1_000_000 + 1e-5
    tight = ShardReader(tmp_path, "train", cache_mb=two)
    for number in (0, 4, 0, 8, 0, 4):
        tight[number]
        assert sum(samples.num_bytes for samples in tight._cache.values()) <= two * 1_000_000
    assert [name[6:11] for name in read] == ["00000", "00001", "00002", "00001"]
    read.clear()
    tight.take([39, 0, 38, 1, 37, 2])  # each shard once, however the numbers are mixed
    assert len(read) <= 2
    with pytest.raises(SettingsError, match="cache_mb must be 0 or more; received -1"):
        ShardReader(tmp_path, "train", cache_mb=-1)


def test_wrong_numbers_and_names_are_told(tmp_path: Path) -> None:
    make_shards(tmp_path, {"train": numbered_samples(5)})
    reader = ShardReader(tmp_path, "train")
    for number in (5, -6):
        with pytest.raises(IndexError, match=f"no sample {number}; train has 5"):
            reader[number]
    assert [int(sample.labels[0]) for sample in reader] == [0, 1, 2, 3, 4]
    with pytest.raises(UnknownNameError, match='unknown split "trian".*Did you mean "train"'):
        ShardReader(tmp_path, "trian")
    with pytest.raises(MissingShardsError, match="no such folder"):
        ShardReader(tmp_path / "nowhere", "train")


def test_damage_is_told_with_file_and_array(tmp_path: Path) -> None:
    index = make_shards(tmp_path, {"train": numbered_samples(8)})
    path = tmp_path / index.shards[1].file
    whole = path.read_bytes()
    entry = index.shards[1].arrays["images"]
    flipped = bytearray(whole)
    flipped[entry.offset + entry.compressed_bytes // 2] ^= 1
    for data in (whole[: entry.offset + 9], bytes(flipped), b""):
        path.write_bytes(data)
        reader = ShardReader(tmp_path, "train")
        assert len(reader.take(range(4))) == 4
        with pytest.raises(DamagedShardError, match=rf"{path.name}: images: .*run `ferdata pack`"):
            reader[4]
    path.unlink()
    with pytest.raises(DamagedShardError, match=f"{path.name}: No such file"):
        reader.read()


def test_an_index_that_does_not_fit_is_told(tmp_path: Path) -> None:
    index = make_shards(tmp_path, {"train": numbered_samples(4)})
    (shard,) = index.shards

    def refuse(message: str, index: ShardIndex = index, **fields: object) -> None:
        changed = dataclasses.replace(shard, **fields)  # type: ignore[arg-type]
        with pytest.raises(DamagedShardError, match=message):
            read_shard(tmp_path, index, changed)

    images = shard.arrays["images"]

    def with_images(**fields: object) -> dict[str, object]:
        return {**shard.arrays, "images": dataclasses.replace(images, **fields)}  # type: ignore[arg-type]

    refuse(r"images: the index says \|O \(4, 8, 8, 1\)", arrays=with_images(dtype="|O"))
    refuse(r"images: the index says \|u1 \(8, 8, 4, 1\)", arrays=with_images(shape=(8, 8, 4, 1)))
    refuse("not what the index says", arrays=with_images(header_bytes=100))
    refuse("labels: the index says <i8", num_samples=3, arrays=with_images(shape=(3, 8, 8, 1)))
    refuse("keys: not in the index", arrays={n: e for n, e in shard.arrays.items() if n != "keys"})
    refuse("the index gives it this path", file=f"../{tmp_path.name}/{shard.file}")
    refuse("container zarr", dataclasses.replace(index, container="zarr"))
    refuse(
        "labels: from 0 to 3; the index has 3", dataclasses.replace(index, class_names=("a",) * 3)
    )


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    index = make_shards(tmp_path, {"train": numbered_samples(4)})
    marker = tmp_path / "opened"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return open, (str(marker), "w")

    entry = index.shards[0].arrays["keys"]
    raw = pickle.dumps(np.array([Trap()] * 4, object))
    (tmp_path / index.shards[0].file).write_bytes(raw)
    changed = dataclasses.replace(
        entry, dtype="<U1", offset=0, compressed_bytes=len(raw), raw_bytes=len(raw),
        compression="none",
    )  # fmt: skip
    shard = dataclasses.replace(index.shards[0], arrays={**index.shards[0].arrays, "keys": changed})
    changed_index = dataclasses.replace(index, shards=(shard,))
    (tmp_path / INDEX_NAME).write_text(changed_index.to_json(), encoding="utf-8")
    with pytest.raises(DamagedShardError):
        read_split(tmp_path, read_index(tmp_path), "train")
    assert not marker.exists()
