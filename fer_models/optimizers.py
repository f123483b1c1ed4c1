"""Optimizers and the learning rate of every step.

The rate is a function of the settings, the step and, for plateaus, of the history: nothing of it
needs to be saved for a run to be gone on with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from fer_models.settings import TrainSettings

_FIRST_RATE = 1 / 25  # of a one-cycle, as a share of its highest


class PlannedRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The learning rate of a step.

    Args:
        settings: rate, schedule and warm-up.
        num_batches: steps of an epoch.
        factor: of the whole, for plateaus. Steps that are compiled keep the one they began with.
    """

    def __init__(self, settings: TrainSettings, num_batches: int, factor: float = 1.0) -> None:
        self.settings = settings
        self.num_batches = num_batches
        self.factor = factor

    def __call__(self, step: Any) -> Any:
        """The rate of a step, counted from 0; a scalar."""
        from keras import ops

        settings = self.settings
        step = ops.cast(step, "float32")
        rate = settings.learning_rate * self.factor * ops.ones_like(step)
        if settings.schedule == "one-cycle":
            return rate * self._one_cycle(step)
        if settings.schedule == "cosine":
            num_steps = max(1, settings.epochs * self.num_batches)
            done = ops.minimum(step / num_steps, 1.0)
            rate *= 0.5 * (1.0 + ops.cos(math.pi * done))
        elif settings.schedule == "step":
            # half a step on: a quotient that is whole must not be rounded to just below it
            drops = ops.floor((step + 0.5) / (settings.drop_every * self.num_batches))
            rate *= ops.power(settings.drop, drops)
        if settings.warmup:
            rate *= ops.minimum((step + 1.0) / (settings.warmup * self.num_batches), 1.0)
        return rate

    def _one_cycle(self, step: Any) -> Any:
        """The share of the highest rate: half a cosine up, half a cosine down."""
        from keras import ops

        rise = self.settings.warmup * self.num_batches
        fall = max(1.0, self.settings.epochs * self.num_batches - rise)
        done = ops.minimum(ops.maximum(step - rise, 0.0) / fall, 1.0)
        falling = 0.5 * (1.0 + ops.cos(math.pi * done))
        if not rise:
            return falling
        risen = 0.5 * (1.0 - ops.cos(math.pi * ops.minimum(step / rise, 1.0)))
        return ops.where(step < rise, _FIRST_RATE + (1.0 - _FIRST_RATE) * risen, falling)


def make_optimizer(settings: TrainSettings, rate: PlannedRate) -> Any:
    """The `keras.optimizers.Optimizer` of a run.

    Args:
        settings: of the run.
        rate: of each step.
    """
    kinds = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
    }
    own: dict[str, Any] = {}
    if settings.optimizer == "sgd":
        own = {"momentum": settings.momentum, "nesterov": settings.nesterov}
    averaged = {"use_ema": True, "ema_momentum": settings.ema} if settings.ema else {}
    return kinds[settings.optimizer](
        rate,
        # AdamW insists on a number
        weight_decay=settings.weight_decay or (0.0 if settings.optimizer == "adamw" else None),
        global_clipnorm=settings.clip_norm or None,
        **own,
        **averaged,
    )


def build_optimizer(learner: Any) -> None:
    """Makes the variables of a compiled network's optimizer; biases and norms do not decay."""
    if learner.optimizer.weight_decay:
        learner.optimizer.exclude_from_weight_decay(
            var_list=[v for v in learner.trainable_variables if len(v.shape) < 2]
        )
    learner.optimizer.build(learner.trainable_variables)


class KeepRawWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps Keras from putting the moving average in the place of the weights when `fit` ends.

    `fit` is called for every part of an epoch; the average is only judged and kept, never learned
    on with. `use_ema` is asked for after the last step, and again in the next `fit`.
    """

    def on_train_begin(self, logs: Any = None) -> None:
        """Averages again."""
        self.model.optimizer.use_ema = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Leaves the weights alone."""
        self.model.optimizer.use_ema = False


@contextmanager
def averaged_weights(learner: Any, settings: TrainSettings) -> Iterator[None]:
    """While it lasts, a learner has the weights that are judged and kept.

    They are the moving average of its own, where there is one; statistics of batch normalization,
    which are moving averages themselves, stay as they are.

    Args:
        learner: a compiled network that has made a step.
        settings: of the run.
    """
    if not settings.ema:
        yield
        return
    weights = learner.get_weights()
    learner.optimizer.use_ema = True
    learner.optimizer.finalize_variable_values(learner.trainable_variables)
    learner.set_weights(learner.get_weights())  # under JAX they would be the optimizer's own
    try:
        yield
    finally:
        learner.set_weights(weights)
