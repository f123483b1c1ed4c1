"""`emosense-4l`: the small network of the EmoSense family.

Published are its name and its training, as for `emosense-8l`; its layers are not known to us. This
is our reading: counted as the eight layers of `emosense-8l` are (convolutions, flattening, dense
layers with the last one), four are its first two convolutions, the flattening and the classes.

Parameters at 48x48x1 and 7 classes, where the last pooling leaves 10x10x256:

    conv    1,280 + 295,168                     296,448
    head    10 * 10 * 256 * 7 + 7               179,207
                                                475,655
"""

from __future__ import annotations

from typing import Any

from fer_models.settings import TrainSettings
from fer_models.zoo.blocks import conv_block, flatten, pixels_in, softmax_head, stack
from fer_models.zoo.network import NetworkSpec

_FILTERS = (128, 256)
_DROPOUT = 0.4

DEFAULTS = TrainSettings(
    model="emosense-4l", epochs=50, batch_size=128, class_weights="none", patience=0
)


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    network = pixels_in(spec)
    for number, filters in enumerate(_FILTERS, 1):
        network += conv_block(spec, f"conv{number}", filters, dropout=_DROPOUT)
    return stack([*network, *flatten(spec), *softmax_head(spec)], "emosense_4l")
