"""Changed copies of an image, by Augmentor's operations: the same seed gives the same pixels.

Augmentor's operations draw from Python's and NumPy's global generators. Both are seeded for every
image and put back afterwards, so a copy depends on its parent's pixels, the operations and its
seed alone. Whether an operation fires is decided here: Augmentor's own pipeline rounds
probabilities. Source: Bloice et al., "Biomedical image augmentation using Augmentor",
Bioinformatics 35(21), 2019; https://github.com/mdbloice/Augmentor.
"""

from __future__ import annotations

import contextlib
import math
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_data.operations import Operation

_Perform: TypeAlias = Callable[[Image.Image], Image.Image]
# RotateRange leaves a black line of a pixel or two in one small rotation out of five:
# the picture gets a rim of its own edge pixels first, and loses it afterwards.
_RIM = 2
_MOST_TRIES = 8  # draws until a copy differs from its parent
_DISTORT_TILES = 4
_NUMPY_DRAWS = frozenset({"brightness", "contrast", "erase"})


@dataclass(frozen=True, slots=True)
class _Change:
    """An operation on pictures of one size, which never changes its input.

    Attributes:
        perform: the operation.
        before: columns and rows of nearest pixels that the picture gets first, left and above.
        after: the same, right and below.
        is_cut: whether these are cut off afterwards.
    """

    perform: _Perform
    before: int = 0
    after: int = 0
    is_cut: bool = True


def augment_image(
    pixels: NDArray[np.uint8], operations: Sequence[Operation], seed: int
) -> NDArray[np.uint8]:
    """One changed copy of an image.

    Args:
        pixels: uint8 array of shape (height, width, channels), channels 1 or 3; not changed.
        operations: applied in order, each with its probability; where chance lets none fire, or
            the copy would equal the image, they are drawn again, at least one of them.
        seed: 0 to 2**64 - 1.

    Returns:
        uint8 array of the same shape.

    Example:
        >>> from fer_data.operations import PRESETS
        >>> face = np.arange(48 * 48, dtype=np.uint32).reshape(48, 48, 1).astype(np.uint8)
        >>> copy = augment_image(face, PRESETS["course"], seed=7)
        >>> copy.shape, bool((copy == face).all())
        ((48, 48, 1), False)
    """
    copies = augment_images(pixels[np.newaxis], operations, [seed])
    return copies.reshape(pixels.shape)


def augment_images(
    images: NDArray[np.uint8], operations: Sequence[Operation], seeds: Sequence[int]
) -> NDArray[np.uint8]:
    """One changed copy of each image, as `augment_image` makes it.

    Args:
        images: uint8 array of shape (num_images, height, width, channels); not changed.
        operations: applied in order, each with its probability.
        seeds: one an image.
    """
    height, width = images.shape[1:3]
    changes = [_change(operation, width, height) for operation in operations]
    copies = np.empty_like(images)
    with _global_states_kept():
        for pixels, copy, seed in zip(images, copies, seeds, strict=True):
            _augment(pixels, copy, operations, changes, int(seed))
    return copies


def _augment(
    pixels: NDArray[np.uint8],
    copy: NDArray[np.uint8],
    operations: Sequence[Operation],
    changes: Sequence[_Change],
    seed: int,
) -> None:
    """Fills `copy` with a changed copy of `pixels`, both of shape (height, width, channels)."""
    random.seed(seed)
    if any(operation.name in _NUMPY_DRAWS for operation in operations):
        np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002  # the generator that Augmentor draws from
    pixels = np.ascontiguousarray(pixels)
    original = made = pixels.tobytes()
    for _ in range(_MOST_TRIES):
        changed: Image.Image | NDArray[np.uint8] = pixels
        for number in _draw(operations):
            changed = _apply(changes[number], changed)
        made = changed.tobytes()
        if made != original:
            break
    copy[...] = np.frombuffer(made, np.uint8).reshape(pixels.shape)


def _draw(operations: Sequence[Operation]) -> list[int]:
    """Which operations fire: each with its probability, and at least one that can."""
    fired = [n for n, o in enumerate(operations) if random.random() < o.probability]  # noqa: S311
    weights = [operation.probability for operation in operations]
    return fired or (random.choices(range(len(weights)), weights) if any(weights) else [])  # noqa: S311


@contextlib.contextmanager
def _global_states_kept() -> Iterator[None]:
    state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)  # noqa: NPY002


def _apply(change: _Change, image: Image.Image | NDArray[np.uint8]) -> Image.Image:
    """The changed picture of a picture, or of its pixels of shape (height, width, channels)."""
    if not change.before + change.after:
        return change.perform(_picture(image) if isinstance(image, np.ndarray) else image)
    if not isinstance(image, np.ndarray):
        size = (image.height, image.width, -1)
        image = np.frombuffer(image.tobytes(), np.uint8).reshape(size)
    height, width = image.shape[:2]
    before, after = change.before, change.after
    padded = cv2.copyMakeBorder(image, before, after, before, after, cv2.BORDER_REPLICATE)
    changed = change.perform(_picture(padded.view(np.uint8)))
    if change.is_cut:
        changed = changed.crop((before, before, before + width, before + height))
    return changed


def _picture(pixels: NDArray[np.uint8]) -> Image.Image:
    mode = "RGB" if pixels.ndim == 3 and pixels.shape[2] == 3 else "L"
    size = (pixels.shape[1], pixels.shape[0])
    return Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1)


def _change(operation: Operation, width: int, height: int) -> _Change:
    """The operation as a function of a picture of this size; it never changes its input."""
    from Augmentor import Operations

    low, high, side = operation.low, operation.high, max(width, height)
    match operation.name:
        case "flip":
            change = _performer(Operations.Flip(1, "LEFT_RIGHT"))
        case "rotate" if operation.fill == "crop":
            change = _performer(Operations.RotateRange(1, int(low), int(high)), _RIM)
        case "rotate":
            angle = math.radians(max(-low, high))
            reach = (math.cos(angle) + math.sin(angle) - 1) / 2
            turn = Operations.RotateStandard(1, int(low), int(high))
            change = _performer(turn, math.ceil(side * reach) + _RIM)
        case "zoom":
            rim = math.ceil(side * (1 / low - 1) / 2) + _RIM if low < 1 else 0
            change = _performer(Operations.Zoom(1, low, high), rim)
        case "brightness":
            change = _performer(Operations.RandomBrightness(1, low, high))
        case "contrast":
            change = _performer(Operations.RandomContrast(1, low, high))
        case "shift":
            place = _performer(Operations.Crop(1, width, height, centre=False)).perform
            change = _Change(place, round(side * high), round(side * -low), is_cut=False)
        case "shear":
            change = _performer(Operations.Shear(1, int(low), int(high)))
        case "skew":
            change = _Change(_quiet(_performer(Operations.Skew(1, "RANDOM", high)).perform))
        case "distort":
            reach = round(side * high)
            change = _performer(Operations.Distort(1, _DISTORT_TILES, _DISTORT_TILES, reach))
        case _:
            erase = _performer(Operations.RandomErasing(1, high)).perform
            change = _Change(lambda image: erase(image.copy()))  # it draws on what it is given
    return change


def _performer(operation: Any, rim: int = 0) -> _Change:
    """Augmentor's operation, on a picture with a rim of its nearest pixels."""
    return _Change(lambda image: operation.perform_operation([image])[0], rim, rim)


def _quiet(perform: _Perform) -> _Perform:
    def perform_quietly(image: Image.Image) -> Image.Image:
        with warnings.catch_warnings():  # Augmentor uses np.matrix
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            return perform(image)

    return perform_quietly
