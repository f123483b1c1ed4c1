"""What is known of a network before it is built, and what it is built for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named variant of a network: of its settings, and sometimes of its layers.

    Attributes:
        name: what it is called on the command line.
        summary: what is different in it.
        num_parameters: at the network's usual shape and number of classes.
    """

    name: str
    summary: str
    num_parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What is known of a network before it is built.

    Attributes:
        name: what it is called on the command line.
        module: where `build` and `DEFAULTS` stand, and `PRESETS` where it has some.
        summary: one line on what it is.
        source: where it comes from.
        usual_shape: height, width and channels it was published with.
        num_parameters: parameters at `usual_shape` and `usual_classes` classes.
        usual_classes: number of classes it was published with.
        min_side: smallest height and width it can take.
        presets: its variants, the usual one first; empty where there is one form only.
        takes_weights: whether it starts from the weights of a file or a download.
        kind: `"keras"` or `"sklearn"`.
    """

    name: str
    module: str
    summary: str
    source: str
    usual_shape: tuple[int, int, int]
    usual_classes: int
    num_parameters: int
    min_side: int
    presets: tuple[Preset, ...] = ()
    takes_weights: bool = False
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
        preset: name of a variant; `""` is the usual one.
        weights: what a transfer network starts from: path of a weights file, `""` for Keras' own
            download of ImageNet weights, `"none"` for random ones.
    """

    image_shape: tuple[int, int, int]
    num_classes: int
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    precision: str = "float32"
    preset: str = ""
    weights: str = ""
