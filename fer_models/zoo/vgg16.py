"""`vgg16`: VGG16 of ImageNet under a new head.

Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image recognition"
(arXiv 1409.1556), fine-tuned as in the course projects; rate, batch and epochs are ours. Five
poolings take 48x48 to 1x1, so FER2013 goes in as it is; only smaller pictures are enlarged.

Parameters at 7 classes, whatever the size of the pictures:

    conv    1,792 + 36,928                                         38,720
    conv    73,856 + 147,584                                      221,440
    conv    295,168 + 2 * 590,080                               1,475,328
    conv    1,180,160 + 2 * 2,359,808                           5,899,776
    conv    3 * 2,359,808                                       7,079,424
    head    512 * 7 + 7                                             3,591
                                                               14,718,279
"""

from __future__ import annotations

from typing import Any

from fer_models.zoo.network import NetworkSpec
from fer_models.zoo.transfer import Backbone, build_transfer, transfer_presets

BACKBONE = Backbone(
    application="VGG16",
    side=48,
    caffe=True,
    weights_path="vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    weights_md5="6d6bbae143d832006294945121d1f1fc",
)
PRESETS = transfer_presets("vgg16")
DEFAULTS = PRESETS["finetuned"]


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    return build_transfer(spec, BACKBONE)
