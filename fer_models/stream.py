"""Shards as batches, decoded and shuffled by TensorFlow's own operations.

No Python runs in the hot path, and no single sample is ever handled. A split that fits into
`StreamSettings.cache_bytes` is decoded once and kept as uint8 in memory; each epoch is then one
permutation and a gather a batch. A larger one is decoded anew each epoch: shards in an order of
their own, a few of them permuted together with what the block before left over, so that every
batch but the last is full and every sample comes exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_data.errors import DamagedShardError, SettingsError
from fer_data.shards.arrays import read_arrays
from fer_data.shards.index import ShardEntry, ShardIndex
from fer_models.members import ShardPlaces, decode_shard, locate_shards
from fer_models.presence import check_sizes

_AUTOTUNE = tf.data.AUTOTUNE


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """How a split is streamed.

    Attributes:
        batch_size: samples a batch; the last batch of an epoch may be smaller.
        seed: seed of the order of the samples.
        cache_bytes: a split whose pixels need at most this much memory is kept decoded. It is
            part of the settings, not of the machine, because the order depends on it.
        block_shards: shards that are permuted together when the split is not kept in memory.
    """

    batch_size: int = 64
    seed: int = 0
    cache_bytes: int = 2 * 2**30
    block_shards: int = 4

    def __post_init__(self) -> None:
        for name in ("batch_size", "block_shards"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be 1 or more; received {getattr(self, name)}")
        for name in ("seed", "cache_bytes"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} must be 0 or more; received {getattr(self, name)}")


class ShardStream:
    """One split of a folder of shards, ready to be streamed as often as needed.

    Opening checks the sizes of the files and, where the split fits into memory, decodes and
    checks all of it: damage shows before the first batch.

    Args:
        shards_dir: the folder of shards.
        index: its index.
        split: `"train"`, `"validation"` or `"test"`.
        settings: batch size, seed and memory.

    Raises:
        UnknownNameError: the shards have no such split.
        DamagedShardError: a shard is not what the index says.
    """

    def __init__(
        self,
        shards_dir: Path,
        index: ShardIndex,
        split: str,
        settings: StreamSettings | None = None,
    ) -> None:
        self.settings = settings if settings is not None else StreamSettings()
        self.num_samples = index.num_samples(split)
        self._dir = shards_dir
        self._index = index
        self._shards = tuple(s for s in index.split_shards(split) if s.num_samples > 0)
        check_sizes(shards_dir, self._shards)
        self._places = locate_shards(shards_dir, self._shards)
        image_bytes = int(np.prod(index.image_shape))
        self._cached: tuple[Any, Any] | None = None
        if self.num_samples * image_bytes <= self.settings.cache_bytes:
            self._cached = self._decode_all()

    @property
    def num_batches(self) -> int:
        """Batches of an epoch, the last one included."""
        return -(-self.num_samples // self.settings.batch_size)

    @property
    def in_memory(self) -> bool:
        """Whether the decoded split is kept in memory."""
        return self._cached is not None

    def shuffled(self, epoch: int) -> Any:
        """The batches of one epoch, in an order that depends on the seed and the epoch alone.

        Returns:
            `tf.data.Dataset` of (images uint8 (B, H, W, C), labels int64 (B,)).
        """
        rng = np.random.default_rng((self.settings.seed, epoch))
        if self._cached is not None:
            return self._gather(rng.permutation(self.num_samples))
        places = self._places.take(rng.permutation(len(self._shards)))
        return self._blocks(places, rng.integers(2**31, size=2))

    def in_order(self) -> Any:
        """The batches of the split in the order of the shards.

        Returns:
            `tf.data.Dataset` of (images uint8 (B, H, W, C), labels int64 (B,)).
        """
        if self._cached is not None:
            return self._gather(np.arange(self.num_samples))
        return self._blocks(self._places, None)

    def labels(self) -> NDArray[np.int64]:
        """The labels in the order of `in_order`, int64 of shape (num_samples,)."""
        if self._cached is not None:
            return np.asarray(self._cached[1])
        parts = [
            read_arrays(self._dir / shard.file, shard, ("labels",))["labels"]
            for shard in self._shards
        ]
        return np.concatenate(parts)

    @contextmanager
    def explain_damage(self) -> Iterator[None]:
        """Turns what TensorFlow says about a damaged shard into `DamagedShardError`.

        Put it around whatever draws batches. Errors that no shard explains pass unchanged.
        """
        try:
            yield
        except (
            tf.errors.DataLossError,
            tf.errors.InvalidArgumentError,
            tf.errors.NotFoundError,
            tf.errors.OutOfRangeError,
        ):
            self._find_damage()
            raise

    def _find_damage(self) -> None:
        """Reads every shard with NumPy, whose reader names the file and the fault."""
        check_sizes(self._dir, self._shards)
        for shard in self._shards:
            arrays = read_arrays(self._dir / shard.file, shard, ("images", "labels"))
            self._check_labels(arrays["labels"], shard)

    def _check_labels(self, labels: NDArray[np.int64], shard: ShardEntry) -> None:
        num_classes = len(self._index.class_names)
        if labels.size and not (labels.min() >= 0 and labels.max() < num_classes):
            raise DamagedShardError(
                f"{self._dir / shard.file}: labels run from {labels.min()} to {labels.max()}; "
                f"the index has {num_classes} classes"
            )

    def _decoded(self, places: ShardPlaces) -> Any:
        """Dataset of whole decoded shards, in order, several at a time."""
        shape = self._index.image_shape
        return tf.data.Dataset.from_tensor_slices(places.tensors()).map(
            lambda place: decode_shard(place, shape),
            num_parallel_calls=_AUTOTUNE,
            deterministic=True,
        )

    def _decode_all(self) -> tuple[Any, Any]:
        images = np.empty((self.num_samples, *self._index.image_shape), np.uint8)
        labels = np.empty(self.num_samples, np.int64)
        start = 0
        with self.explain_damage():
            for shard, (shard_images, shard_labels) in zip(
                self._shards, self._decoded(self._places).as_numpy_iterator(), strict=True
            ):
                stop = start + shard.num_samples
                self._check_labels(shard_labels, shard)
                images[start:stop], labels[start:stop] = shard_images, shard_labels
                start = stop
        with tf.device("CPU:0"):  # never on the accelerator: batches are gathered here
            return tf.convert_to_tensor(images), tf.convert_to_tensor(labels)

    def _gather(self, order: NDArray[np.int64]) -> Any:
        """Batches of the split in memory, in the order given."""
        assert self._cached is not None
        images, labels = self._cached
        with tf.device("CPU:0"):
            order = tf.convert_to_tensor(order)
        batches = _gather_batches(images, labels, order, self.settings.batch_size)
        return batches.prefetch(_AUTOTUNE)

    def _blocks(self, places: ShardPlaces, seed: NDArray[np.int64] | None) -> Any:
        """Batches of a split that is decoded as it is read; shuffled where there is a seed."""
        batch_size = self.settings.batch_size
        num_blocks = -(-len(self._shards) // self.settings.block_shards)

        def add_block(rest: Any, block: Any) -> Any:
            number, (images, labels) = block
            images = tf.concat([rest[0], images.values], 0)
            labels = tf.concat([rest[1], labels.values], 0)
            size = tf.size(labels)
            order = tf.range(size)
            if seed is not None:
                block_seed = tf.random.experimental.stateless_fold_in(seed, number)
                order = tf.random.experimental.stateless_shuffle(order, block_seed)
            # Whole batches go out; what is left over waits for the next block, if there is one.
            out = tf.where(number == num_blocks - 1, size, size // batch_size * batch_size)
            rest = (tf.gather(images, order[out:]), tf.gather(labels, order[out:]))
            return rest, (images, labels, order[:out])

        empty = (tf.zeros((0, *self._index.image_shape), tf.uint8), tf.zeros((0,), tf.int64))
        return (
            self._decoded(places)
            .ragged_batch(self.settings.block_shards)
            .enumerate()
            .scan(empty, add_block)
            .flat_map(
                lambda images, labels, order: _gather_batches(images, labels, order, batch_size)
            )
            .apply(tf.data.experimental.assert_cardinality(self.num_batches))
            .prefetch(_AUTOTUNE)
        )


def _gather_batches(images: Any, labels: Any, order: Any, batch_size: int) -> Any:
    """Dataset of batches of `images` and `labels`, in `order`."""
    order = tf.cast(order, tf.int64)
    size = tf.size(order, out_type=tf.int64)

    def batch(number: Any) -> tuple[Any, Any]:
        rows = order[number * batch_size : (number + 1) * batch_size]
        return tf.gather(images, rows), tf.gather(labels, rows)

    return tf.data.Dataset.range((size + batch_size - 1) // batch_size).map(batch)
