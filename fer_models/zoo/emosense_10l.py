"""`emosense-10l`: the large network of the EmoSense family.

Published are its name and its training, as for `emosense-8l`; its layers are not known to us. This
is our reading: `emosense-8l` with a second convolution of 512 filters in each of its last two
blocks, padded, so that the picture is as large after it as before.

Parameters at 48x48x1 and 7 classes, where the last pooling leaves 1x1x512:

    emosense-8l                                       4,232,199
    conv    2 * (9 * 512 * 512 + 512)                 4,719,616
                                                      8,951,815
"""

from __future__ import annotations

from typing import Any

from fer_models.settings import TrainSettings
from fer_models.zoo.blocks import conv_block, dense_block, flatten, pixels_in, softmax_head, stack
from fer_models.zoo.network import NetworkSpec

_FILTERS = (128, 256, 512, 512)
_DOUBLED = (3, 4)  # numbers of the blocks with two convolutions
_UNITS = {512: 0.4, 256: 0.3}  # -> dropout
_DROPOUT = 0.4

DEFAULTS = TrainSettings(
    model="emosense-10l", epochs=50, batch_size=128, class_weights="none", patience=0
)


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    network = pixels_in(spec)
    for number, filters in enumerate(_FILTERS, 1):
        if number in _DOUBLED:
            network += conv_block(spec, f"conv{number}a", filters, pool=False)
            network += conv_block(spec, f"conv{number}b", filters, padding="same", dropout=_DROPOUT)
        else:
            network += conv_block(spec, f"conv{number}", filters, dropout=_DROPOUT)
    network += flatten(spec)
    for number, (units, dropout) in enumerate(_UNITS.items(), 1):
        network += dense_block(spec, f"dense{number}", units, dropout=dropout)
    return stack([*network, *softmax_head(spec)], "emosense_10l")
