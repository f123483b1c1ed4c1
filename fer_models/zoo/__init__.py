"""Networks by name; a network's file is imported when it is asked for.

Every network takes raw pixels, uint8 from 0 to 255, and gives one probability a class.
"""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

from fer_data.errors import SettingsError, UnknownNameError
from fer_models.baselines.table import BASELINES
from fer_models.errors import MissingWeightsError
from fer_models.settings import TrainSettings
from fer_models.zoo.catalogue import KERAS_NETWORKS
from fer_models.zoo.network import Network, NetworkSpec, Preset
from fer_models.zoo.own import (
    build_own,
    fingerprint_own,
    is_own,
    own_defaults,
    own_title,
    resolve_own,
)

__all__ = [
    "NETWORKS",
    "Network",
    "NetworkSpec",
    "Preset",
    "build_network",
    "check_image_size",
    "check_model",
    "check_weights_file",
    "find_network",
    "fingerprint_own",
    "is_baseline",
    "is_own",
    "model_title",
    "network_defaults",
    "network_presets",
    "resolve_own",
]

NETWORKS: dict[str, Network] = {n.name: n for n in KERAS_NETWORKS} | BASELINES


def find_network(name: str) -> Network:
    """The network of this name.

    Raises:
        UnknownNameError: there is none; the nearest name is suggested.
    """
    if name not in NETWORKS:
        raise UnknownNameError("network", name, NETWORKS)
    return NETWORKS[name]


def model_title(model: str) -> str:
    """A network's name as a folder may have it.

    Example:
        >>> model_title("cnn4"), model_title("nets/mine.py:build")
        ('cnn4', 'mine')
    """
    return own_title(model) if is_own(model) else model


def is_baseline(model: str) -> bool:
    """Whether scikit-learn fits it.

    Raises:
        UnknownNameError: there is no network of this name.
    """
    return not is_own(model) and find_network(model).kind == "sklearn"


def network_presets(name: str) -> dict[str, TrainSettings]:
    """The settings of each preset of a network, the usual one first; `""` where it has none.

    Raises:
        UnknownNameError: there is no network of this name.
    """
    network = find_network(name)
    module = importlib.import_module(network.module)
    if network.presets:
        return dict(module.PRESETS)
    return {"": module.DEFAULTS}


def network_defaults(model: str, preset: str = "") -> TrainSettings:
    """The settings a network is trained with when nothing else is said.

    Args:
        model: name of a network, or `path.py:function` for one of the user's own.
        preset: name of a variant; `""` is the usual one.

    Raises:
        UnknownNameError: there is no network or preset of this name.
        SettingsError: a file of the user's own cannot be used, or there are no presets.
    """
    if is_own(model):
        settings = own_defaults(model)
    else:
        presets = network_presets(model)
        settings = presets.get(preset, next(iter(presets.values())))
    check_model(dataclasses.replace(settings, preset=preset or settings.preset))
    return settings


def check_model(settings: TrainSettings) -> None:
    """Refuses a network, preset or weights that are not there; loads nothing heavy.

    Raises:
        UnknownNameError: there is no network or preset of this name.
        SettingsError: there is no such file, or the network takes no preset or no weights.
    """
    model, preset, weights = settings.model, settings.preset, settings.weights
    if is_own(model):
        resolve_own(model)
    network = None if is_own(model) else find_network(model)
    presets = [p.name for p in network.presets] if network is not None else []
    if preset and not presets:
        raise SettingsError(f'{model} has no presets; received preset "{preset}"')
    if preset and preset not in presets:
        raise UnknownNameError(f"preset of {model}", preset, presets)
    if weights not in {"", "none"} and (network is None or not network.takes_weights):
        takers = ", ".join(n.name for n in NETWORKS.values() if n.takes_weights)
        raise SettingsError(f"{model} starts from random weights; only {takers} take a file")


def check_weights_file(settings: TrainSettings) -> None:
    """Refuses weights that are not there, before anything heavy is loaded.

    Raises:
        MissingWeightsError: there is no such file of weights.
    """
    if settings.weights not in {"", "none"} and not Path(settings.weights).is_file():
        raise MissingWeightsError(
            f"{settings.weights}: no such file; expected weights of {settings.model}'s backbone"
        )


def check_image_size(model: str, image_shape: tuple[int, int, int]) -> None:
    """Refuses images that are too small for a network; loads nothing heavy.

    Raises:
        UnknownNameError: there is no network of this name.
        SettingsError: they are too small for it.
    """
    least = 1 if is_own(model) else find_network(model).min_side
    if min(image_shape[:2]) < least:
        raise SettingsError(
            f"{model} needs images of {least}x{least} or more; "
            f"received {image_shape[0]}x{image_shape[1]}"
        )


def build_network(model: str, spec: NetworkSpec) -> Any:
    """A `keras.Model` from uint8 images (B, H, W, C) to float32 probabilities (B, num_classes).

    Args:
        model: name of a network, or `path.py:function` for one of the user's own.
        spec: what it is built for.

    Raises:
        UnknownNameError: there is no network or preset of this name.
        SettingsError: the images are too small for it, it is a baseline, or a file of the user's
            own cannot be used.
        MissingWeightsError: its first weights are not there, or cannot be downloaded.
    """
    settings = TrainSettings(model=model, preset=spec.preset, weights=spec.weights)
    check_model(settings)
    if is_own(model):
        return build_own(model, spec)
    network = find_network(model)
    if network.kind == "sklearn":
        raise SettingsError(f"{model} is a baseline: it is fitted on shards, not built")
    check_image_size(model, spec.image_shape)
    return importlib.import_module(network.module).build(spec)
