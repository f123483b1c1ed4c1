"""`cnn4`: four convolutions, two dense layers, and batch normalization after each.

The network of the course projects on an AffectNet subset of 48x48 colour images and 8 classes,
that ferkit grew from. 32, 64, 128 and 256 filters of 3x3 without padding, each with ReLU, batch
normalization, 2x2 max-pooling and dropout of a quarter; dense layers of 256 and 512 with ReLU,
batch normalization and dropout of a quarter; softmax.

Parameters at 48x48x3 and 8 classes, where the last pooling leaves 1x1x256:

    conv    896 + 18,496 + 73,856 + 295,168     388,416
    norm    4 * (32 + 64 + 128 + 256)             1,920
    dense   65,792 + 131,584                    197,376
    norm    4 * (256 + 512)                       3,072
    head    512 * 8 + 8                           4,104
                                                594,888
"""

from __future__ import annotations

from typing import Any

from fer_models.augmentation import AugmentSettings
from fer_models.settings import TrainSettings
from fer_models.zoo.blocks import conv_block, dense_block, flatten, pixels_in, softmax_head, stack
from fer_models.zoo.network import NetworkSpec

_FILTERS = (32, 64, 128, 256)
_UNITS = (256, 512)
_DROPOUT = 0.25

#: Published: Adam at a constant 1e-3, batches of 64, class weights, rotation 20 degrees, shift .1,
#: zoom .2, flip. Usual here: half of the movement and a rate that falls, because the network ends
#: in a single place, has no slack for shifts, and learns far more slowly under the published ones.
PRESETS = {
    "gentle": TrainSettings(
        model="cnn4",
        preset="gentle",
        schedule="cosine",
        augment=AugmentSettings(rotation=10.0, shift=0.05, zoom=0.1),
    ),
    "published": TrainSettings(model="cnn4", preset="published", augment=AugmentSettings()),
}
DEFAULTS = PRESETS["gentle"]


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    network = pixels_in(spec)
    for number, filters in enumerate(_FILTERS, 1):
        network += conv_block(spec, f"conv{number}", filters, norm=True, dropout=_DROPOUT)
    network += flatten(spec)
    for number, units in enumerate(_UNITS, 1):
        network += dense_block(spec, f"dense{number}", units, norm=True, dropout=_DROPOUT)
    return stack([*network, *softmax_head(spec)], "cnn4")
