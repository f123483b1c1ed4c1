"""In which order an epoch draws its samples, and which of them each trainer draws; NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MAX_CORRELATION = 0.02  # of an order of shards with the order of the files
_MAX_TRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The places in an epoch's order that one trainer draws, and in how many batches.

    Attributes:
        first: the first of its places.
        last: the one behind its last.
        num_batches: batches it is drawn in; the same for every trainer.
    """

    first: int
    last: int
    num_batches: int

    @property
    def num_samples(self) -> int:
        """Samples of the part."""
        return self.last - self.first


def part_of_trainer(num_samples: int, trainer: int, num_trainers: int, batch_size: int) -> Part:
    """What one of several trainers draws: parts follow each other and differ by at most a sample.

    Trainers that add up their gradients must take the same number of steps. So where one more
    sample would be one more batch, it is in the last batch, which is then larger by one.

    Args:
        num_samples: samples of the epoch; at least one a trainer.
        trainer: which one, counted from 0.
        num_trainers: how many there are.
        batch_size: samples a batch.

    Example:
        >>> part_of_trainer(129, 0, 2, 64), part_of_trainer(129, 1, 2, 64)
        (Part(first=0, last=65, num_batches=1), Part(first=65, last=129, num_batches=1))
    """
    least, extra = divmod(num_samples, num_trainers)
    first = trainer * least + min(trainer, extra)
    last = first + least + (trainer < extra)
    return Part(first=first, last=last, num_batches=-(-least // batch_size))


def order_shards(
    rng: np.random.Generator, sizes: NDArray[np.int64], block_shards: int
) -> NDArray[np.int64]:
    """A random order of shards that hardly goes with the order of the files.

    Of few shards many random orders still run roughly from the first file to the last, or back:
    orders are drawn until one does not. Blocks of `block_shards` in a row are permuted as one.

    Args:
        rng: what to draw from.
        sizes: int64 array of shape (num_shards,), samples of each.
        block_shards: shards a block.

    Returns:
        int64 array of shape (num_shards,).
    """
    best, least = np.arange(len(sizes)), np.inf
    for _ in range(_MAX_TRIES):
        order = rng.permutation(len(sizes))
        correlation = abs(_correlation(order, sizes, block_shards))
        if correlation < least:
            best, least = order, correlation
        if least <= _MAX_CORRELATION:
            break
    return best


def _correlation(order: NDArray[np.int64], sizes: NDArray[np.int64], block_shards: int) -> float:
    """Expected rank correlation of the samples' places in the epoch and in the files."""
    num_samples = int(sizes.sum())
    if num_samples < 2:
        return 0.0
    middles = np.cumsum(sizes) - (sizes + 1) / 2  # mean place of each shard's samples in the files
    blocks = np.arange(len(sizes)) // block_shards
    block_sizes = np.bincount(blocks, sizes[order])
    places = np.cumsum(block_sizes) - (block_sizes + 1) / 2  # and of each block's in the epoch
    mean = (num_samples - 1) / 2
    covariance = (sizes[order] * (places[blocks] - mean) * (middles[order] - mean)).sum()
    return float(12 * covariance / (num_samples * (num_samples**2 - 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPlan:
    """The blocks of shards that hold some places of an epoch's order.

    Each block has an order of its own, whatever was drawn before it: a part of an epoch needs no
    more shards than it has samples of.

    Attributes:
        first_block: number of the first of them.
        num_blocks: how many there are.
        skipped: samples that the first of them has before the first place.
        surplus: samples that the last of them has behind the last place.
        batch_sizes: int64 array of shape (num_batches,): samples of each batch. Batches are cut
            across the blocks.
        block_shards: shards a block.
    """

    first_block: int
    num_blocks: int
    skipped: int
    surplus: int
    batch_sizes: NDArray[np.int64]
    block_shards: int

    @property
    def shards(self) -> slice:
        """The shards of these blocks, in the epoch's order."""
        last_block = self.first_block + self.num_blocks
        return slice(self.first_block * self.block_shards, last_block * self.block_shards)


def plan_blocks(
    sizes: NDArray[np.int64],
    block_shards: int,
    places: tuple[int, int],
    batch_size: int,
    num_batches: int,
) -> BlockPlan:
    """The blocks that hold some places of an epoch.

    Args:
        sizes: int64 array of shape (num_shards,), samples of each shard in the epoch's order.
        block_shards: shards a block.
        places: the first place, and the one behind the last.
        batch_size: samples a batch.
        num_batches: batches in all; the last one takes what is left.

    Example:
        >>> plan = plan_blocks(np.array([10, 10, 10, 10, 5]), 2, (25, 42), 8, 3)
        >>> plan.first_block, plan.num_blocks, plan.skipped, plan.surplus, plan.batch_sizes.tolist()
        (1, 2, 5, 3, [8, 8, 1])
    """
    first, last = places
    block_sizes = np.add.reduceat(sizes, np.arange(0, len(sizes), block_shards))
    ends = np.cumsum(block_sizes)
    first_block = int(np.searchsorted(ends, first, side="right"))
    last_block = int(np.searchsorted(ends, last, side="left"))
    batch_sizes = np.full(num_batches, batch_size)
    batch_sizes[-1] = last - first - (num_batches - 1) * batch_size
    return BlockPlan(
        first_block=first_block,
        num_blocks=last_block + 1 - first_block,
        skipped=first - int(ends[first_block] - block_sizes[first_block]),
        surplus=int(ends[last_block]) - last,
        batch_sizes=batch_sizes,
        block_shards=block_shards,
    )
