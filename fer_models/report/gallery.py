"""The pictures of a report: what the network is sure of, rightly and wrongly."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_data.shards.reader import Samples

_NUM_PICTURES = 24
_PNG_BYTES = 96 * 96  # of pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One sample of the gallery.

    Attributes:
        source: the pixels as the text of a `data:` address.
        key: of the sample.
        true: its class.
        predicted: the class predicted.
        probability: of the predicted class.
        true_probability: of the true class.
    """

    source: str
    key: str
    true: str
    predicted: str
    probability: float
    true_probability: float


def sure_and_right(
    samples: Samples, probabilities: NDArray[np.float32], class_names: Sequence[str]
) -> list[Picture]:
    """The most confident right predictions, as many of each class as there is room for."""
    predicted = probabilities.argmax(axis=1)
    right = np.flatnonzero(predicted == samples.labels)
    order = right[np.argsort(-probabilities[right, predicted[right]], kind="stable")]
    each = max(1, _NUM_PICTURES // max(1, len(class_names)))
    rows = [
        row
        for label in range(len(class_names))
        for row in _first_different(order[samples.labels[order] == label], samples, each)
    ]
    return _pictures(rows[:_NUM_PICTURES], samples, probabilities, class_names)


def sure_and_wrong(
    samples: Samples, probabilities: NDArray[np.float32], class_names: Sequence[str]
) -> list[Picture]:
    """The wrong predictions, the most confident first."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != samples.labels)
    order = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")]
    rows = _first_different(order, samples, _NUM_PICTURES)
    return _pictures(rows, samples, probabilities, class_names)


def _first_different(order: NDArray[np.int64], samples: Samples, most: int) -> list[int]:
    """The first of `order`, at most so many, without a picture that is there already."""
    found: dict[bytes, int] = {}
    for row in order:
        found.setdefault(samples.images[row].tobytes(), int(row))
        if len(found) == most:
            break
    return list(found.values())


def _pictures(
    rows: Sequence[int],
    samples: Samples,
    probabilities: NDArray[np.float32],
    class_names: Sequence[str],
) -> list[Picture]:
    return [
        Picture(
            source=encode_picture(samples.images[row]),
            key=str(samples.keys[row]),
            true=class_names[samples.labels[row]],
            predicted=class_names[int(probabilities[row].argmax())],
            probability=float(probabilities[row].max()),
            true_probability=float(probabilities[row, samples.labels[row]]),
        )
        for row in rows
    ]


def encode_picture(pixels: NDArray[np.uint8]) -> str:
    """Pixels inside a `data:` address: small ones as PNG, others as JPEG, so that pages stay small.

    Args:
        pixels: uint8 array of shape (height, width, channels), 1 or 3 channels.
    """
    kind = "png" if pixels.size <= _PNG_BYTES else "jpeg"
    file = io.BytesIO()
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.save(file, kind, quality=90)
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode("ascii")
