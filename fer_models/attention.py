"""Where a network looks: maps of what in a picture speaks for a class.

Grad-CAM (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", 2017), in its element-wise form (Draelos and Carin, "Use HiResCAM instead of Grad-CAM
for faithful explanations of convolutional neural networks", 2020): ReLU of the sum over channels of
a feature map times the gradient by it of the class's score before softmax. Behind global average
pooling both are the class activation map; behind a flatten layer Grad-CAM's mean over places would
forget the place, which this form keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST_SIDE = 6  # places a side below which a map says little of a face
_CONVOLUTIONS = ("Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D")


def attention_maps(
    network: Any, images: NDArray[np.uint8], classes: NDArray[np.int64]
) -> NDArray[np.float32] | None:
    """What in each image speaks for a class, at the last feature map that still tells places apart.

    Args:
        network: `keras.Model` from uint8 images to probabilities; it is not changed.
        images: uint8 array of shape (num_images, height, width, channels).
        classes: int array of shape (num_images,): of each image the class that is asked about.

    Returns:
        float32 array of shape (num_images, map_height, map_width), 0 to 1, the highest place of an
        image 1; all 0 where nothing speaks for the class. None for a network without convolutions,
        or whose layers cannot be told apart.
    """
    halves = _split(network)
    if halves is None:
        return None
    features = _numpy(halves.body(images, training=False)).astype(np.float32)
    gradients = _gradients(halves, features, classes)
    maps = np.maximum((features * gradients).sum(axis=-1), 0.0)  # (n, h, w, channels) -> (n, h, w)
    highest = maps.max(axis=(1, 2), keepdims=True)
    found: NDArray[np.float32] = np.divide(
        maps, highest, out=np.zeros_like(maps), where=highest > 0
    )
    return found


@dataclass(frozen=True, slots=True)
class _Halves:
    """A network cut at a feature map; both halves share its weights.

    Attributes:
        body: from images to the feature map (B, h, w, channels).
        head: from the feature map to the scores of the classes.
        gives_probabilities: whether these scores are behind softmax.
    """

    body: Any
    head: Any
    gives_probabilities: bool


@dataclass(frozen=True, slots=True)
class _Cut:
    """A place to cut a network at.

    Attributes:
        tensor: the feature map (B, h, w, channels).
        part: the network within the network that it is in; None for the network itself.
        before: the tensor of the network itself that goes into this part.
        behind: the one that comes out of it.
    """

    tensor: Any
    part: Any = None
    before: Any = None
    behind: Any = None

    @property
    def num_places(self) -> int:
        """Of the feature map."""
        return int(self.tensor.shape[1] * self.tensor.shape[2])

    def halves(self, network: Any, scores: Any) -> tuple[Any, Any]:
        """From images to the feature map, and from there to the scores.

        Raises:
            ValueError: there is a way around the feature map.
        """
        import keras

        images = network.inputs[0]
        if self.part is None:
            return keras.Model(images, self.tensor), keras.Model(self.tensor, scores)
        rest = keras.Model(self.tensor, self.part.outputs[0])(self.tensor)
        head = keras.Model(self.tensor, keras.Model(self.behind, scores)(rest))
        first = keras.Model(self.part.inputs[0], self.tensor)
        return keras.Model(images, first(self.before)), head


def _split(network: Any) -> _Halves | None:
    try:
        cuts = list(_cuts(network))
        if not cuts:
            return None
        scores, gives_probabilities = _scores(network)
    except (AttributeError, TypeError):  # its layers were not joined by Keras
        return None
    telling = [cut for cut in cuts if min(cut.tensor.shape[1:3]) >= _LEAST_SIDE]
    # where all are smaller, the largest; of equals the last
    by_size = sorted(cuts, key=lambda cut: cut.num_places)
    for cut in (*reversed(telling), *reversed(by_size)):
        try:
            body, head = cut.halves(network, scores)
        except ValueError:  # there is a way around it
            continue
        return _Halves(body, head, gives_probabilities)
    return None


def _cuts(network: Any) -> Iterator[_Cut]:
    """The feature maps behind the first convolution, in order."""
    is_behind = False
    for tensor in _tensors(network.outputs[0]):
        layer, inputs = _origin(tensor)
        if hasattr(layer, "layers") and len(inputs) == 1:
            for cut in _cuts(layer):
                if cut.part is None:  # two networks deep is deep enough
                    yield _Cut(cut.tensor, layer, inputs[0], tensor)
                    is_behind = True
        elif type(layer).__name__ in _CONVOLUTIONS:
            is_behind = getattr(layer, "data_format", "") == "channels_last"
        if is_behind and len(tensor.shape) == 4 and None not in tensor.shape[1:]:
            yield _Cut(tensor)


def _tensors(last: Any) -> list[Any]:
    """All that a tensor is made of and itself, each behind what it is made of."""
    found: dict[int, Any] = {}
    waiting = [last]
    while waiting:
        tensor = waiting[-1]
        missing = [each for each in _origin(tensor)[1] if id(each) not in found]
        if missing:
            waiting += missing
        else:
            found[id(waiting.pop())] = tensor
    return list(found.values())


def _origin(tensor: Any) -> tuple[Any, list[Any]]:
    """The layer that made a tensor, and of which tensors."""
    history = tensor._keras_history
    return history.operation, history.operation._inbound_nodes[history.node_index].input_tensors


def _scores(network: Any) -> tuple[Any, bool]:
    """What the network makes probabilities of, and whether these are those themselves."""
    import keras

    last, inputs = _origin(network.outputs[0])
    if isinstance(last, keras.layers.Softmax):
        return inputs[0], False
    if getattr(last, "activation", None) is not keras.activations.softmax:
        return network.outputs[0], True
    if isinstance(last, keras.layers.Activation):
        return inputs[0], False
    linear = type(last).from_config(
        last.get_config() | {"activation": "linear", "name": f"{last.name}_scores"}
    )
    scores = linear(inputs[0])
    linear.set_weights(last.get_weights())
    return scores, False


def _gradients(
    halves: _Halves, features: NDArray[np.float32], classes: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Of the score of each image's class by its features, as the backend of Keras takes them."""
    import keras

    num_classes = halves.head.output_shape[-1]
    chosen = keras.ops.convert_to_tensor(np.eye(num_classes, dtype=np.float32)[classes])

    def total(scores: Any) -> Any:
        """The sum over images: each depends on its own features alone."""
        if halves.gives_probabilities:
            scores = keras.ops.log(keras.ops.maximum(scores, 1e-30))
        return keras.ops.sum(keras.ops.cast(scores, "float32") * chosen)

    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            inputs = tf.constant(features)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(inputs)
                score = total(halves.head(inputs, training=False))
            return _numpy(tape.gradient(score, inputs))
        case "jax":
            import jax

            return _numpy(
                jax.grad(lambda inputs: total(halves.head(inputs, training=False)))(features)
            )
        case "torch":
            import torch

            inputs = keras.ops.convert_to_tensor(features).requires_grad_(True)
            with torch.enable_grad():
                score = total(halves.head(inputs, training=False))
            return _numpy(torch.autograd.grad(score, inputs)[0])
        case other:
            raise ValueError(f"backend {other} is not known")


def _numpy(tensor: Any) -> NDArray[np.float32]:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")), np.float32)
