"""The Keras networks as data, so that they can be listed without Keras.

The number of parameters is derived in each network's file, and counted by the tests.
"""

from __future__ import annotations

from fer_models.zoo.network import Network, Preset


def _transfer(name: str, backbone: str, side: int, num_parameters: int) -> Network:
    """A network on a backbone of `keras.applications`."""
    return Network(
        name=name,
        module=f"fer_models.zoo.{name}",
        summary=f"ImageNet {backbone} under a new head; images of at least {side}x{side} inside",
        source="keras.applications, as the course projects fine-tuned it",
        usual_shape=(48, 48, 1),
        usual_classes=7,
        num_parameters=num_parameters,
        min_side=8,
        presets=(
            Preset(
                name="finetuned",
                summary="all layers learn, at a low rate that rises for an epoch and falls",
                num_parameters=num_parameters,
            ),
            Preset(
                name="frozen",
                summary="the backbone stays as it is, only the head learns",
                num_parameters=num_parameters,
            ),
        ),
        takes_weights=True,
    )


KERAS_NETWORKS: tuple[Network, ...] = (
    Network(
        name="cnn4",
        module="fer_models.zoo.cnn4",
        summary="four convolutions and two dense layers, each with batch normalization",
        source="course project on 48x48 AffectNet",
        usual_shape=(48, 48, 3),
        usual_classes=8,
        num_parameters=594_888,
        min_side=46,
        presets=(
            Preset(
                name="gentle",
                summary="half the published movement, a rate that falls",
                num_parameters=594_888,
            ),
            Preset(
                name="published",
                summary="constant rate; rotation 20, shift .1, zoom .2, flip",
                num_parameters=594_888,
            ),
        ),
    ),
    Network(
        name="cnn4-gray",
        module="fer_models.zoo.cnn4_gray",
        summary="four convolutions with batch normalization, one dense layer; large grey images",
        source="course project on 96x96 AffectNet",
        usual_shape=(96, 96, 1),
        usual_classes=8,
        num_parameters=1_441_672,
        min_side=46,
    ),
    Network(
        name="cnn4-sched",
        module="fer_models.zoo.cnn4_sched",
        summary="three convolutions and a dense layer, trained with a falling rate",
        source="course project on FER2013",
        usual_shape=(48, 48, 1),
        usual_classes=7,
        num_parameters=357_255,
        min_side=22,
        presets=(
            Preset(
                name="regularized",
                summary="with dropout and batch normalization",
                num_parameters=357_255,
            ),
            Preset(
                name="plain",
                summary="as it began, without them",
                num_parameters=355_847,
            ),
        ),
    ),
    Network(
        name="cnn-l2",
        module="fer_models.zoo.cnn_l2",
        summary="two convolutions and a dense layer, dropout, L2 on the weights",
        source="course project on FER2013",
        usual_shape=(48, 48, 1),
        usual_classes=7,
        num_parameters=839_047,
        min_side=10,
    ),
    Network(
        name="emosense-4l",
        module="fer_models.zoo.emosense_4l",
        summary="two wide convolutions, then the classes",
        source="EmoSense, the small one of three",
        usual_shape=(48, 48, 1),
        usual_classes=7,
        num_parameters=475_655,
        min_side=10,
    ),
    Network(
        name="emosense-8l",
        module="fer_models.zoo.emosense_8l",
        summary="four wide convolutions, two dense layers, dropout",
        source="EmoSense",
        usual_shape=(48, 48, 1),
        usual_classes=7,
        num_parameters=4_232_199,
        min_side=46,
    ),
    Network(
        name="emosense-10l",
        module="fer_models.zoo.emosense_10l",
        summary="six wide convolutions, two dense layers, dropout",
        source="EmoSense, the large one of three",
        usual_shape=(48, 48, 1),
        usual_classes=7,
        num_parameters=8_951_815,
        min_side=46,
    ),
    Network(
        name="dnn",
        module="fer_models.zoo.dnn",
        summary="dense layers only, on the pixels as they stand",
        source="course project on FER2013",
        usual_shape=(48, 48, 1),
        usual_classes=7,
        num_parameters=1_345_287,
        min_side=8,
    ),
    Network(
        name="fer-lite",
        module="fer_models.zoo.fer_lite",
        summary="small residual network, for training on two cores; under 100 MFLOPs",
        source="ours",
        usual_shape=(48, 48, 1),
        usual_classes=7,
        num_parameters=658_791,
        min_side=8,
    ),
    Network(
        name="fer-resnet18",
        module="fer_models.zoo.fer_resnet18",
        summary="ResNet-18 with squeeze-and-excitation, for the highest accuracy on a GPU",
        source="ours",
        usual_shape=(48, 48, 1),
        usual_classes=7,
        num_parameters=11_269_951,
        min_side=8,
        presets=(
            Preset(
                name="full",
                summary="200 epochs of 512 images a step, for a GPU",
                num_parameters=11_269_951,
            ),
            Preset(
                name="short",
                summary="the same shrunk to hours of a processor; images grow from 24x24",
                num_parameters=11_269_951,
            ),
        ),
    ),
    _transfer("vgg16", "VGG16", 48, 14_718_279),
    _transfer("resnet50", "ResNet50", 128, 23_602_055),
    _transfer("mobilenet", "MobileNet", 128, 3_236_039),
)
