"""`emosense-8l`: four wide convolutions and two dense layers, with strong dropout.

EmoSense, on 48x48 grey pictures of 7 classes. Published: convolutions of 128, 256, 512 and 512
filters of 3x3, each with 2x2 max-pooling and dropout; dense layers of 512 and 256; 4,232,199
parameters; Adam, batches of 128, 50 epochs. The eight layers are the convolutions, the flattening
and the dense layers with the last one. Ours: dropout of .4, and .3 after the last dense layer.

Parameters at 48x48x1 and 7 classes, where the last pooling leaves 1x1x512:

    conv    1,280 + 295,168 + 1,180,160 + 2,359,808   3,836,416
    dense   262,656 + 131,328                           393,984
    head    256 * 7 + 7                                   1,799
                                                      4,232,199
"""

from __future__ import annotations

from typing import Any

from fer_models.settings import TrainSettings
from fer_models.zoo.blocks import conv_block, dense_block, flatten, pixels_in, softmax_head, stack
from fer_models.zoo.network import NetworkSpec

_FILTERS = (128, 256, 512, 512)
_UNITS = {512: 0.4, 256: 0.3}  # -> dropout
_DROPOUT = 0.4

DEFAULTS = TrainSettings(
    model="emosense-8l", epochs=50, batch_size=128, class_weights="none", patience=0
)


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    network = pixels_in(spec)
    for number, filters in enumerate(_FILTERS, 1):
        network += conv_block(spec, f"conv{number}", filters, dropout=_DROPOUT)
    network += flatten(spec)
    for number, (units, dropout) in enumerate(_UNITS.items(), 1):
        network += dense_block(spec, f"dense{number}", units, dropout=dropout)
    return stack([*network, *softmax_head(spec)], "emosense_8l")
