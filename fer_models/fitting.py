"""One epoch: the batches it learns from, the chance it draws on, and what it costs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from fer_models.checkpoint import EpochProgress
from fer_models.errors import DivergedError
from fer_models.events import BatchDone, OnEvent
from fer_models.generators import generator_states, restore_generators, seed_generators
from fer_models.image_changes import with_changes
from fer_models.image_growth import GrowingSide, with_growth
from fer_models.optimizers import KeepRawWeights, PlannedRate, build_optimizer, make_optimizer
from fer_models.plan import TrainPlan
from fer_models.stream import ShardStream
from fer_models.targets import Targets, make_loss
from fer_models.training_batches import training_batches

_SECONDS_BETWEEN_EVENTS = 0.2


def make_learner(network: Any, plan: TrainPlan, rate: PlannedRate, side: GrowingSide) -> Any:
    """What is fitted: the network, or one that changes the images before it; compiled.

    It shares the network's weights.

    Args:
        network: with its first weights.
        plan: of the run.
        rate: of each step.
        side: of the images that are learned from, where they grow.

    Raises:
        SettingsError: images are to grow, and the network takes no smaller ones.
    """
    settings = plan.settings
    learner = with_growth(network, side) if settings.first_side else network
    learner = learner if settings.augment is None else with_changes(learner, settings.augment)
    learner.compile(
        optimizer=make_optimizer(settings, rate),
        loss=make_loss(plan),
        metrics=["accuracy"],
        jit_compile={"auto": "auto", "on": True, "off": False}[settings.xla],
    )
    build_optimizer(learner)
    return learner


def learning_rate(learner: Any) -> float:
    """The learning rate of the next step."""
    return float(keras.ops.convert_to_numpy(learner.optimizer.learning_rate))


def fit_epoch(
    learner: Any,
    stream: ShardStream,
    plan: TrainPlan,
    targets: Targets,
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
        targets: of its samples, as `fer_models.targets.make_targets` gives them.
        epoch: counted from 0.
        on_event: told of batches.
        done: what was learned of the epoch before.
        stop: asked after each batch.

    Returns:
        What is learned of the epoch now.

    Raises:
        DivergedError: the loss or a weight is no longer a number.
        DamagedShardError: a shard is not what the index says.
    """
    if done.batches == 0:
        seed_generators(learner, plan.settings.seed, epoch)
    start = last = time.perf_counter()
    progress = done
    num_samples = -(-stream.part_samples // plan.num_devices) * plan.num_devices  # filled up

    def tell(batch: int, logs: dict[str, float]) -> None:
        nonlocal last, progress
        if not math.isfinite(logs["loss"]):
            raise DivergedError(
                f"the loss became {logs['loss']} in epoch {epoch + 1}, "
                f"batch {done.batches + batch + 1}"
            )
        now = time.perf_counter()
        samples = min((batch + 1) * stream.settings.batch_size, num_samples - done.samples)
        progress = EpochProgress(
            batches=done.batches + batch + 1,
            samples=done.samples + samples,
            loss_sum=done.loss_sum + logs["loss"] * samples,
            num_right=done.num_right + logs["accuracy"] * samples,
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

    callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=tell)]
    if plan.settings.ema:
        callbacks.append(KeepRawWeights())
    if keras.backend.backend() == "torch":
        states = generator_states(learner)

        def undo_draws(batch: int, logs: Any = None) -> None:
            if batch == 0:  # of this fit, whose data loader has drawn a seed
                restore_generators(learner, states)

        callbacks.append(keras.callbacks.LambdaCallback(on_train_batch_begin=undo_draws))
    with stream.explain_damage():
        learner.fit(
            training_batches(stream, plan, targets, epoch, start=done.batches),
            shuffle=False,  # the stream does
            verbose=0,
            callbacks=callbacks,
        )
    _check_weights(learner, epoch)
    return progress


def _check_weights(learner: Any, epoch: int) -> None:
    """Refuses weights that cannot be multiplied any more; the loss tells it a step too late."""
    with np.errstate(over="ignore"):
        if not all(np.isfinite(np.square(weight)).all() for weight in learner.get_weights()):
            raise DivergedError(f"the weights grew beyond all numbers in epoch {epoch + 1}")
