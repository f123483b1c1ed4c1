"""What the fit of a baseline will do: every `"auto"` decided, and said."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_data.errors import SettingsError
from fer_data.shards.index import ShardIndex, read_index
from fer_models.baselines.fit import BaselineTask
from fer_models.baselines.options import taken_fields
from fer_models.plan import choose_class_weights
from fer_models.settings import TrainSettings
from fer_models.zoo import find_network


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselinePlan:
    """What will be done.

    Attributes:
        settings: as asked for.
        index: of the shards.
        class_weights: which ones: `"original"`, `"balanced"` or `"none"`.
        notes: what was chosen and why, a sentence each.
    """

    settings: TrainSettings
    index: ShardIndex
    class_weights: str
    notes: tuple[str, ...]

    @property
    def num_samples(self) -> int:
        """Training samples that are fitted on."""
        count = self.index.num_samples("train")
        return min(count, self.settings.limit) if self.settings.limit else count

    @property
    def task(self) -> BaselineTask:
        """What the baseline is fitted for."""
        weights = None
        if self.class_weights != "none":
            named = self.index.class_weights[self.class_weights]
            weights = np.array([named[name] for name in self.index.class_names], np.float32)
        return BaselineTask(
            settings=self.settings,
            num_classes=len(self.index.class_names),
            class_weights=weights,
        )

    def to_json(self) -> dict[str, Any]:
        """What will be done, as JSON values."""
        settings = self.settings.to_json()
        return {name: settings[name] for name in taken_fields(self.settings.model)} | {
            "training_samples": self.num_samples,
            "validation_samples": self.index.num_samples("validation"),
            "class_weights": self.class_weights,
        }


def plan_baseline(shards_dir: Path, settings: TrainSettings) -> BaselinePlan:
    """What `train_baseline` would do; nothing is written.

    Raises:
        MissingShardsError: there are no shards at this place.
        DamagedShardError: the index cannot be read.
        SettingsError: the shards hold nothing to train on, or there are no epochs to train in.
    """
    if not settings.epochs and "epochs" in taken_fields(settings.model):
        raise SettingsError(f"epochs of {settings.model} must be 1 or more; received 0")
    index = read_index(shards_dir)
    count = index.num_samples("train")
    if not count:
        raise SettingsError(
            f"{shards_dir}: no samples in the train split; expected some, as `ferdata split` makes"
        )
    class_weights, note = choose_class_weights(index, settings.class_weights)
    notes = [note]
    if settings.limit and settings.limit < count:
        notes.append(
            f"Fitted on {settings.limit:,} of {count:,} training samples, of each class its share, "
            "as asked."
        )
    num_fitted = min(count, settings.limit or count)
    many = getattr(importlib.import_module(find_network(settings.model).module), "MANY", count)
    if num_fitted > many:
        notes.append(
            f"{settings.model} on {num_fitted:,} samples takes minutes to hours; --limit 3000 "
            "draws some of them."
        )
    if index.leakage.get("groups"):
        notes.append(
            f"{index.leakage['groups']:,} groups of identical images stand in several splits: "
            "measured accuracy is too good; `ferdata filter --leaks drop-train` removes them."
        )
    if settings.folds:
        notes.append(
            f"{settings.folds} folds of the train split: copies go with their originals, identical "
            "pictures stay together. Shards do not say who is in a picture or which are near: "
            "`ferdata split --folds --group-by` keeps these together too."
        )
    return BaselinePlan(
        settings=settings, index=index, class_weights=class_weights, notes=tuple(notes)
    )
