"""Batches of samples that are in memory or come in blocks, in TensorFlow's own operations.

What takes time to build is built once: the orders of the epochs are its arguments.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_models.epoch_order import BlockPlan
from fer_models.members import ShardPlaces, decode_shard

_AUTOTUNE = tf.data.AUTOTUNE
_PERMUTED_AT_ONCE = 2  # blocks: one is drawn from while the next one is made


class MemoryBatches:
    """Batches of samples that are in memory, in any order.

    Args:
        images: uint8 array of shape (num_samples, height, width, channels).
        labels: int64 array of shape (num_samples,).
    """

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        with tf.device("CPU:0"):  # never on the accelerator: batches are gathered here
            self._arrays = (tf.convert_to_tensor(images), tf.convert_to_tensor(labels))
        self.labels = labels
        self._build = tf.function(_gathered)

    def __call__(
        self, order: NDArray[np.int64], batch_size: int, num_batches: int, *, numbered: bool
    ) -> Any:
        """Dataset of the batches of an order.

        Args:
            order: int64 array: the numbers of the samples.
            batch_size: samples a batch.
            num_batches: how many; the last one takes all that is left.
            numbered: whether each sample comes with its number.
        """
        with tf.device("CPU:0"):
            batches = self._build(
                self._arrays, tf.constant(order), tf.constant(batch_size, tf.int64),
                tf.constant(num_batches, tf.int64), numbered,
            )  # fmt: skip
        return batches.apply(tf.data.experimental.assert_cardinality(num_batches))


def _gathered(
    arrays: tuple[Any, Any], order: Any, batch_size: Any, num_batches: Any, numbered: bool
) -> Any:
    def batch(number: Any) -> tuple[Any, ...]:
        is_last = number == num_batches - 1
        end = tf.where(is_last, tf.size(order, out_type=tf.int64), (number + 1) * batch_size)
        rows = order[number * batch_size : end]
        gathered = tuple(tf.gather(array, rows) for array in arrays)
        return (*gathered, rows) if numbered else gathered

    return tf.data.Dataset.range(num_batches).map(batch).prefetch(_AUTOTUNE)


class BlockBatches:
    """Batches of shards that are decoded as they are read, a few of them permuted together.

    Args:
        places: where the shards stand.
        image_shape: height, width, channels.
        block_shards: shards a block.
    """

    def __init__(
        self, places: ShardPlaces, image_shape: tuple[int, int, int], block_shards: int
    ) -> None:
        sizes = places.samples
        with tf.device("CPU:0"):
            self._places = {name: tf.constant(value) for name, value in places.tensors().items()}
            self._starts = tf.constant(np.cumsum(sizes) - sizes)
        self._image_shape = image_shape
        self._block_shards = block_shards
        self._build = tf.function(self._blocks)

    def decoded(self, order: Any) -> Any:
        """Dataset of the shards of an order, several decoded at a time.

        Args:
            order: int64 array or tensor: the numbers of the shards.

        Returns:
            `tf.data.Dataset` of (images uint8 (n, H, W, C), labels int64 (n,), numbers int64 (n,)).
        """

        def decode(place: Any, start: Any) -> tuple[Any, Any, Any]:
            images, labels = decode_shard(place, self._image_shape)
            return images, labels, start + tf.range(tf.size(labels, out_type=tf.int64))

        places = {name: tf.gather(value, order) for name, value in self._places.items()}
        starts = tf.gather(self._starts, order)
        return tf.data.Dataset.from_tensor_slices((places, starts)).map(
            decode, num_parallel_calls=_AUTOTUNE, deterministic=True
        )

    def __call__(
        self,
        plan: BlockPlan,
        order: NDArray[np.int64],
        seed: NDArray[np.int64] | None,
        *,
        numbered: bool,
    ) -> Any:
        """Dataset of the batches of a plan.

        Args:
            plan: the blocks and batches.
            order: int64 array: the numbers of the shards in the epoch's order.
            seed: int64 array of shape (2,), of the order within the blocks; None keeps it.
            numbered: whether each sample comes with its number.
        """
        blocks = {
            "number": plan.first_block + np.arange(len(plan.firsts)),
            "first": plan.firsts,
            "last": plan.lasts,
        }
        with tf.device("CPU:0"):
            batches = self._build(
                {name: tf.constant(value) for name, value in blocks.items()},
                tf.constant(order[plan.shards]),
                tf.constant(plan.batch_sizes),
                tf.constant(np.zeros(2, np.int64) if seed is None else seed),
                seed is not None,
                numbered,
            )
        num_batches = len(plan.batch_sizes)
        return batches.apply(tf.data.experimental.assert_cardinality(num_batches))

    def _blocks(
        self,
        blocks: dict[str, Any],
        order: Any,
        batch_sizes: Any,
        seed: Any,
        shuffled: bool,
        numbered: bool,
    ) -> Any:
        def permute(block: dict[str, Any], shards: tuple[Any, ...]) -> tuple[Any, ...]:
            arrays = [shard.values for shard in shards]
            rows = tf.range(tf.size(arrays[1], out_type=tf.int64))
            if shuffled:
                block_seed = tf.random.experimental.stateless_fold_in(seed, block["number"])
                rows = tf.random.experimental.stateless_shuffle(rows, block_seed)
            rows = rows[block["first"] : block["last"]]
            return tuple(tf.gather(array, rows) for array in arrays[: 2 + numbered])

        shards = self.decoded(order).ragged_batch(self._block_shards)
        return (
            tf.data.Dataset.zip(tf.data.Dataset.from_tensor_slices(blocks), shards)
            .map(permute, num_parallel_calls=_PERMUTED_AT_ONCE, deterministic=True)
            .rebatch(batch_sizes)
            .prefetch(_AUTOTUNE)
        )
