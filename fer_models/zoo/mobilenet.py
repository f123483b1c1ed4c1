"""`mobilenet`: MobileNet of ImageNet under a new head.

Howard et al. 2017, "MobileNets: efficient convolutional neural networks for mobile vision
applications" (arXiv 1704.04861), fine-tuned as in the course projects; rate, batch and epochs are
ours. Smaller pictures are enlarged to 128x128, the smallest size it was trained at.

Parameters at 7 classes, whatever the size of the pictures. Its convolutions have no bias; a unit
from a to b channels is 3x3 in each channel and 1x1 across them, both normalized, and has
9 * a + 4 * a + a * b + 4 * b:

    first      3x3 from 3 to 32, 9 * 3 * 32 + 4 * 32                  992
    to 128     2,720 + 9,536 + 18,560                              30,816
    to 256     35,456 + 69,888                                    105,344
    to 512     136,448 + 5 * 270,848                            1,490,688
    to 1024    535,040 + 1,065,984                              1,601,024
    head       1024 * 7 + 7                                         7,175
                                                                3,236,039
"""

from __future__ import annotations

from typing import Any

from fer_models.zoo.network import NetworkSpec
from fer_models.zoo.transfer import Backbone, build_transfer, transfer_presets

BACKBONE = Backbone(
    application="MobileNet",
    side=128,
    caffe=False,
    weights_path="mobilenet/mobilenet_1_0_128_tf_no_top.h5",
    weights_md5=None,
)
PRESETS = transfer_presets("mobilenet")
DEFAULTS = PRESETS["finetuned"]


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    return build_transfer(spec, BACKBONE)
