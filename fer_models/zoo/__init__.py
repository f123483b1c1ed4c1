"""Networks by name; a network's file is imported when it is asked for.

Every network takes raw pixels, uint8 from 0 to 255, and gives one probability a class.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from fer_data.errors import SettingsError, UnknownNameError
from fer_models.settings import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What is known of a network before it is built.

    Attributes:
        name: what it is called on the command line.
        module: where `build` and `DEFAULTS` stand.
        summary: one line on what it is.
        usual_shape: height, width and channels it was published with.
        num_parameters: parameters at `usual_shape` and `usual_classes` classes.
        usual_classes: number of classes it was published with.
        min_side: smallest height and width it can take.
        kind: `"keras"`, or `"sklearn"` for a baseline.
    """

    name: str
    module: str
    summary: str
    usual_shape: tuple[int, int, int]
    usual_classes: int
    num_parameters: int
    min_side: int
    kind: str = "keras"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """What a network is built for.

    Attributes:
        image_shape: height, width, channels.
        num_classes: probabilities it gives.
        pixel_mean: mean of the training pixels a channel, 0 to 1.
        pixel_std: their standard deviation a channel.
        precision: Keras dtype policy of the layers.
    """

    image_shape: tuple[int, int, int]
    num_classes: int
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    precision: str = "float32"


NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        Network(
            name="cnn4",
            module="fer_models.zoo.cnn4",
            summary="four convolutions and two dense layers, each with batch normalization",
            usual_shape=(48, 48, 3),
            usual_classes=8,
            num_parameters=594_888,
            min_side=46,
        ),
    )
}


def _add_baselines() -> None:
    """Puts the baselines into the table; their file needs `Network`, so it comes last."""
    from fer_models.baselines.table import BASELINES

    NETWORKS.update(BASELINES)


_add_baselines()


def find_network(name: str) -> Network:
    """The network of this name.

    Raises:
        UnknownNameError: there is none; the nearest name is suggested.
    """
    if name not in NETWORKS:
        raise UnknownNameError("network", name, NETWORKS)
    return NETWORKS[name]


def network_defaults(name: str) -> TrainSettings:
    """The settings a network is trained with when nothing else is said.

    Raises:
        UnknownNameError: there is no network of this name.
    """
    defaults = importlib.import_module(find_network(name).module).DEFAULTS
    assert isinstance(defaults, TrainSettings)
    return defaults


def build_network(name: str, spec: NetworkSpec) -> Any:
    """A `keras.Model` from uint8 images (B, H, W, C) to float32 probabilities (B, num_classes).

    Raises:
        UnknownNameError: there is no network of this name.
        SettingsError: the images are too small for it, or it is a baseline.
    """
    network = find_network(name)
    if network.kind == "sklearn":
        raise SettingsError(f"{name} is a baseline: it is fitted on shards, not built")
    if min(spec.image_shape[:2]) < network.min_side:
        raise SettingsError(
            f"{name} needs images of {network.min_side}x{network.min_side} or more; "
            f"received {spec.image_shape[0]}x{spec.image_shape[1]}"
        )
    return importlib.import_module(network.module).build(spec)
