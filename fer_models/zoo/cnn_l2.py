"""`cnn-l2`: convolutions, a dense layer, dropout, and L2 on every kernel.

A course project on FER2013 (48x48 grey, 7 classes). Published: convolution, ReLU, max-pooling,
dense, dropout and L2 weights. Its sizes were not: 32 and 64 filters of 3x3, a dense layer of 128
with dropout of one half, and 1e-4 times the squared kernels in the loss.

Parameters at 48x48x1 and 7 classes, where the last pooling leaves 10x10x64:

    conv    320 + 18,496                         18,816
    dense   10 * 10 * 64 * 128 + 128            819,328
    head    128 * 7 + 7                             903
                                                839,047
"""

from __future__ import annotations

from typing import Any

from fer_models.settings import TrainSettings
from fer_models.zoo.blocks import conv_block, dense_block, flatten, pixels_in, softmax_head, stack
from fer_models.zoo.network import NetworkSpec

_FILTERS = (32, 64)
_UNITS = 128
_DROPOUT = 0.5
_L2 = 1e-4

DEFAULTS = TrainSettings(model="cnn-l2", class_weights="none")


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    network = pixels_in(spec)
    for number, filters in enumerate(_FILTERS, 1):
        network += conv_block(spec, f"conv{number}", filters, l2=_L2)
    network += flatten(spec)
    network += dense_block(spec, "dense1", _UNITS, dropout=_DROPOUT, l2=_L2)
    return stack([*network, *softmax_head(spec)], "cnn_l2")
