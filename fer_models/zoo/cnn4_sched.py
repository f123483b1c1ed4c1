"""`cnn4-sched`: three convolutions and a dense layer, trained with a falling rate.

The course project on FER2013 (48x48 grey, 7 classes). Published: three convolutions and a dense
layer, Adam with a learning-rate schedule, sparse cross-entropy, batches of 64, 71 epochs; then
dropout and batch normalization were added. The presets are these two: `plain` and `regularized`.
Its numbers of filters and units and its schedule were not published: 32, 64 and 128 filters, 128
units, dropout of a quarter after convolutions and one half after the dense layer, half a cosine.

Parameters at 48x48x1 and 7 classes, where the last pooling leaves 4x4x128:

    conv    320 + 18,496 + 73,856                92,672
    dense   4 * 4 * 128 * 128 + 128             262,272
    head    128 * 7 + 7                             903
    plain                                       355,847
    norm    4 * (32 + 64 + 128 + 128)             1,408
    regularized                                 357,255
"""

from __future__ import annotations

from typing import Any

from fer_models.settings import TrainSettings
from fer_models.zoo.blocks import conv_block, dense_block, flatten, pixels_in, softmax_head, stack
from fer_models.zoo.network import NetworkSpec

_FILTERS = (32, 64, 128)
_UNITS = 128
_CONV_DROPOUT = 0.25
_DENSE_DROPOUT = 0.5

PRESETS = {
    name: TrainSettings(
        model="cnn4-sched",
        preset=name,
        epochs=71,
        batch_size=64,
        schedule="cosine",
        class_weights="none",
        patience=0,
    )
    for name in ("regularized", "plain")
}
DEFAULTS = PRESETS["regularized"]


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    norm = spec.preset != "plain"
    conv_dropout, dense_dropout = (_CONV_DROPOUT, _DENSE_DROPOUT) if norm else (0.0, 0.0)
    network = pixels_in(spec)
    for number, filters in enumerate(_FILTERS, 1):
        network += conv_block(spec, f"conv{number}", filters, norm=norm, dropout=conv_dropout)
    network += flatten(spec)
    network += dense_block(spec, "dense1", _UNITS, norm=norm, dropout=dense_dropout)
    return stack([*network, *softmax_head(spec)], "cnn4_sched")
