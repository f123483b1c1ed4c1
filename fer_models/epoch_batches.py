"""Batches of samples that are in memory or come in blocks, in TensorFlow's own operations."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_models.epoch_order import BlockPlan


def gather_batches(arrays: tuple[Any, ...], rows: Any, batch_size: int, num_batches: Any) -> Any:
    """Dataset of batches of the `arrays` at `rows`.

    Args:
        arrays: tensors of the same length.
        rows: int64 tensor of shape (num_rows,).
        batch_size: samples a batch.
        num_batches: how many; the last one takes all that is left.
    """

    def batch(number: Any) -> tuple[Any, ...]:
        is_last = number == num_batches - 1
        end = tf.where(is_last, tf.size(rows, out_type=tf.int64), (number + 1) * batch_size)
        mine = rows[number * batch_size : end]
        return tuple(tf.gather(array, mine) for array in arrays)

    return tf.data.Dataset.range(num_batches).map(batch)


def block_batches(shards: Any, plan: BlockPlan, seed: NDArray[np.int64] | None) -> Any:
    """Dataset of batches of the places that a plan is of.

    Args:
        shards: `tf.data.Dataset` of tuples of tensors, one shard each: those of the plan.
        plan: the blocks.
        seed: int64 array of shape (2,), of the order within the blocks; None keeps it.
    """
    num_blocks = len(plan.firsts)
    blocks = tf.data.Dataset.from_tensor_slices(
        {
            "number": plan.first_block + np.arange(num_blocks),
            "first": plan.firsts,
            "last": plan.lasts,
            "batches": plan.batches,
            "is_last": np.arange(num_blocks) == num_blocks - 1,
        }
    )

    def add_block(rest: tuple[Any, ...], both: tuple[Any, Any]) -> Any:
        block, ragged = both
        num_rest = tf.size(rest[1], out_type=tf.int64)
        arrays = tuple(tf.concat([r, a.values], 0) for r, a in zip(rest, ragged, strict=True))
        rows = tf.range(tf.size(arrays[1], out_type=tf.int64) - num_rest)
        if seed is not None:
            block_seed = tf.random.experimental.stateless_fold_in(seed, block["number"])
            rows = tf.random.experimental.stateless_shuffle(rows, block_seed)
        rows = num_rest + rows[block["first"] : block["last"]]
        rows = tf.concat([tf.range(num_rest), rows], 0)
        # Whole batches go out; what is left over waits for the next block, if there is one.
        size = tf.size(rows, out_type=tf.int64)
        out = tf.where(block["is_last"], size, block["batches"] * plan.batch_size)
        rest = tuple(tf.gather(array, rows[out:]) for array in arrays)
        return rest, (arrays, rows[:out], block["batches"])

    nothing = tuple(tf.zeros((0, *spec.shape[1:]), spec.dtype) for spec in shards.element_spec)
    return (
        tf.data.Dataset.zip(blocks, shards.ragged_batch(plan.block_shards))
        .scan(nothing, add_block)
        .flat_map(lambda arrays, rows, n: gather_batches(arrays, rows, plan.batch_size, n))
        .apply(tf.data.experimental.assert_cardinality(int(plan.batches.sum())))
    )
