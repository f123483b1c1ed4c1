"""What a network is to learn of each sample: a label, or a share for every class; and the loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_data.shards.arrays import read_arrays
from fer_data.shards.index import ShardIndex
from fer_models.plan import TrainPlan

#: From labels and numbers of samples, int64 tensors of shape (batch,), to what a loss takes.
Targets = Callable[[Any, Any], Any]


def read_votes(shards_dir: Path, index: ShardIndex, splits: tuple[str, ...]) -> NDArray[np.float32]:
    """The shares of the votes of every sample of some splits, in the order of the shards.

    Returns:
        float32 array of shape (num_samples, num_classes); rows sum to 1, or to 0 where nobody
        voted.

    Raises:
        DamagedShardError: a shard is not what the index says, or holds no votes.
    """
    num_classes = len(index.class_names)
    parts = [
        read_arrays(shards_dir / shard.file, shard, ("votes",))["votes"]
        for shard in index.split_shards(*splits)
        if shard.num_samples
    ]
    votes = np.concatenate([*parts, np.empty((0, num_classes), np.float32)]).astype(np.float64)
    sums = votes.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = np.divide(votes, sums, out=np.zeros_like(votes), where=sums > 0)
    return shares.astype(np.float32)


def make_targets(
    plan: TrainPlan, shards_dir: Path, taught: NDArray[np.float32] | None = None
) -> Targets:
    """What gives the targets of a batch of what is learned from.

    They are int64 labels of shape (batch,), or where `plan.has_soft_targets` float32 shares of
    shape (batch, num_classes), each row summing to 1: votes and labels blended, smoothed, and then
    blended with what teachers say, which has doubts of its own.

    Args:
        plan: of the run.
        shards_dir: folder of shards.
        taught: float32 array of shape (num_samples, num_classes) where `plan.is_taught`, as
            `fer_models.teachers.ask_teachers` gives it.
    """
    if not plan.has_soft_targets:
        return lambda labels, _numbers: labels
    num_classes = len(plan.index.class_names)
    smoothing, vote_share = plan.settings.label_smoothing, plan.settings.vote_share
    weight, votes, teacher = plan.settings.distill_weight, None, None
    with tf.device("CPU:0"):
        if taught is not None:
            teacher = tf.constant(taught)
        if plan.loss == "votes":
            votes = tf.constant(read_votes(shards_dir, plan.index, plan.settings.train_splits))

    def shares(labels: Any, numbers: Any) -> Any:
        rows = tf.one_hot(labels, num_classes)
        if votes is not None:
            voted = tf.gather(votes, numbers)
            has_votes = tf.reduce_sum(voted, axis=1, keepdims=True) > 0
            blended = voted * vote_share + rows * (1.0 - vote_share)
            rows = tf.where(has_votes, blended, rows)
        rows = rows * (1.0 - smoothing) + smoothing / num_classes
        if teacher is not None:
            rows = rows * (1.0 - weight) + tf.gather(teacher, numbers) * weight
        return rows

    return shares


def make_loss(plan: TrainPlan) -> Any:
    """The `keras.losses.Loss` between the targets of `make_targets` and probabilities."""
    from keras import losses

    if plan.loss == "focal":
        # alpha=1: a gamma of 0 is the cross-entropy
        return losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=plan.settings.gamma)
    if plan.has_soft_targets:
        return losses.CategoricalCrossentropy()
    return losses.SparseCategoricalCrossentropy()
