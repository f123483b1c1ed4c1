"""Some samples in memory: taken apart, put together, cut into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError

#: The arrays of a shard, in order.
ARRAYS = ("images", "labels", "keys", "parents", "votes")


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

    @property
    def num_bytes(self) -> int:
        """Memory that the arrays take."""
        return sum(array.nbytes for array in self.arrays().values())

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Samples:
        """Some of these samples: those at `rows`, in that order."""
        return Samples(**{name: array[rows] for name, array in self.arrays().items()})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, in the order of a shard; without votes where there are none."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        return {name: array for name, array in arrays.items() if array is not None}


def join_samples(parts: Sequence[Samples]) -> Samples:
    """The samples of all parts, in order; at least one part."""
    if len(parts) == 1:
        return parts[0]
    names = [name for name in ARRAYS if all(getattr(part, name) is not None for part in parts)]
    return Samples(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def batches_of(parts: Iterable[Samples], batch_size: int) -> Iterator[Samples]:
    """The samples of `parts` in order, cut anew: `batch_size` a batch, the last one smaller.

    Raises:
        SettingsError: the batch size is less than 1.
    """
    if batch_size < 1:
        raise SettingsError(f"batch_size must be 1 or more; received {batch_size}")
    waiting: list[Samples] = []
    num_waiting = 0
    for part in parts:
        start = 0
        while num_waiting + len(part) - start >= batch_size:
            end = start + batch_size - num_waiting
            yield join_samples([*waiting, part.select(slice(start, end))])
            waiting, num_waiting, start = [], 0, end
        if start < len(part):
            waiting.append(part.select(slice(start, None)))
            num_waiting += len(part) - start
    if waiting:
        yield join_samples(waiting)
