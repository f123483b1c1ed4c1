"""Shards as NumPy arrays: for scikit-learn, for PyTorch, for whoever has no TensorFlow."""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fer_data.errors import DamagedShardError, SettingsError
from fer_data.executors import default_workers
from fer_data.shards.arrays import read_arrays
from fer_data.shards.index import ShardEntry, ShardIndex, read_index
from fer_data.shards.pixels import expected_pixels, restored_pixels
from fer_data.shards.samples import ARRAYS, Samples, batches_of, join_samples

__all__ = ["Samples", "ShardReader", "iterate_shards", "read_shard", "read_split"]

_CONTAINERS = ("npz", "hdf5")
_TEXT = ("<U", "|S")  # in HDF5 files text is UTF-8
_AGAIN = "run `ferdata pack` again to write it anew"


def read_shard(shards_dir: Path | str, index: ShardIndex, shard: ShardEntry) -> Samples:
    """The samples of one shard, every array checked against the index. Pickles are never loaded.

    Images are uint8 and (n, H, W, C), in whatever layout and dtype they are stored.

    Raises:
        DamagedShardError: the shard is missing, or not what the index says.
        MissingPluginError: a codec compressed the shard that is not installed.
    """
    path = Path(shards_dir) / shard.file
    expected: dict[str, tuple[str | tuple[str, ...], tuple[int, ...]]] = {
        "images": expected_pixels(shard.arrays.get("images"), shard.num_samples, index.image_shape),
        "labels": ("<i8", (shard.num_samples,)),
        "keys": (_TEXT, (shard.num_samples,)),
        "parents": (_TEXT, (shard.num_samples,)),
        "votes": ("<f4", (shard.num_samples, len(index.class_names))),
    }
    for name, (dtype, shape) in expected.items():
        entry = shard.arrays.get(name)
        if entry is None and name != "votes":
            raise DamagedShardError(f"{path}: {name}: not in the index; {_AGAIN}")
        if entry is not None and not (entry.dtype.startswith(dtype) and entry.shape == shape):
            raise DamagedShardError(
                f"{path}: {name}: the index says {entry.dtype} {entry.shape}; expected {dtype} "
                f"{shape}; {_AGAIN}"
            )
    if index.container not in _CONTAINERS or path.name != shard.file:
        raise DamagedShardError(
            f"{path}: the index gives it this path and the container {index.container}; {_AGAIN}"
        )
    names = tuple(name for name in ARRAYS if name in shard.arrays)
    try:
        arrays = read_arrays(path, shard, names)
        try:
            arrays["images"] = restored_pixels(arrays["images"], index.image_shape)
        except DamagedShardError as error:
            raise DamagedShardError(f"{path}: images: {error}; {_AGAIN}") from None
        samples = Samples(**arrays)
    except (ValueError, TypeError) as error:
        if isinstance(error, DamagedShardError):
            raise
        raise DamagedShardError(f"{path}: not what the index says ({error}); {_AGAIN}") from None
    if len(samples) and not 0 <= samples.labels.min() <= samples.labels.max() < len(
        index.class_names
    ):
        raise DamagedShardError(
            f"{path}: labels: from {samples.labels.min()} to {samples.labels.max()}; the index has "
            f"{len(index.class_names)} classes; {_AGAIN}"
        )
    return samples


def iterate_shards(
    shards_dir: Path | str, index: ShardIndex, split: str, *, ahead: int = 1
) -> Iterator[Samples]:
    """The samples of one split, a shard at a time, in the order of the index.

    Args:
        shards_dir: folder of shards.
        index: its index.
        split: train, validation or test.
        ahead: shards that are decoded, on as many threads, while the one before is used.

    Raises:
        UnknownNameError: the shards have no such split.
        DamagedShardError: a shard is not what the index says.
        MissingPluginError: a codec compressed the shards that is not installed.
    """
    shards = index.split_shards(split)
    coming: deque[Future[Samples]] = deque()
    with ThreadPoolExecutor(ahead) as pool:
        for shard in shards:
            coming.append(pool.submit(read_shard, shards_dir, index, shard))
            if len(coming) > ahead:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def read_split(shards_dir: Path | str, index: ShardIndex, split: str) -> Samples:
    """All samples of one split, in memory; decoded on a thread a core.

    Raises:
        UnknownNameError: the shards have no such split.
        DamagedShardError: a shard is not what the index says.
        MissingPluginError: a codec compressed the shards that is not installed.
    """
    return join_samples(list(iterate_shards(shards_dir, index, split, ahead=default_workers())))


