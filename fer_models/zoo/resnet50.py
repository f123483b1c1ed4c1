"""`resnet50`: ResNet50 of ImageNet under a new head.

He, Zhang, Ren and Sun 2016, "Deep residual learning for image recognition" (arXiv 1512.03385),
fine-tuned as in the course projects; rate, batch and epochs are ours. Smaller pictures are enlarged
to 128x128, where the course projects took its features for an SVM.

Parameters at 7 classes, whatever the size of the pictures. A convolution of k x k from a to b
channels has k * k * a * b + b, and 4 * b in its normalization. A unit of width w on a channels is
1x1 from a to w, 3x3 from w to w and 1x1 from w to 4w; the first of a stage has a 1x1 shortcut from
a to 4w besides:

    first   7x7 from 3 to 64                                        9,728
    w 64    59,264 + 17,664 + 2 * 71,552                          220,032
    w 128   249,600 + 133,632 + 3 * 282,368                     1,230,336
    w 256   990,720 + 529,408 + 5 * 1,121,792                   7,129,088
    w 512   3,947,520 + 2,107,392 + 2 * 4,471,808              14,998,528
    head    2048 * 7 + 7                                           14,343
                                                               23,602,055
"""

from __future__ import annotations

from typing import Any

from fer_models.zoo.network import NetworkSpec
from fer_models.zoo.transfer import Backbone, build_transfer, transfer_presets

BACKBONE = Backbone(
    application="ResNet50",
    side=128,
    caffe=True,
    weights_path="resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
    weights_md5="4d473c1dd8becc155b73f8504c6f6626",
)
PRESETS = transfer_presets("resnet50")
DEFAULTS = PRESETS["finetuned"]


def build(spec: NetworkSpec) -> Any:
    """The network, from raw pixels to probabilities."""
    return build_transfer(spec, BACKBONE)
