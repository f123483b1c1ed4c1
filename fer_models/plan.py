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
from fer_models.settings import TrainSettings
from fer_models.zoo import check_model

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """A run before it starts.

    Attributes:
        settings: as asked for.
        index: of the shards.
        class_weights: which ones: `"original"`, `"balanced"` or `"none"`.
        precision: Keras dtype policy.
        notes: what was chosen and why, a sentence each.
    """

    settings: TrainSettings
    index: ShardIndex
    class_weights: str
    precision: str
    notes: tuple[str, ...]

    @property
    def has_validation(self) -> bool:
        """Whether a validation split judges the epochs."""
        return self.index.num_samples("validation") > 0

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        return -(-self.index.num_samples("train") // self.settings.batch_size)

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
            "training_samples": self.index.num_samples("train"),
            "validation_samples": self.index.num_samples("validation"),
            "batches_per_epoch": self.num_batches,
            "class_weights": self.class_weights
            if weights is None
            else {name: round(float(w), 6) for name, w in zip(names, weights, strict=True)},
            "precision": self.precision,
        }


def plan_training(shards_dir: Path, settings: TrainSettings) -> TrainPlan:
    """What `train` would do with these shards and settings; nothing is written.

    Raises:
        UnknownNameError: there is no such network or preset.
        SettingsError: the network takes no preset or weights.
        MissingShardsError: there are no shards at this place.
        DamagedShardError: the index cannot be read.
        SettingsError: the shards hold nothing to train on.
    """
    check_model(settings)
    index = read_index(shards_dir)
    if index.num_samples("train") == 0:
        raise SettingsError(
            f"{shards_dir}: no samples in the train split; expected some, as `ferdata split` makes"
        )
    class_weights, weights_note = choose_class_weights(index, settings.class_weights)
    precision, precision_note = _choose_precision(settings.precision)
    notes = [weights_note, precision_note]
    if index.num_samples("validation") == 0:
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
        precision=precision,
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


def _choose_precision(wanted: str) -> tuple[str, str]:
    if wanted != "auto":
        return wanted, f"Precision: {wanted}, as asked."
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        details: dict[str, Any] = tf.config.experimental.get_device_details(device)
        name = details.get("device_name", "the GPU")
        if details.get("compute_capability", (0, 0)) >= (8, 0):
            return "mixed_bfloat16", f"Precision: mixed_bfloat16, on {name}."
        return "float32", f"Precision: float32, because {name} has no bfloat16."
    return "float32", "Precision: float32, on the CPU."
