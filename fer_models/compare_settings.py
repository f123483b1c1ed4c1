"""What is compared, and what each of the compared is trained with."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from fer_data.errors import SettingsError, UnknownNameError
from fer_models.baselines.options import COMMON, OWN
from fer_models.settings import TrainSettings
from fer_models.zoo import check_model, is_baseline, network_defaults

SPLITS = ("validation", "test")  # that can be judged on


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareSettings:
    """What is compared.

    Attributes:
        models: names of networks and baselines; the others are compared with the first.
        num_seeds: each is trained with the seeds 0 to num_seeds - 1.
        split: that is judged: `"validation"` or `"test"`.
        changes: settings that all of them get instead of their defaults, such as epochs; a
            baseline that has no such setting keeps its own.
        weights: files that networks start from, as (model, path).
    """

    models: tuple[str, ...]
    num_seeds: int = 1
    split: str = "validation"
    changes: tuple[tuple[str, Any], ...] = ()
    weights: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.models or len(set(self.models)) < len(self.models):
            raise SettingsError(
                f"expected names of different networks; received {', '.join(self.models) or 'none'}"
            )
        for name, _ in self.weights:
            if name not in self.models:
                raise SettingsError(
                    f"{name} is not compared, and takes no weights; expected one of "
                    f"{', '.join(self.models)}"
                )
        for name in self.models:
            check_model(self.train_settings(name, 0))
        if self.num_seeds < 1:
            raise SettingsError(f"seeds must be 1 or more; received {self.num_seeds}")
        if self.split not in SPLITS:
            raise UnknownNameError("split to judge on", self.split, SPLITS)

    def train_settings(self, model: str, seed: int) -> TrainSettings:
        """What one run is trained with."""
        changes = dict(self.changes)
        if is_baseline(model):
            # `epochs` is meant for networks: a baseline's passes are no epochs of theirs
            changes = {n: v for n, v in changes.items() if n in COMMON}
        else:
            changes = {n: v for n, v in changes.items() if n not in OWN}
        if model in dict(self.weights):
            changes["weights"] = dict(self.weights)[model]
        return dataclasses.replace(network_defaults(model), **changes, seed=seed)
