"""Settings of a training run, shared by every network's file and by `fer_models.train`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer_data.errors import SettingsError, UnknownNameError
from fer_models.augmentation import AugmentSettings

CLASS_WEIGHTS = ("auto", "original", "balanced", "none")
LOSSES = ("auto", "sparse", "votes", "focal")
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop")
PRECISIONS = ("auto", "float32", "mixed_bfloat16")
SCHEDULES = ("constant", "step", "plateau", "cosine", "one-cycle")
XLA = ("auto", "on", "off")
SIDE_STEP = 8  # pixels by which images grow

_NAMES = (
    ("class_weights", CLASS_WEIGHTS),
    ("loss", LOSSES),
    ("optimizer", OPTIMIZERS),
    ("precision", PRECISIONS),
    ("schedule", SCHEDULES),
    ("xla", XLA),
)
_LEAST = (("epochs", 0), ("batch_size", 1), ("patience", 0), ("seed", 0), ("drop_every", 1),
          ("devices", 0), ("components", 0), ("folds", 0), ("limit", 0), ("first_side", 0),
          ("grow_epochs", 0))  # fmt: skip
_MOST_SEED = 2**32 - 1  # that NumPy and Keras take
_SHARES = ("momentum", "ema", "label_smoothing")  # 0 to below 1
_BLENDS = ("vote_share", "distill_weight")  # 0 to 1
_AMOUNTS = ("weight_decay", "clip_norm", "warmup", "gamma", "save_minutes")  # 0 or more
_CHANGEABLE = ("save_minutes", "tensorboard")  # what is learned does not depend on them


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """What a network is trained with; each network's file has defaults of its own.

    Attributes:
        model: name of the network, one of `fer_models.zoo.NETWORKS`, or `path.py:function`.
        preset: named variant of the network; `""` is the usual one.
        weights: what a transfer network starts from: path of a weights file, `""` for Keras' own
            download of ImageNet weights, `"none"` for random ones.
        epochs: at most so many passes over the training samples; 0 only builds the network.
        with_validation: whether the validation split is learned from too, as in a final run: the
            last epoch is kept then, for there is nothing to choose one by.
        batch_size: samples a step.
        optimizer: `"adam"`, `"adamw"`, `"sgd"` or `"rmsprop"`.
        momentum: of sgd.
        nesterov: whether sgd looks ahead along its momentum (Nesterov; Sutskever et al., 2013).
        weight_decay: share of each weight that a step takes away, times the learning rate:
            decoupled from the gradient, as AdamW has it, with every optimizer. Biases and norms
            (weights of one dimension) keep theirs. 0 for none.
        clip_norm: the norm of all gradients together is cut to this; 0 for never.
        ema: momentum of the moving average of the weights, which is what is judged and kept in
            the bundle; 0 for the weights themselves.
        learning_rate: the highest; others follow from the schedule.
        schedule: `"constant"`; `"step"`: times `drop` every `drop_every` epochs; `"plateau"`:
            times `drop` after `drop_every` epochs without a better one; `"cosine"`: falls to 0
            along half a cosine over all epochs; `"one-cycle"`: rises from 1/25 along half a cosine
            in the epochs of warm-up and falls to 0 along another one in all others (Smith & Topin,
            arXiv:1708.07120).
        drop: factor of step and plateau, above 0 and below 1.
        drop_every: epochs of step and plateau.
        warmup: epochs in which the rate first rises from 0, fractions of one allowed.
        loss: `"sparse"`: cross-entropy to the labels; `"votes"`: to the shares of the votes, and
            to the label where a sample has none; `"focal"`: to the labels, sure samples counting
            less; `"auto"`: votes where the shards have them, else sparse.
        vote_share: of each target that the votes of loss votes are; the rest is the label.
        gamma: of the focal loss; the higher, the less sure samples count.
        label_smoothing: share of each target that is spread evenly over all classes.
        first_side: side of the images in the first epochs, smaller than their own: progressive
            resolution (Tan & Le, arXiv:2104.00298), for networks that take any side; 0 for their
            own side throughout. Validation images are never made smaller.
        grow_epochs: epochs until the images have their own side; they grow by `SIDE_STEP` pixels at
            a time, each size for as many epochs as the others.
        distill: folders of runs or bundles, the teachers: their mean probabilities are learned too.
        distill_weight: of each target that the teachers are; the rest is the label or the votes.
        augment: how training images are changed at random; None leaves them as they are.
        class_weights: `"original"` or `"balanced"` takes the index's weights before or after
            balancing, `"auto"` the balanced ones where the shards hold augmented samples and the
            original ones elsewhere, `"none"` weighs all samples alike.
        precision: a Keras dtype policy; `"auto"` is mixed bfloat16 where the device multiplies
            it (GPUs since 2020, CPUs with AVX512_BF16 or AMX) and float32 elsewhere.
        xla: whether steps are compiled by XLA; `"auto"` as Keras sees fit.
        devices: accelerators that share each batch; 0 for all of them.
        patience: stop after so many epochs without a better one; 0 never stops.
        seed: seed of the first weights, the order, the augmentation and the dropout.
        save_minutes: a longer epoch is saved in its middle this often; 0 after each batch.
        tensorboard: whether the history is written for TensorBoard too.
        components: of a baseline: principal components of the pixels; 0 for the pixels themselves.
        folds: of a baseline: rounds of cross-validation on the train split; 0 for none.
        limit: of a baseline: most training samples, of each class its share; 0 for all.
    """

    model: str = "cnn4"
    preset: str = ""
    weights: str = ""
    epochs: int = 40
    with_validation: bool = False
    batch_size: int = 64
    optimizer: str = "adam"
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    ema: float = 0.0
    learning_rate: float = 1e-3
    schedule: str = "constant"
    drop: float = 0.1
    drop_every: int = 10
    warmup: float = 0.0
    loss: str = "auto"
    vote_share: float = 1.0
    gamma: float = 2.0
    label_smoothing: float = 0.0
    first_side: int = 0
    grow_epochs: int = 0
    distill: tuple[str, ...] = ()
    distill_weight: float = 0.7
    augment: AugmentSettings | None = None
    class_weights: str = "auto"
    precision: str = "auto"
    xla: str = "auto"
    devices: int = 1
    patience: int = 10
    seed: int = 0
    save_minutes: float = 5.0
    tensorboard: bool = False
    components: int = 0
    folds: int = 0
    limit: int = 0

    def __post_init__(self) -> None:
        _check_whole_numbers(self)
        for name, known in _NAMES:
            if getattr(self, name) not in known:
                raise UnknownNameError(name.replace("_", " "), getattr(self, name), known)
        for name in _SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(f"{name} must be 0 to below 1; received {getattr(self, name)}")
        for name in _BLENDS:
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} must be 0 to 1; received {getattr(self, name)}")
        for name in _AMOUNTS:
            if not 0 <= getattr(self, name) < math.inf:
                raise SettingsError(f"{name} must be 0 or more; received {getattr(self, name)}")
        if not 0 < self.learning_rate < math.inf:
            raise SettingsError(f"learning_rate must be above 0; received {self.learning_rate}")
        if not 0 < self.drop < 1:
            raise SettingsError(f"drop must be above 0 and below 1; received {self.drop}")
        _check_epochs(self)

    @property
    def train_splits(self) -> tuple[str, ...]:
        """The splits that are learned from."""
        return ("train", "validation") if self.with_validation else ("train",)

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return dataclasses.asdict(self) | {"distill": list(self.distill)}


def _check_whole_numbers(settings: TrainSettings) -> None:
    if settings.folds == 1:
        raise SettingsError("folds must be 2 or more, or 0 for none; received 1")
    for name, least in _LEAST:
        if getattr(settings, name) < least:
            raise SettingsError(
                f"{name} must be {least} or more; received {getattr(settings, name)}"
            )
    if settings.seed > _MOST_SEED:
        raise SettingsError(f"seed must be at most {_MOST_SEED}; received {settings.seed}")


def _check_epochs(settings: TrainSettings) -> None:
    epochs = settings.epochs
    for name in ("warmup", "grow_epochs"):
        if epochs and getattr(settings, name) > epochs:
            raise SettingsError(
                f"{name} must be at most the {epochs} epochs; received {getattr(settings, name):g}"
            )
    if bool(settings.first_side) != bool(settings.grow_epochs):
        raise SettingsError(
            "first_side and grow_epochs belong together: images grow from the one in the other;"
            f" received {settings.first_side} and {settings.grow_epochs}"
        )


def in_epochs(settings: TrainSettings, epochs: int) -> TrainSettings:
    """The settings for another number of epochs: images grow in the same share of them.

    Example:
        >>> whole = TrainSettings(epochs=60, warmup=10, first_side=32, grow_epochs=36)
        >>> short = in_epochs(whole, 5)
        >>> short.warmup, short.grow_epochs
        (5, 3)
    """
    grow_epochs = settings.grow_epochs * epochs // max(1, settings.epochs)
    return dataclasses.replace(
        settings,
        epochs=epochs,
        warmup=min(settings.warmup, epochs),
        grow_epochs=grow_epochs,
        first_side=settings.first_side if grow_epochs else 0,
    )


def settings_from_json(fields: Mapping[str, Any]) -> TrainSettings:
    """The settings that `to_json` wrote.

    Raises:
        SettingsError: a field is unknown or wrong.
    """
    fields = dict(fields)
    try:
        if fields.get("augment") is not None:
            fields["augment"] = AugmentSettings(**fields["augment"])
        if "distill" in fields:
            fields["distill"] = tuple(fields["distill"])
        return TrainSettings(**fields)
    except TypeError as error:
        raise SettingsError(f"not the settings of a training run: {error}") from None


def changed_settings(settings: TrainSettings, others: TrainSettings) -> list[str]:
    """What differs of all that decides what is learned, a line a setting: `name ours, not theirs`.

    How often a run is saved, and what is written beside it, may differ.
    """
    ours, theirs = settings.to_json(), others.to_json()
    return [
        f"{name} {theirs[name]}, not {ours[name]}"
        for name in ours
        if ours[name] != theirs[name] and name not in _CHANGEABLE
    ]
