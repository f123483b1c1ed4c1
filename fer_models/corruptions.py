"""How predictions hold when pictures get worse: turned, dark, blurred, noisy, packed, covered.

After Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", 2019, with strengths for faces of 48 to 224 pixels. Eyes and mouth are covered where
they are in faces that fill the picture upright.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_models.metrics import measure

_Images = NDArray[np.uint8]
#: (image (H, W, C), strength, its own random numbers) -> image (H, W, C) or (H, W)
_Change = Callable[[_Images, float, np.random.Generator], NDArray[Any]]

_EYES = (0.22, 0.48, 0.10, 0.90)  # top, bottom, left, right: shares of the sides
_MOUTH = (0.62, 0.90, 0.20, 0.80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corruption:
    """One way in which pictures get worse.

    Attributes:
        name: what it is called.
        unit: what its strengths are.
        strengths: from weak to strong.
        change: what it does to one image.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    change: _Change

    def __call__(self, images: _Images, strength: float) -> _Images:
        """The images, corrupted; the same ones each time.

        Args:
            images: uint8 array of shape (n, H, W, C), 1 or 3 channels.
            strength: one of `strengths`.

        Returns:
            uint8 array of the same shape.
        """
        changed = np.empty_like(images)
        for number, image in enumerate(images):
            rng = np.random.default_rng((number, int(strength * 1000)))
            found = self.change(image, strength, rng)
            if found.dtype != np.uint8:
                found = np.rint(found).clip(0, 255)
            changed[number] = found.reshape(image.shape)  # OpenCV drops a single channel
        return changed


def _turn(image: _Images, degrees: float, rng: np.random.Generator) -> NDArray[Any]:
    height, width = image.shape[:2]
    angle = float(rng.choice([-degrees, degrees]))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    found: NDArray[Any] = cv2.warpAffine(
        image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE
    )
    return found


def _darken(image: _Images, share: float, _: np.random.Generator) -> NDArray[Any]:
    return image * (1.0 - share)


def _lighten(image: _Images, share: float, _: np.random.Generator) -> NDArray[Any]:
    return image + (255.0 - image) * share


def _fade(image: _Images, share: float, _: np.random.Generator) -> NDArray[Any]:
    return image + (float(image.mean()) - image) * share


def _blur(image: _Images, share: float, _: np.random.Generator) -> NDArray[Any]:
    sigma = share * image.shape[0]
    found: NDArray[Any] = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return found


def _add_noise(image: _Images, levels: float, rng: np.random.Generator) -> NDArray[Any]:
    return image + rng.normal(0.0, levels, image.shape)


def _pack(image: _Images, quality: float, _: np.random.Generator) -> NDArray[Any]:
    options: dict[str, Any] = {"format": "JPEG", "quality": int(quality)}
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, **options)
    return np.asarray(Image.open(file))


def _shrink(image: _Images, factor: float, _: np.random.Generator) -> NDArray[Any]:
    height, width = image.shape[:2]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    found = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)


def _cover(box: tuple[float, float, float, float]) -> _Change:
    top, bottom, left, right = box

    def change(image: _Images, share: float, _: np.random.Generator) -> NDArray[Any]:
        height, width = image.shape[:2]
        middle, reach = (left + right) / 2, share * (right - left) / 2
        columns = slice(round(width * (middle - reach)), round(width * (middle + reach)))
        covered = image.copy()
        covered[round(height * top) : round(height * bottom), columns] = round(image.mean())
        return covered

    return change


CORRUPTIONS = (
    Corruption(name="rotation", unit="degrees", strengths=(5, 10, 20, 30, 45), change=_turn),
    Corruption(name="darker", unit="share", strengths=(0.2, 0.4, 0.6, 0.8, 0.9), change=_darken),
    Corruption(name="lighter", unit="share", strengths=(0.2, 0.4, 0.6, 0.8, 0.9), change=_lighten),
    Corruption(name="contrast", unit="share", strengths=(0.2, 0.4, 0.6, 0.8, 0.9), change=_fade),
    Corruption(name="blur", unit="side", strengths=(0.01, 0.02, 0.03, 0.045, 0.06), change=_blur),
    Corruption(name="noise", unit="levels", strengths=(5, 10, 20, 40, 60), change=_add_noise),
    Corruption(name="JPEG", unit="quality", strengths=(50, 30, 20, 10, 5), change=_pack),
    Corruption(name="resolution", unit="times fewer", strengths=(1.5, 2, 3, 4, 6), change=_shrink),
    Corruption(
        name="eyes covered", unit="share", strengths=(0.25, 0.5, 0.75, 1.0), change=_cover(_EYES)
    ),
    Corruption(
        name="mouth covered", unit="share", strengths=(0.25, 0.5, 0.75, 1.0), change=_cover(_MOUTH)
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """How good predictions are on pictures that got worse in one way.

    Attributes:
        name: what was done to them.
        unit: what the strengths are.
        strengths: from weak to strong.
        accuracy: at each strength.
        macro_f1: likewise.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    accuracy: tuple[float, ...]
    macro_f1: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return dataclasses.asdict(self)


def measure_damages(
    predict: Callable[[_Images], NDArray[np.float32]],
    images: _Images,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
) -> Iterator[Damage]:
    """How predictions hold under each of `CORRUPTIONS`, one after the other.

    Args:
        predict: from uint8 images (n, H, W, C) to probabilities (n, num_classes).
        images: uint8 array of shape (num_samples, H, W, C).
        labels: int array of shape (num_samples,), rows of `class_names`.
        class_names: names in the order of the columns.
    """
    for corruption in CORRUPTIONS:
        found = [
            measure(labels, predict(corruption(images, strength)), class_names)
            for strength in corruption.strengths
        ]
        yield Damage(
            name=corruption.name,
            unit=corruption.unit,
            strengths=corruption.strengths,
            accuracy=tuple(each.accuracy for each in found),
            macro_f1=tuple(each.macro_f1 for each in found),
        )
