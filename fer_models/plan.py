"""What a training run will do: every `"auto"` decided, and said."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_data.shards.index import ShardIndex, read_index
from fer_models.devices import bfloat16_device, find_devices
from fer_models.image_changes import has_xla_form
from fer_models.settings import TrainSettings
from fer_models.teachers import check_teachers
from fer_models.zoo import check_model

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """A run before it starts.

    Attributes:
        settings: as asked for.
        index: of the shards.
        class_weights: which ones: `"original"`, `"balanced"` or `"none"`.
        loss: `"sparse"`, `"votes"` or `"focal"`.
        precision: Keras dtype policy.
        devices: that share each batch, as the backend names them.
        notes: what was chosen and why, a sentence each.
    """

    settings: TrainSettings
    index: ShardIndex
    class_weights: str
    loss: str
    precision: str
    devices: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def num_devices(self) -> int:
        """Devices that share each batch."""
        return len(self.devices)

    @property
    def is_taught(self) -> bool:
        """Whether teachers have a share in the targets."""
        return bool(self.settings.distill) and self.settings.distill_weight > 0

    @property
    def has_soft_targets(self) -> bool:
        """Whether a sample's target is a share for each class, not a label."""
        augment = self.settings.augment
        mixes = augment is not None and augment.mixes
        smooths = self.settings.label_smoothing > 0
        return self.loss != "sparse" or smooths or mixes or self.is_taught

    @property
    def num_samples(self) -> int:
        """Samples that are learned from."""
        return self.index.num_samples(*self.settings.train_splits)

    @property
    def num_validation(self) -> int:
        """Samples of the validation split, where it is judged on; else 0."""
        return 0 if self.settings.with_validation else self.index.num_samples("validation")

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        return -(-self.num_samples // self.settings.batch_size)

    @property
    def weights(self) -> NDArray[np.float32] | None:
        """Weight of each class, float32 of shape (num_classes,); None where all count alike."""
        if self.class_weights == "none":
            return None
        weights = self.index.class_weights[self.class_weights]
        return np.array([weights[name] for name in self.index.class_names], np.float32)

    def to_json(self) -> dict[str, Any]:
        """What will be done, as JSON values."""
        weights = None if self.class_weights == "none" else self.weights
        names = self.index.class_names
        return self.settings.to_json() | {
            "training_samples": self.num_samples,
            "validation_samples": self.num_validation,
            "batches_per_epoch": self.num_batches,
            "class_weights": self.class_weights
            if weights is None
            else {name: round(float(w), 6) for name, w in zip(names, weights, strict=True)},
            "loss": self.loss,
            "precision": self.precision,
            "devices": self.num_devices,
        }


def plan_training(shards_dir: Path, settings: TrainSettings) -> TrainPlan:
    """What `train` would do with these shards and settings; nothing is written.

    Raises:
        UnknownNameError: there is no such network or preset.
        SettingsError: the network takes no preset or weights.
        MissingShardsError: there are no shards at this place.
        DamagedShardError: the index cannot be read.
        MissingBundleError: a teacher is not there.
        DamagedBundleError: a teacher cannot be read.
        OtherSettingsError: a teacher has other classes, or takes images of another shape.
        SettingsError: the shards hold nothing to train on, or no votes where these are to be
            learned; there are fewer devices; or settings do not go together.
    """
    check_model(settings)
    index = read_index(shards_dir)
    if index.num_samples("train") == 0:
        raise SettingsError(
            f"{shards_dir}: no samples in the train split; expected some, as `ferdata split` makes"
        )
    if settings.with_validation and index.num_samples("validation") == 0:
        raise SettingsError(
            f"{shards_dir}: no samples in the validation split, which with_validation is to learn "
            "from; leave --with-validation out"
        )
    class_weights, weights_note = choose_class_weights(index, settings.class_weights)
    loss, loss_note = _choose_loss(shards_dir, index, settings)
    precision, precision_note = _choose_precision(settings.precision)
    devices = find_devices(settings.devices)
    _check_steps(settings, devices, index.image_shape)
    notes = [weights_note, loss_note, *_say_targets(settings, loss), precision_note]
    notes += check_teachers(settings.distill, shards_dir, index, settings.train_splits)
    notes += _say_unusual(settings, devices)
    if settings.with_validation:
        notes.append(
            "Learns from the validation split too: nothing is left to choose an epoch by, so the "
            "last one is kept, and none stops the run early. Class weights, mean and deviation of "
            "the pixels are those of the train split. How good it is, only the test split tells."
        )
    elif index.num_samples("validation") == 0:
        notes.append(
            "No validation split: the training loss alone decides which epoch is best, "
            "and cannot tell learning from memorising."
        )
    if index.leakage.get("groups"):
        notes.append(
            f"{index.leakage['groups']:,} groups of identical images stand in several splits: "
            "measured accuracy is too good; `ferdata filter --leaks drop-train` removes them."
        )
    return TrainPlan(
        settings=settings,
        index=index,
        class_weights=class_weights,
        loss=loss,
        precision=precision,
        devices=devices,
        notes=tuple(notes),
    )


def choose_class_weights(index: ShardIndex, wanted: str) -> tuple[str, str]:
    """Which class weights, and a sentence on why; warns where they count a balance twice."""
    train = index.counts["train"].values()
    augmented, left_out = (sum(getattr(c, n) for c in train) for n in ("augmented", "left_out"))
    parts = [f"hold {augmented:,} augmented samples"] * bool(augmented)
    parts += [f"leave {left_out:,} originals out"] * bool(left_out)
    how = " and ".join(parts)
    if wanted == "original" and how:
        note = (
            f"Warning: class weights original, as asked, on shards that {how}: small classes are "
            "balanced twice, by samples and by weights, and will be predicted too often; "
            "--class-weights balanced counts them once."
        )
        _log.warning(note.removeprefix("Warning: "))
        return wanted, note
    if wanted != "auto":
        return wanted, f"Class weights: {wanted}, as asked."
    if how:
        return "balanced", f"Class weights: balanced, because the shards {how}."
    method = index.lineage.get("balance", {}).get("settings", {}).get("method")
    if method == "weights":
        return "original", (
            "Class weights: original, because `ferdata balance --method weights` left the balance "
            "to them."
        )
    return "original", "Class weights: original, because the shards hold no augmented samples."


def _choose_loss(shards_dir: Path, index: ShardIndex, settings: TrainSettings) -> tuple[str, str]:
    wanted, splits = settings.loss, settings.train_splits
    shards = [shard for shard in index.split_shards(*splits) if shard.num_samples]
    has_votes = all("votes" in shard.arrays for shard in shards)
    if wanted == "votes" and not has_votes:
        raise SettingsError(
            f"{shards_dir}: no votes in the {' and '.join(splits)} split, which loss votes is to "
            "learn; expected shards of a data set with votes (FER+). Leave --loss out, or take "
            "sparse or focal"
        )
    if wanted != "auto":
        return wanted, f"Loss: {wanted}, as asked."
    if has_votes:
        return "votes", "Loss: cross-entropy to the votes, because the shards hold them."
    return "sparse", "Loss: cross-entropy to the labels, because the shards hold no votes."


def _say_targets(settings: TrainSettings, loss: str) -> list[str]:
    """What is blended into the targets; refuses a share of votes that nobody learns."""
    notes = []
    if settings.vote_share < 1:
        if loss != "votes":
            raise SettingsError(
                f"vote_share is read by loss votes only, on shards with votes; received loss {loss}"
            )
        notes.append(f"Votes are {settings.vote_share:g} of each target, the label is the rest.")
    if settings.distill:
        mean = f" (mean of {len(settings.distill)})" if len(settings.distill) > 1 else ""
        notes.append(
            f"Distillation: what {', '.join(settings.distill)}{mean} says of each sample and its "
            f"mirror image is {settings.distill_weight:g} of its target."
        )
    return notes


def _choose_precision(wanted: str) -> tuple[str, str]:
    if wanted != "auto":
        return wanted, f"Precision: {wanted}, as asked."
    name, has_bfloat16 = bfloat16_device()
    if has_bfloat16:
        return "mixed_bfloat16", f"Precision: mixed_bfloat16, on {name}."
    return "float32", f"Precision: float32, because {name} is not quick with bfloat16."


def _check_steps(
    settings: TrainSettings, devices: tuple[str, ...], image_shape: tuple[int, int, int]
) -> None:
    """Refuses what cannot be done in a step."""
    import keras

    backend, augment, num = keras.backend.backend(), settings.augment, len(devices)
    if settings.batch_size % num:
        raise SettingsError(
            f"batch_size must be divisible by the {num} devices; received {settings.batch_size}"
        )
    if num > 1 and backend == "tensorflow" and augment is not None and augment.mixes:
        raise SettingsError(
            "mixup and cutmix mix images of one device, their labels those of the whole batch; "
            f"received {num} devices under TensorFlow. Take --devices 1, or KERAS_BACKEND=jax"
        )
    height, width, _ = image_shape
    if settings.first_side and not settings.first_side < height == width:
        raise SettingsError(
            f"first_side makes square images smaller at first; received {settings.first_side} for "
            f"images of {height}x{width}"
        )
    if settings.xla == "on" and not has_xla_form(augment):
        raise SettingsError(
            "xla on: TensorFlow has no XLA form of turning, shifting and zooming images; leave "
            "--xla out, take --rotation 0 --shift 0 --zoom 0 --no-flip, or KERAS_BACKEND=jax"
        )


def _say_unusual(settings: TrainSettings, devices: tuple[str, ...]) -> list[str]:
    notes = []
    if settings.epochs == 0:
        notes.append("0 epochs: the network is only built; nothing is trained.")
    if len(devices) > 1:
        notes.append(
            f"{len(devices)} devices share each batch: {', '.join(devices)}. Where the last one of "
            "an epoch cannot be divided evenly, its first samples fill it up."
        )
    return notes
