"""Shards as batches, decoded and shuffled by TensorFlow's own operations.

No Python runs in the hot path, and no single sample is ever handled. A split that fits into
`StreamSettings.cache_bytes` is decoded once and kept as uint8 in memory; each epoch is then one
permutation and a gather a batch. A larger one is decoded anew each epoch: shards in an order of
their own, a few of them permuted together, batches cut across these blocks, so that every batch
but the last is full and every sample comes exactly once. The order is known before anything is
read: an epoch can be gone on with in its middle, or dealt to several trainers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_data.errors import DamagedShardError, SettingsError
from fer_data.shards.arrays import read_arrays
from fer_data.shards.index import ShardEntry, ShardIndex
from fer_models.epoch_batches import BlockBatches, MemoryBatches
from fer_models.epoch_order import BlockPlan, Part, order_shards, part_of_trainer, plan_blocks
from fer_models.members import locate_shards
from fer_models.presence import check_sizes
from fer_models.stream_settings import StreamSettings, StreamState

__all__ = ["ShardStream", "StreamSettings", "StreamState"]


class ShardStream:
    """One split of a folder of shards, or several as one, ready to be streamed as often as needed.

    Opening checks the sizes of the files and, where the split fits into memory, decodes and
    checks all of it: damage shows before the first batch.

    Args:
        shards_dir: the folder of shards.
        index: its index.
        split: `"train"`, `"validation"` or `"test"`; or several of them, whose shards follow each
            other.
        settings: batch size, seed and memory.

    Raises:
        UnknownNameError: the shards have no such split.
        SettingsError: it has fewer samples than there are trainers.
        DamagedShardError: a shard is not what the index says.
    """

    def __init__(
        self,
        shards_dir: Path,
        index: ShardIndex,
        split: str | tuple[str, ...],
        settings: StreamSettings | None = None,
    ) -> None:
        self.settings = settings if settings is not None else StreamSettings()
        splits = (split,) if isinstance(split, str) else split
        self.num_samples = index.num_samples(*splits)
        self._dir = shards_dir
        self._index = index
        self._shards = tuple(s for s in index.split_shards(*splits) if s.num_samples > 0)
        check_sizes(shards_dir, self._shards)
        self._part = self._find_part(" and ".join(splits))
        self._sizes = np.array([shard.num_samples for shard in self._shards], np.int64)
        places = locate_shards(shards_dir, self._shards)
        self._blocks = BlockBatches(places, index.image_shape, self.settings.block_shards)
        image_bytes = int(np.prod(index.image_shape))
        fits = self.num_samples * image_bytes <= self.settings.cache_bytes
        self._memory = self._decode_all() if fits else None

    @property
    def num_batches(self) -> int:
        """Batches of an epoch, the last one included."""
        return self._part.num_batches

    @property
    def part_samples(self) -> int:
        """Samples that this trainer draws in an epoch; all of them where it is the only one."""
        return self._part.num_samples

    @property
    def in_memory(self) -> bool:
        """Whether the decoded split is kept in memory."""
        return self._memory is not None

    def shuffled(self, epoch: int, *, start: int = 0, numbered: bool = False) -> Any:
        """The batches of one epoch, in an order that depends on the seed and the epoch alone.

        Args:
            epoch: counted from 0.
            start: batches to leave out at the beginning; the others are the same as without.
            numbered: whether each sample comes with its number in the order of the shards.

        Returns:
            `tf.data.Dataset` of (images uint8 (B, H, W, C), labels int64 (B,)), and with
            `numbered` of (images, labels, numbers int64 (B,)).

        Raises:
            SettingsError: an epoch has no such batch.
        """
        if not 0 <= start <= self.num_batches:
            raise SettingsError(f"start must be 0 to {self.num_batches}; received {start}")
        rng = np.random.default_rng((self.settings.seed, epoch))
        first, last = self._part.first + start * self.settings.batch_size, self._part.last
        num_batches = self.num_batches - start
        if num_batches == 0:
            return self.shuffled(epoch, start=start - 1, numbered=numbered).take(0)
        if self._memory is not None:
            order = rng.permutation(self.num_samples)[first:last]
            return self._memory(order, self.settings.batch_size, num_batches, numbered=numbered)
        order = order_shards(rng, self._sizes, self.settings.block_shards)
        plan = self._plan_blocks(order, first, last, num_batches)
        return self._blocks(plan, order, rng.integers(2**31, size=2), numbered=numbered)

    def state(self, epoch: int, batch: int) -> StreamState:
        """What to keep to go on after `batch` batches of an epoch."""
        return StreamState(epoch=epoch, batch=batch, order=self._order_digest())

    def restored(self, state: StreamState, *, numbered: bool = False) -> Any:
        """The rest of the epoch that was drawn up to `state`; as `shuffled` gives it.

        Raises:
            SettingsError: the state is of other shards or settings, whose order is another.
        """
        if state.order != self._order_digest():
            raise SettingsError(
                f"{self._dir}: the state is of other shards or of another batch size, seed, memory "
                "or trainer; go on with what it was saved with, or begin the epoch anew"
            )
        return self.shuffled(state.epoch, start=state.batch, numbered=numbered)

    def in_order(self) -> Any:
        """The batches of the whole split, in the order of the shards.

        Returns:
            `tf.data.Dataset` of (images uint8 (B, H, W, C), labels int64 (B,)).
        """
        num_batches = -(-self.num_samples // self.settings.batch_size)
        if self._memory is not None:
            order = np.arange(self.num_samples)
            return self._memory(order, self.settings.batch_size, num_batches, numbered=False)
        order = np.arange(len(self._shards))
        plan = self._plan_blocks(order, 0, self.num_samples, num_batches)
        return self._blocks(plan, order, None, numbered=False)

    def labels(self) -> NDArray[np.int64]:
        """The labels in the order of `in_order`, int64 of shape (num_samples,)."""
        if self._memory is not None:
            return self._memory.labels
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

    def _find_part(self, name: str) -> Part:
        num_trainers = self.settings.num_trainers
        if self.num_samples < num_trainers:
            raise SettingsError(
                f"{self._dir}: {name} has {self.num_samples} samples; expected one or more for "
                f"each of {num_trainers} trainers"
            )
        return part_of_trainer(
            self.num_samples, self.settings.trainer, num_trainers, self.settings.batch_size
        )

    def _order_digest(self) -> str:
        """Hex digest of all that the order of an epoch depends on, beside its number."""
        options = self.settings
        parts = [options.seed, options.batch_size, options.trainer, options.num_trainers]
        if not self.in_memory:
            parts.append(options.block_shards)
        shards = [shard.sha256 for shard in self._shards]
        return hashlib.sha256(json.dumps([parts, shards]).encode()).hexdigest()

    def _find_damage(self) -> None:
        """Reads every shard with NumPy, whose reader names the file and the fault.

        Raises:
            DamagedShardError: a shard is not what the index says.
        """
        check_sizes(self._dir, self._shards)
        for shard in self._shards:
            path = self._dir / shard.file
            arrays = read_arrays(path, shard, ("images", "labels"))
            self._check_labels(arrays["labels"], shard)
            # TensorFlow refuses some wrong bits that leave what a stream holds as it was
            if hashlib.sha256(path.read_bytes()).hexdigest() != shard.sha256:
                raise DamagedShardError(
                    f"{path}: its sha256 is not that of the index; run `ferdata pack` again to "
                    "write it anew"
                )

    def _check_labels(self, labels: NDArray[np.int64], shard: ShardEntry) -> None:
        num_classes = len(self._index.class_names)
        if labels.size and not (labels.min() >= 0 and labels.max() < num_classes):
            raise DamagedShardError(
                f"{self._dir / shard.file}: labels run from {labels.min()} to {labels.max()}; "
                f"the index has {num_classes} classes"
            )

    def _decode_all(self) -> MemoryBatches:
        images = np.empty((self.num_samples, *self._index.image_shape), np.uint8)
        labels = np.empty(self.num_samples, np.int64)
        start = 0
        with self.explain_damage():
            decoded = self._blocks.decoded(np.arange(len(self._shards)))
            for shard, (shard_images, shard_labels, _) in zip(
                self._shards, decoded.as_numpy_iterator(), strict=True
            ):
                stop = start + shard.num_samples
                self._check_labels(shard_labels, shard)
                images[start:stop], labels[start:stop] = shard_images, shard_labels
                start = stop
        return MemoryBatches(images, labels)

    def _plan_blocks(
        self, order: NDArray[np.int64], first: int, last: int, num_batches: int
    ) -> BlockPlan:
        options = self.settings
        return plan_blocks(
            self._sizes[order], options.block_shards, (first, last), options.batch_size, num_batches
        )
