"""Batches of samples that are in memory or come in blocks, in TensorFlow's own operations.

What takes time to build is built once: the orders of the epochs are its arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_models.epoch_order import BlockPlan
from fer_models.members import ShardPlaces, decode_shard

_AUTOTUNE = tf.data.AUTOTUNE
_PERMUTED_AT_ONCE = 2  # blocks: one is drawn from while the next one is made


def _ready(batches: Any, num_batches: int) -> Any:
    """The batches, of a known number, and without a search for the best number of threads.

    That search sleeps between its tries, and an iterator that ends waits until it wakes: a tenth of
    a second or more an epoch. On two cores decoding is as fast without it.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    counted = batches.apply(tf.data.experimental.assert_cardinality(num_batches))
    return counted.with_options(options)


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
        return _ready(batches, num_batches)


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
        self._sizes = sizes = places.samples
        with tf.device("CPU:0"):
            self._tensors = {name: tf.constant(value) for name, value in places.tensors().items()}
            self._starts = tf.constant(np.cumsum(sizes) - sizes)
        self._places = places
        self._image_shape = image_shape
        self._block_shards = min(block_shards, len(sizes))
        self._build = tf.function(self._blocks)

    def decoded(self, order: Any) -> Any:
        """Dataset of the shards of an order, several decoded at a time.

        Args:
            order: int64 array or tensor: the numbers of the shards.

        Returns:
            `tf.data.Dataset` of (images uint8 (n, H, W, C), labels int64 (n,), numbers int64 (n,)).
        """
        return self._decoded(order, lambda *samples: samples)

    def _decoded(self, order: Any, finish: Callable[..., Any]) -> Any:
        """Dataset of what `finish` makes of the images, labels and numbers of each shard."""

        def decode(place: Any, start: Any) -> Any:
            images, labels = decode_shard(place, self._places, self._image_shape)
            return finish(images, labels, start + tf.range(tf.size(labels, out_type=tf.int64)))

        places = {name: tf.gather(value, order) for name, value in self._tensors.items()}
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
        shard_sizes = np.zeros((plan.num_blocks, self._block_shards), np.int32)
        shards = order[plan.shards]
        shard_sizes.ravel()[: len(shards)] = self._sizes[shards]
        seeds = np.zeros((plan.num_blocks, 2), np.int64)
        if seed is not None:
            seeds[:] = seed
            seeds[:, 1] += plan.first_block + np.arange(plan.num_blocks)
        sizes = [plan.skipped, *plan.batch_sizes] if plan.skipped else plan.batch_sizes
        with tf.device("CPU:0"):
            batches = self._build(
                tf.constant(shards),
                tf.constant(shard_sizes),
                tf.constant(seeds),
                tf.constant(sizes, tf.int64),
                seed is not None,
                numbered,
            )
        if plan.skipped:
            batches = batches.skip(1)
        num_batches = len(plan.batch_sizes)
        if plan.surplus:
            batches = batches.take(num_batches)
        return _ready(batches, num_batches)

    def _blocks(
        self, order: Any, shard_sizes: Any, seeds: Any, sizes: Any, shuffled: bool, numbered: bool
    ) -> Any:
        dtypes = (tf.uint8, tf.int64, tf.int64)[: 2 + numbered]
        shapes = ((None, *self._image_shape), (None,), (None,))[: 2 + numbered]

        def wrap(*samples: Any) -> Any:
            # shards are put together as handles: a batch of their pixels would be one more copy
            return tf.raw_ops.OptionalFromValue(components=samples[: 2 + numbered])

        def permute(handles: Any, block: tuple[Any, Any]) -> tuple[Any, ...]:
            shard_sizes, seed = block
            places = tf.range(tf.reduce_sum(shard_sizes))
            if shuffled:
                places = tf.random.experimental.stateless_shuffle(places, seed)
            shards = [
                tf.raw_ops.OptionalGetValue(
                    optional=handle, output_types=dtypes, output_shapes=shapes
                )
                for handle in tf.unstack(handles, self._block_shards)
            ]
            places = tf.split(places, shard_sizes, num=self._block_shards)
            return tuple(
                tf.raw_ops.ParallelDynamicStitch(indices=places, data=arrays)
                for arrays in zip(*shards, strict=True)
            )

        # what the last block has too few shards for is empty
        empty = [
            tf.zeros((0, *shape[1:]), dtype) for shape, dtype in zip(shapes, dtypes, strict=True)
        ]
        filling = tf.data.Dataset.from_tensors(wrap(*empty)).repeat(
            tf.size(shard_sizes, tf.int64) - tf.size(order, tf.int64)
        )
        shards = self._decoded(order, wrap).concatenate(filling).batch(self._block_shards)
        return (
            tf.data.Dataset.zip(shards, tf.data.Dataset.from_tensor_slices((shard_sizes, seeds)))
            .map(permute, num_parallel_calls=_PERMUTED_AT_ONCE, deterministic=True)
            .rebatch(sizes)
            .prefetch(_AUTOTUNE)
        )