class ShardReader:
    """The samples of one split by their number, in batches, or all together.

    Decoded shards stay in memory as long as all of them together take no more than `cache_mb`; the
    one used longest ago goes first. Random access is fast where the whole split fits, and decodes
    a shard for nearly every sample where it does not.

    Args:
        shards_dir: folder of shards.
        split: train, validation or test.
        cache_mb: most megabytes of decoded shards to keep; at least one shard is kept.

    Raises:
        MissingShardsError: the folder or its index is not there.
        DamagedShardError: the index cannot be read.
        UnknownNameError: the shards have no such split.

    Example:
        >>> reader = ShardReader("shards", "train")  # doctest: +SKIP
        >>> for batch in reader.batches(64):  # doctest: +SKIP
        ...     model.partial_fit(batch.images.reshape(len(batch), -1), batch.labels)
    """

    def __init__(self, shards_dir: Path | str, split: str, *, cache_mb: float = 1024) -> None:
        if not cache_mb >= 0:
            raise SettingsError(f"cache_mb must be 0 or more; received {cache_mb}")
        self.index = read_index(shards_dir)
        self.split = split
        self._shards_dir = Path(shards_dir)
        self._shards = self.index.split_shards(split)
        # number of the first sample of each shard, and behind the last
        ends = itertools.accumulate((s.num_samples for s in self._shards), initial=0)
        self._starts = np.array(list(ends), np.int64)
        self._max_bytes = int(cache_mb * 1_000_000)
        self._cache: OrderedDict[int, Samples] = OrderedDict()

    def __len__(self) -> int:
        """Number of samples."""
        return int(self._starts[-1])

    def __getitem__(self, number: int) -> Samples:
        """One sample, as `Samples` of length 1; negative numbers count from the end.

        Raises:
            IndexError: there is no sample of this number.
            DamagedShardError: its shard is not what the index says.
        """
        return self.take([number])

    def take(self, numbers: Iterable[int]) -> Samples:
        """The samples of these numbers, in this order.

        Raises:
            IndexError: there is no sample of one of the numbers.
            DamagedShardError: a shard is not what the index says.
        """
        wanted = np.array(list(numbers), np.int64)
        outside = wanted[(wanted < -len(self)) | (wanted >= len(self))]
        if len(outside):
            raise IndexError(f"no sample {outside[0]}; {self.split} has {len(self)}")
        wanted = np.where(wanted < 0, wanted + len(self), wanted)
        if not len(wanted):
            return self._shard(0).select(slice(0))
        homes = np.searchsorted(self._starts, wanted, side="right") - 1
        parts, places = [], []
        for home in np.unique(homes):  # each shard once, however the numbers are mixed
            mine = np.flatnonzero(homes == home)
            parts.append(self._shard(int(home)).select(wanted[mine] - self._starts[home]))
            places.append(mine)
        return join_samples(parts).select(np.argsort(np.concatenate(places)))

    def batches(self, batch_size: int) -> Iterator[Samples]:
        """Batches of `batch_size` samples, the last one smaller, in order; two shards in memory.

        Raises:
            DamagedShardError: a shard is not what the index says.
        """
        return batches_of(iterate_shards(self._shards_dir, self.index, self.split), batch_size)

    def read(self) -> Samples:
        """All samples, in order.

        Raises:
            DamagedShardError: a shard is not what the index says.
        """
        return read_split(self._shards_dir, self.index, self.split)

    def _shard(self, number: int) -> Samples:
        if number in self._cache:
            self._cache.move_to_end(number)
        else:
            samples = read_shard(self._shards_dir, self.index, self._shards[number])
            held = sum(each.num_bytes for each in self._cache.values()) + samples.num_bytes
            while self._cache and held > self._max_bytes:
                held -= self._cache.popitem(last=False)[1].num_bytes
            self._cache[number] = samples
        return self._cache[number]
