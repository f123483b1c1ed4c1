"""`dnn`: dense layers on the pixels as they stand, which shows what convolutions are worth.

A course project on FER2013 (48x48 grey, 7 classes). Published: flatten, dense layers of 512, 256
and 128 with dropout of one half. The rate and epochs are ours.

Parameters at 48x48x1 and 7 classes:

    dense   2304 * 512 + 512                  1,180,160
    dense   512 * 256 + 256                     131,328
    dense   256 * 128 + 128                      32,896
    head    128 * 7 + 7                             903
                                              1,345,287
"""

from __future__ import annotations

from typing import Any

from fer_models.settings import TrainSettings
from fer_models.zoo.blocks import dense_block, flatten, pixels_in, softmax_head, stack
from fer_models.zoo.network import NetworkSpec

_UNITS = (512, 256, 128)
_DROPOUT = 0.5

DEFAULTS = TrainSettings(model="dnn", learning_rate=3e-4, class_weights="none")


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    network = [*pixels_in(spec), *flatten(spec)]
    for number, units in enumerate(_UNITS, 1):
        network += dense_block(spec, f"dense{number}", units, dropout=_DROPOUT)
    return stack([*network, *softmax_head(spec)], "dnn")
