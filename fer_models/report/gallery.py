"""The pictures of a report: what the network is sure of, rightly and wrongly, and looks at."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_data.shards.reader import Samples
from fer_models.metrics import confusion_matrix

#: As `fer_models.predict.Predictor.attend` has it.
Attend = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.float32] | None]
_NUM_PICTURES = 24
_LARGEST_SIDE = 128  # pixels
_PNG_BYTES = 96 * 96  # of pixels
_NUM_CONFUSIONS, _NUM_OF_CONFUSION = 5, 6
_HEAT = (226, 74, 51)


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
        attention: what speaks for the predicted class, as a transparent picture to lay over the
            pixels, the text of a `data:` address; empty where the network cannot tell.
    """

    source: str
    key: str
    true: str
    predicted: str
    probability: float
    true_probability: float
    attention: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """A class that is mistaken for another.

    Attributes:
        true: the class.
        predicted: what it is taken for.
        rate: share of the class.
        count: samples of it.
        pictures: some of them, the most confident first.
    """

    true: str
    predicted: str
    rate: float
    count: int
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """All pictures of a report.

    Attributes:
        right: the most confident right predictions, of each class.
        wrong: the most confident wrong ones.
        confusions: what is mistaken for what, the most frequent first.
        has_attention: whether pictures of mistakes show what the network looked at.
    """

    right: tuple[Picture, ...]
    wrong: tuple[Picture, ...]
    confusions: tuple[Confusion, ...]
    has_attention: bool


def choose_pictures(
    samples: Samples,
    probabilities: NDArray[np.float32],
    class_names: Sequence[str],
    attend: Attend | None = None,
) -> Gallery:
    """The pictures of a report.

    Args:
        samples: that were judged.
        probabilities: float32 array of shape (num_samples, num_classes).
        class_names: names in the order of the columns.
        attend: what the network looks at; asked once, about the predicted classes of all mistakes
            that are shown.
    """
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    right = _sure_and_right(samples, predicted, confidence, len(class_names))
    wrong = np.flatnonzero(predicted != samples.labels)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    shown = _first_different(wrong, samples, _NUM_PICTURES)
    pairs = []
    for label, guess, rate, count in _worst_confusions(samples.labels, predicted, len(class_names)):
        members = wrong[(samples.labels[wrong] == label) & (predicted[wrong] == guess)]
        rows = _first_different(members, samples, _NUM_OF_CONFUSION)
        pairs.append((label, guess, rate, count, rows))
    asked = sorted({*shown, *(row for *_, rows in pairs for row in rows)})
    maps = attend(samples.images[asked], predicted[asked]) if attend is not None and asked else None
    heats = {} if maps is None else dict(zip(asked, map(_encode_heat, maps), strict=True))

    def pictures(rows: Sequence[int]) -> tuple[Picture, ...]:
        return _pictures(rows, samples, probabilities, class_names, heats)

    return Gallery(
        right=pictures(right),
        wrong=pictures(shown),
        confusions=tuple(
            Confusion(
                true=class_names[label],
                predicted=class_names[guess],
                rate=rate,
                count=count,
                pictures=pictures(rows),
            )
            for label, guess, rate, count, rows in pairs
        ),
        has_attention=bool(heats),
    )


def _sure_and_right(
    samples: Samples,
    predicted: NDArray[np.int64],
    confidence: NDArray[np.float32],
    num_classes: int,
) -> list[int]:
    """The most confident right predictions, as many of each class as there is room for."""
    right = np.flatnonzero(predicted == samples.labels)
    order = right[np.argsort(-confidence[right], kind="stable")]
    each = max(1, _NUM_PICTURES // max(1, num_classes))
    rows = [
        row
        for label in range(num_classes)
        for row in _first_different(order[samples.labels[order] == label], samples, each)
    ]
    return rows[:_NUM_PICTURES]


def _worst_confusions(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int
) -> list[tuple[int, int, float, int]]:
    """What is mistaken for what most often: true class, predicted class, share of it, count."""
    counts = confusion_matrix(labels, predicted, num_classes)
    cells = [
        (row, column, int(counts[row, column]) / int(counts[row].sum()), int(counts[row, column]))
        for row, column in zip(*np.nonzero(counts), strict=True)
        if row != column
    ]
    return sorted(cells, key=lambda cell: -cell[2])[:_NUM_CONFUSIONS]


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
    heats: Mapping[int, str],
) -> tuple[Picture, ...]:
    return tuple(
        Picture(
            source=encode_picture(samples.images[row]),
            key=str(samples.keys[row]),
            true=class_names[samples.labels[row]],
            predicted=class_names[int(probabilities[row].argmax())],
            probability=float(probabilities[row].max()),
            true_probability=float(probabilities[row, samples.labels[row]]),
            attention=heats.get(row, ""),
        )
        for row in rows
    )


def encode_picture(pixels: NDArray[np.uint8]) -> str:
    """Pixels inside a `data:` address, shrunk to what a page can show: PNG, large ones JPEG.

    Args:
        pixels: uint8 array of shape (height, width, channels), 1 or 3 channels.
    """
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.BOX)
    return _encode(picture, "png" if pixels.size <= _PNG_BYTES else "jpeg")


def _encode_heat(attention: NDArray[np.float32]) -> str:
    """A map as one colour that covers the more, the more speaks for the class; small, unscaled."""
    heat = np.empty((*attention.shape, 4), np.uint8)
    heat[..., :3] = _HEAT
    heat[..., 3] = np.rint(attention * 190)
    return _encode(Image.fromarray(heat), "png")


def _encode(picture: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    picture.save(file, kind, quality=90)
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode("ascii")
