"""`fer-resnet18`: ResNet-18 with squeeze-and-excitation, for the highest accuracy on a GPU.

Ours, on 48x48 grey pictures of 7 classes: the 18 layers of He et al. (arXiv:1512.03385) with the
first convolution that small pictures want, 3x3 without stride or pooling; squeeze-and-excitation
(Hu et al., arXiv:1709.01507) in each block; trained by SGD with Nesterov's momentum, a cosine, an
average of the weights, mixup and smoothed labels. The preset `full` is the recipe for a GPU,
`short` the same one for an hour of two cores.

Parameters at 7 classes; a block of c filters that takes d has 9cd + 9cc + 8c, its squeeze and
excitation cc/8 + c + c/16, and a shortcut, where it has one, cd + 4c:

    stem      9 * 64 + 4 * 64                                          832
    stage1    2 blocks of 64                                       149,640
    stage2    128: one from 64 with a shortcut, one                531,216
    stage3    256: likewise from 128                             2,119,200
    stage4    512: likewise from 256                             8,465,472
    head      512 * 7 + 7                                            3,591
                                                                11,269,951
"""

from __future__ import annotations

import dataclasses
from typing import Any

from fer_models.augmentation import AugmentSettings
from fer_models.settings import TrainSettings
from fer_models.zoo.blocks import pixels_in
from fer_models.zoo.network import NetworkSpec
from fer_models.zoo.residual import convolve, norm_relu, pooled_head, residual_block

_STAGES = (64, 128, 256, 512)  # filters; the picture is halved between them
_BLOCKS = 2  # a stage
_DROPOUT = 0.2

_FULL = TrainSettings(
    model="fer-resnet18",
    preset="full",
    epochs=200,
    batch_size=512,
    optimizer="sgd",
    momentum=0.9,
    nesterov=True,
    learning_rate=0.1,
    weight_decay=5e-3,
    schedule="cosine",
    warmup=5,
    ema=0.999,
    label_smoothing=0.1,
    augment=AugmentSettings(
        rotation=10.0,
        shift=0.1,
        zoom=0.2,
        brightness=0.1,
        contrast=0.2,
        erasing=0.25,
        mixup=0.2,
    ),
    class_weights="none",
    patience=0,
)
PRESETS = {
    "full": _FULL,
    "short": dataclasses.replace(
        _FULL,
        preset="short",
        epochs=8,
        batch_size=64,
        learning_rate=0.03,
        warmup=1,
        ema=0.99,
        first_side=24,
        grow_epochs=7,
    ),
}
DEFAULTS = PRESETS["full"]


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    import keras

    pixels, standardize = pixels_in(spec)
    x = norm_relu(spec, convolve(spec, standardize(pixels), "stem", _STAGES[0]), "stem")
    for stage, filters in enumerate(_STAGES, 1):
        for block in range(1, _BLOCKS + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = residual_block(spec, x, f"stage{stage}_block{block}", filters, stride=stride)
    return keras.Model(pixels, pooled_head(spec, x, dropout=_DROPOUT), name="fer_resnet18")
