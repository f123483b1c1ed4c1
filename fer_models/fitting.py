"""One epoch: the batches it learns from, the chance it draws on, and what it costs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fer_models.augmentation import draw_movements, with_movements
from fer_models.checkpoint import EpochProgress, random_generators
from fer_models.errors import DivergedError
from fer_models.events import BatchDone, OnEvent
from fer_models.plan import TrainPlan
from fer_models.stream import ShardStream

_SECONDS_BETWEEN_EVENTS = 0.2


def make_learner(network: Any, plan: TrainPlan) -> Any:
    """What is fitted: the network, or one that moves the images before it; compiled.

    It shares the network's weights.
    """
    learner = network if plan.settings.augment is None else with_movements(network)
    rate: Any = plan.settings.learning_rate
    if plan.settings.schedule == "cosine":
        steps = plan.settings.epochs * plan.num_batches
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    learner.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    learner.optimizer.build(learner.trainable_variables)
    return learner


def learning_rate(learner: Any) -> float:
    """The learning rate of the next step."""
    return float(keras.ops.convert_to_numpy(learner.optimizer.learning_rate))


def fit_epoch(
    learner: Any,
    stream: ShardStream,
    plan: TrainPlan,
    epoch: int,
    on_event: OnEvent,
    *,
    done: EpochProgress,
    stop: Callable[[], bool],
) -> EpochProgress:
    """Learns the rest of an epoch, or as much of it until `stop` says so.

    What it does depends on the state of the learner, the seed and `epoch` alone: a run that is
    resumed draws the same order, augmentation and dropout as one that was never stopped.

    Args:
        learner: as `make_learner` gives it.
        stream: of the train split.
        plan: of the run.
        epoch: counted from 0.
        on_event: told of batches.
        done: what was learned of the epoch before.
        stop: asked after each batch.

    Returns:
        What is learned of the epoch now.

    Raises:
        DivergedError: the loss is no longer a number.
        DamagedShardError: a shard is not what the index says.
    """
    if done.batches == 0:
        seed_dropout(learner, plan.settings.seed, epoch)
    start = last = time.perf_counter()
    progress = done

    def tell(batch: int, logs: dict[str, float]) -> None:
        nonlocal last, progress
        if not math.isfinite(logs["loss"]):
            raise DivergedError(
                f"the loss became {logs['loss']} in epoch {epoch + 1}, "
                f"batch {done.batches + batch + 1}"
            )
        now = time.perf_counter()
        samples = min((batch + 1) * stream.settings.batch_size, stream.part_samples - done.samples)
        progress = EpochProgress(
            batches=done.batches + batch + 1,
            samples=done.samples + samples,
            loss=done.loss + logs["loss"] * samples,
            accuracy=done.accuracy + logs["accuracy"] * samples,
            seconds=done.seconds + now - start,
        )
        is_last = progress.batches == stream.num_batches
        if is_last or now - last >= _SECONDS_BETWEEN_EVENTS:
            last = now
            on_event(
                BatchDone(
                    epoch=epoch + 1,
                    batch=progress.batches,
                    num_batches=stream.num_batches,
                    loss=progress.mean_loss,
                    accuracy=progress.mean_accuracy,
                    images_per_second=samples / (now - start),
                )
            )
        if not is_last and stop():
            learner.stop_training = True

    with stream.explain_damage():
        learner.fit(
            training_batches(stream, plan, epoch, start=done.batches),
            shuffle=False,  # the stream does
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=tell)],
        )
    return progress


def training_batches(stream: ShardStream, plan: TrainPlan, epoch: int, *, start: int = 0) -> Any:
    """Dataset of what a learner is fitted to in one epoch.

    Args:
        stream: of the train split.
        plan: of the run.
        epoch: counted from 0.
        start: batches to leave out at the beginning.

    Returns:
        `tf.data.Dataset` of (images, labels), or (images, labels, weights) where classes have
        weights; instead of the images stand images and movements where they are augmented.
    """
    augment, size = plan.settings.augment, plan.index.image_shape[:2]
    weights = None if plan.weights is None else tf.constant(plan.weights)

    def complete(images: Any, labels: Any, *numbers: Any) -> tuple[Any, ...]:
        inputs = images
        if augment is not None:
            seed = (plan.settings.seed, epoch)
            inputs = (images, draw_movements(numbers[0], seed, size, augment))
        return (inputs, labels) if weights is None else (inputs, labels, tf.gather(weights, labels))

    batches = stream.shuffled(epoch, start=start, numbered=augment is not None)
    return batches.map(complete).prefetch(tf.data.AUTOTUNE)


def seed_dropout(learner: Any, seed: int, epoch: int) -> None:
    """Puts every random generator of a learner into a state of its seed and epoch alone."""
    generators = random_generators(learner)
    for variable, state in zip(
        generators, _draw_seeds(seed, epoch, len(generators) + 1)[1:], strict=True
    ):
        variable.assign(state.astype(variable.dtype))


def _draw_seeds(seed: int, epoch: int, num_seeds: int) -> Any:
    """Integers from 0 to 2**31 - 1 of shape (num_seeds, 2)."""
    return np.random.default_rng((seed, epoch, 1)).integers(2**31, size=(num_seeds, 2))
