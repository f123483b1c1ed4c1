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
PRECISIONS = ("auto", "float32", "mixed_bfloat16")
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """What a network is trained with; each network's file has defaults of its own.

    Attributes:
        model: name of the network, one of `fer_models.zoo.NETWORKS`, or `path.py:function`.
        preset: named variant of the network; `""` is the usual one.
        weights: what a transfer network starts from: path of a weights file, `""` for Keras' own
            download of ImageNet weights, `"none"` for random ones.
        epochs: at most so many passes over the training samples.
        batch_size: samples a step.
        learning_rate: Adam's, at the start.
        schedule: `"constant"`, or `"cosine"`: falls to 0 along half a cosine over all epochs.
        augment: how training images are moved at random; None leaves them as they are.
        class_weights: `"original"` or `"balanced"` takes the index's weights before or after
            balancing, `"auto"` the balanced ones where the shards hold augmented samples and the
            original ones elsewhere, `"none"` weighs all samples alike.
        precision: a Keras dtype policy; `"auto"` is mixed bfloat16 on a GPU that has it and
            float32 elsewhere.
        patience: stop after so many epochs without a better one; 0 never stops.
        seed: seed of the first weights, the order, the augmentation and the dropout.
        components: of a baseline: principal components of the pixels; 0 for the pixels themselves.
        folds: of a baseline: rounds of cross-validation on the train split; 0 for none.
        limit: of a baseline: most training samples, of each class its share; 0 for all.
    """

    model: str = "cnn4"
    preset: str = ""
    weights: str = ""
    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 1e-3
    schedule: str = "constant"
    augment: AugmentSettings | None = None
    class_weights: str = "auto"
    precision: str = "auto"
    patience: int = 10
    seed: int = 0
    components: int = 0
    folds: int = 0
    limit: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be 1 or more; received {getattr(self, name)}")
        for name in ("patience", "seed", "components", "folds", "limit"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} must be 0 or more; received {getattr(self, name)}")
        if self.folds == 1:
            raise SettingsError("folds must be 2 or more, or 0 for none; received 1")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise SettingsError(f"learning_rate must be above 0; received {self.learning_rate}")
        for name, known in (
            ("class_weights", CLASS_WEIGHTS),
            ("precision", PRECISIONS),
            ("schedule", SCHEDULES),
        ):
            if getattr(self, name) not in known:
                raise UnknownNameError(name.replace("_", " "), getattr(self, name), known)

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return dataclasses.asdict(self)


def settings_from_json(fields: Mapping[str, Any]) -> TrainSettings:
    """The settings that `to_json` wrote.

    Raises:
        SettingsError: a field is unknown or wrong.
    """
    fields = dict(fields)
    try:
        if fields.get("augment") is not None:
            fields["augment"] = AugmentSettings(**fields["augment"])
        return TrainSettings(**fields)
    except TypeError as error:
        raise SettingsError(f"not the settings of a training run: {error}") from None


def changed_settings(settings: TrainSettings, others: TrainSettings) -> list[str]:
    """What differs, a line a setting, as `name: ours, not theirs`."""
    ours, theirs = settings.to_json(), others.to_json()
    return [
        f"{name} {theirs[name]}, not {ours[name]}" for name in ours if ours[name] != theirs[name]
    ]
