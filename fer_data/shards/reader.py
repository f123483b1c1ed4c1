"""Shards as NumPy arrays: for scikit-learn, for evaluation, for whoever has no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.shards.index import ShardIndex
from fer_data.shards.npz import read_npz

_ARRAYS = ("images", "labels", "keys", "parents", "votes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Some samples of one split.

    Attributes:
        images: uint8 array of shape (num_samples, height, width, channels).
        labels: int64 array of shape (num_samples,), rows of the index's class names.
        keys: str array of shape (num_samples,).
        parents: str array of shape (num_samples,); empty where the sample is an original.
        votes: float32 array of shape (num_samples, num_classes), or None where there are none.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    keys: NDArray[np.str_]
    parents: NDArray[np.str_]
    votes: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.labels)


def iterate_shards(shards_dir: Path | str, index: ShardIndex, split: str) -> Iterator[Samples]:
    """The samples of one split, a shard at a time, in the order of the index.

    Raises:
        UnknownNameError: the shards have no such split.
        DamagedShardError: a shard is not what the index says.
    """
    for shard in index.split_shards(split):
        names = tuple(name for name in _ARRAYS if name in shard.arrays)
        yield Samples(**read_npz(Path(shards_dir) / shard.file, shard, names))


def read_split(shards_dir: Path | str, index: ShardIndex, split: str) -> Samples:
    """All samples of one split, in memory.

    Raises:
        UnknownNameError: the shards have no such split.
        DamagedShardError: a shard is not what the index says.
    """
    parts = list(iterate_shards(shards_dir, index, split))
    joined: dict[str, NDArray[Any]] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in _ARRAYS
        if getattr(parts[0], name) is not None
    }
    return Samples(**joined)
