"""`cnn4-gray`: four convolutions for larger grey images.

The course project on the 96x96 subset of AffectNet, turned grey, 8 classes. Published: four
convolutions, each with batch normalization, max-pooling and dropout; Adam at 1e-4, early stopping,
class weights. Its numbers of filters were not; they are those of `cnn4`, with one dense layer of
256 and its dropout of one half.

Parameters at 96x96x1 and 8 classes, where the last pooling leaves 4x4x256:

    conv    320 + 18,496 + 73,856 + 295,168     387,840
    norm    4 * (32 + 64 + 128 + 256)             1,920
    dense   4 * 4 * 256 * 256 + 256           1,048,832
    norm    4 * 256                               1,024
    head    256 * 8 + 8                           2,056
                                              1,441,672
"""

from __future__ import annotations

from typing import Any

from fer_models.settings import TrainSettings
from fer_models.zoo.blocks import conv_block, dense_block, flatten, pixels_in, softmax_head, stack
from fer_models.zoo.network import NetworkSpec

_FILTERS = (32, 64, 128, 256)
_UNITS = 256
_CONV_DROPOUT = 0.25
_DENSE_DROPOUT = 0.5

#: Adam at 1e-4, early stopping and class weights as published; the epochs are a bound.
DEFAULTS = TrainSettings(model="cnn4-gray", learning_rate=1e-4, epochs=100, patience=10)


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    network = pixels_in(spec)
    for number, filters in enumerate(_FILTERS, 1):
        network += conv_block(spec, f"conv{number}", filters, norm=True, dropout=_CONV_DROPOUT)
    network += flatten(spec)
    network += dense_block(spec, "dense1", _UNITS, norm=True, dropout=_DENSE_DROPOUT)
    return stack([*network, *softmax_head(spec)], "cnn4_gray")
