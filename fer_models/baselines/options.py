"""What a baseline can be told: it has few of a network's settings, and some of its own."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Collection

from fer_data.errors import SettingsError
from fer_models.settings import TrainSettings
from fer_models.zoo import find_network, is_baseline

#: Fields of `TrainSettings` that every baseline takes.
COMMON = ("model", "seed", "class_weights", "components", "folds", "limit")
#: Fields that only baselines take.
OWN = ("components", "folds", "limit")


def taken_fields(model: str) -> tuple[str, ...]:
    """The fields of `TrainSettings` that a network or a baseline takes.

    Raises:
        UnknownNameError: there is no such network.
    """
    if not is_baseline(model):
        return tuple(f.name for f in dataclasses.fields(TrainSettings) if f.name not in OWN)
    return (*COMMON, *importlib.import_module(find_network(model).module).OPTIONS)


def check_options(model: str, asked: Collection[str]) -> None:
    """Refuses what a model cannot be told.

    Args:
        model: its name.
        asked: fields of `TrainSettings` that were named.

    Raises:
        UnknownNameError: there is no such network.
        SettingsError: one of the fields means nothing to it.
    """
    if is_baseline(model):
        taken = taken_fields(model)
        wrong = [name for name in asked if name not in taken]
        known = ", ".join(option(name) for name in taken if name != "model")
        if wrong:
            raise SettingsError(
                f"{model} is a baseline and has no {option(wrong[0])}; it takes {known}"
            )
        return
    for name in OWN:
        if name in asked:
            hint = "; `ferdata split --folds` makes the folds of networks" * (name == "folds")
            raise SettingsError(f"{model} is a network and has no {option(name)}{hint}")


def option(name: str) -> str:
    """How the command line calls a field."""
    return "--lr" if name == "learning_rate" else f"--{name.replace('_', '-')}"
