"""What a learner is fitted to: the stream's batches with targets, weights and drawn changes."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from fer_models.augmentation import draw_changes, share_of_other
from fer_models.plan import TrainPlan
from fer_models.stream import ShardStream
from fer_models.targets import Targets


def training_batches(
    stream: ShardStream, plan: TrainPlan, targets: Targets, epoch: int, *, start: int = 0
) -> Any:
    """Dataset of what a learner is fitted to in one epoch.

    Args:
        stream: of the train split.
        plan: of the run.
        targets: as `fer_models.targets.make_targets` gives it.
        epoch: counted from 0.
        start: batches to leave out at the beginning.

    Returns:
        `tf.data.Dataset` of (images, targets), or (images, targets, weights) where classes have
        weights; instead of the images stand images and changes where they are augmented.
    """
    augment, size = plan.settings.augment, plan.index.image_shape[:2]
    weights = None if plan.weights is None else tf.constant(plan.weights)

    def complete(images: Any, labels: Any, numbers: Any) -> tuple[Any, ...]:
        learned = [targets(labels, numbers)]
        if weights is not None:
            learned.append(tf.gather(weights, labels))
        if augment is None:
            return (images, *learned)
        changes = draw_changes(numbers, (plan.settings.seed, epoch), size, augment)
        if augment.mixes:
            learned = [_mix(part, share_of_other(changes, size)) for part in learned]
        return ((images, changes), *learned)

    batches = stream.shuffled(epoch, start=start, numbered=True)
    if plan.num_devices > 1:
        batches = batches.map(lambda *parts: fill_up(parts, plan.num_devices))
    return batches.map(complete).prefetch(tf.data.AUTOTUNE)


def fill_up(parts: Any, multiple: int) -> Any:
    """A batch with its first samples repeated at the end, so that devices can share it evenly.

    Args:
        parts: tensors of shape (batch, ...), in any nesting.
        multiple: what the number of samples is to be divisible by.
    """
    size = tf.shape(tf.nest.flatten(parts)[0])[0]
    rows = tf.range(-(-size // multiple) * multiple) % size
    return tf.nest.map_structure(lambda part: tf.gather(part, rows), parts)


def _mix(part: Any, share: Any) -> Any:
    """Targets or weights with a share of those before them in the batch, as their images are."""
    share = tf.reshape(share, [-1] + [1] * (len(part.shape) - 1))
    return part + (tf.roll(part, 1, axis=0) - part) * share
