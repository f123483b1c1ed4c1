"""Random changes of training images: what is drawn for each, as a few numbers an image.

What an image meets depends on the seed, the epoch and the image alone: not on the batch it comes
in, on what was drawn before, or on how many train together. The one exception is what is mixed into
it: its neighbour in the batch, with a strength of its own. The stream draws the numbers;
`fer_models.image_changes` has the layer before the network that changes the pixels, on the
accelerator if there is one. The network that is saved is free of it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fer_data.errors import SettingsError
from fer_models.random_numbers import draw_uniform

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Where the numbers of an image's changes stand among the `NUM_CHANGES` drawn for it.
MOVEMENT, LIGHT, ERASED, MIXED = slice(0, 8), slice(8, 10), slice(10, 15), slice(15, 20)
NUM_CHANGES = 20
_MOVED, _LIT, _ERASED, _MIXED = range(4)  # part of the seed: one stream of numbers for each
_QUANTILES = 4096
_ERASED_AREA, _ERASED_ASPECT = (0.02, 0.33), (0.3, 3.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSettings:
    """How far training images are changed at random.

    Attributes:
        rotation: degrees; turned by up to this much either way.
        shift: share of the height and width; moved by up to this much in each direction.
        zoom: height and width are each scaled by 1 - zoom to 1 + zoom.
        flip: whether one image in two is mirrored left to right.
        brightness: share of the full range; lighter or darker by up to this much.
        contrast: contrast is multiplied by 1 - contrast to 1 + contrast.
        erasing: probability that a rectangle is filled with one random grey; 2% to 33% of the
            picture, its sides at most 1 to 3.3 (Zhong et al., arXiv:1708.04896).
        mixup: each image is blended with another of its batch, as are their labels; alpha of the
            Beta distribution of the share, 0 for never (Zhang et al., arXiv:1710.09412).
        cutmix: a rectangle is taken from another image of the batch, labels by area; alpha, 0 for
            never (Yun et al., arXiv:1905.04899). With `mixup` too, each image meets one of them.
    """

    rotation: float = 20.0
    shift: float = 0.1
    zoom: float = 0.2
    flip: bool = True
    brightness: float = 0.0
    contrast: float = 0.0
    erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotation": 180.0, "shift": 1.0, "zoom": 0.99, "brightness": 1.0,
                  "contrast": 1.0, "erasing": 1.0, "mixup": 100.0, "cutmix": 100.0}  # fmt: skip
        for name, limit in limits.items():
            value = getattr(self, name)
            if not 0.0 <= value <= limit:
                raise SettingsError(f"{name} must be 0 to {limit:g}; received {value}")

    @property
    def moves(self) -> bool:
        """Whether images are turned, shifted, zoomed or mirrored."""
        return bool(self.rotation or self.shift or self.zoom or self.flip)

    @property
    def lights(self) -> bool:
        """Whether brightness or contrast change."""
        return bool(self.brightness or self.contrast)

    @property
    def mixes(self) -> bool:
        """Whether images and labels are mixed with others of the batch."""
        return bool(self.mixup or self.cutmix)


#: Leaves images as they are.
NO_CHANGES = AugmentSettings(rotation=0.0, shift=0.0, zoom=0.0, flip=False)


def draw_changes(
    numbers: Any, seed: tuple[int, int], size: tuple[int, int], settings: AugmentSettings
) -> Any:
    """What each image meets.

    Args:
        numbers: int64 tensor of shape (batch,): the images' numbers in their split.
        seed: two integers; of the run and the epoch.
        size: height and width of the images.
        settings: how far.

    Returns:
        float32 tensor of shape (batch, NUM_CHANGES): a projective transform without its last 1
        (where a pixel of the moved image comes from), brightness (-1 to 1) and contrast (a
        factor), a rectangle to erase (top, bottom, left, right; in pixels, empty for none) and its
        grey (0 to 255), and a rectangle that is mixed with another image and how much of that one
        shows in it (0 to 1).
    """
    import tensorflow as tf

    light = 2.0 * draw_uniform(numbers, (*seed, _LIT), 2) - 1.0
    light *= tf.constant([settings.brightness, settings.contrast])
    light += tf.constant([0.0, 1.0])
    parts = [
        _draw_movements(numbers, (*seed, _MOVED), size, settings),
        light,
        _draw_erased(draw_uniform(numbers, (*seed, _ERASED), 6), size, settings.erasing),
        _draw_mixed(draw_uniform(numbers, (*seed, _MIXED), 4), size, settings),
    ]
    return tf.concat(parts, axis=1)


def share_of_other(changes: Any, size: tuple[int, int]) -> Any:
    """How much of each image is another one's, 0 to 1.

    Args:
        changes: float32 tensor of shape (batch, NUM_CHANGES), as `draw_changes` gives it.
        size: height and width of the images.

    Returns:
        float32 tensor of shape (batch,).
    """
    top, bottom, left, right, strength = (changes[:, MIXED][:, n] for n in range(5))
    return strength * (bottom - top) * (right - left) / (size[0] * size[1])


def _draw_movements(
    numbers: Any, seed: tuple[int, ...], size: tuple[int, int], settings: AugmentSettings
) -> Any:
    """Projective transforms without the last 1, float32 of shape (batch, 8)."""
    import tensorflow as tf

    height, width = size
    draws = tf.unstack(2.0 * draw_uniform(numbers, seed, 6) - 1.0, axis=1)  # six of shape (batch,)
    angle = draws[0] * math.radians(settings.rotation)
    scale_y, scale_x = 1.0 + draws[1] * settings.zoom, 1.0 + draws[2] * settings.zoom
    if settings.flip:
        scale_x *= tf.where(draws[3] < 0.0, -1.0, 1.0)
    middle_y, middle_x = (height - 1.0) / 2.0, (width - 1.0) / 2.0
    shift_y, shift_x = draws[4] * settings.shift * height, draws[5] * settings.shift * width
    # Scaled and turned about the middle, then moved.
    xx, xy = tf.cos(angle) * scale_x, -tf.sin(angle) * scale_y
    yx, yy = tf.sin(angle) * scale_x, tf.cos(angle) * scale_y
    offset_x = middle_x + shift_x - xx * middle_x - xy * middle_y
    offset_y = middle_y + shift_y - yx * middle_x - yy * middle_y
    nothing = tf.zeros_like(angle)
    # (8, batch) -> (batch, 8)
    return tf.stack([xx, xy, offset_x, yx, yy, offset_y, nothing, nothing], axis=1)


def _draw_erased(uniform: Any, size: tuple[int, int], probability: float) -> Any:
    """Rectangles and their greys, float32 of shape (batch, 5); from (batch, 6) draws."""
    import tensorflow as tf

    happens, area, aspect, y, x, grey = tf.unstack(uniform, axis=1)
    area = _ERASED_AREA[0] + area * (_ERASED_AREA[1] - _ERASED_AREA[0])
    low, high = map(math.log, _ERASED_ASPECT)
    aspect = tf.exp(low + aspect * (high - low))
    area = tf.where(happens < probability, area, 0.0)
    shares = (tf.sqrt(area * aspect), tf.sqrt(area / aspect))
    edges = []
    for share, place, side in zip(shares, (y, x), size, strict=True):
        length = tf.minimum(tf.round(share * side), side)
        first = tf.floor(place * (side - length + 1.0))  # all places alike; wholly inside
        edges += [first, first + length]
    return tf.stack([*edges, tf.round(grey * 255.0)], axis=1)


def _draw_mixed(uniform: Any, size: tuple[int, int], settings: AugmentSettings) -> Any:
    """Rectangles and strengths, float32 of shape (batch, 5); from (batch, 4) draws."""
    import tensorflow as tf

    which, share, y, x = tf.unstack(uniform, axis=1)
    nothing = tf.zeros_like(share)
    quantile = tf.cast(share * _QUANTILES, tf.int32)
    blended = cut = tf.stack([nothing] * 5, axis=1)
    if settings.mixup:
        full = [nothing, nothing + size[0], nothing, nothing + size[1]]
        strength = tf.gather(tf.constant(_beta_quantiles(settings.mixup)), quantile)
        blended = tf.stack([*full, strength], axis=1)
    if settings.cutmix:
        side = tf.sqrt(tf.gather(tf.constant(_beta_quantiles(settings.cutmix)), quantile))
        edges = []
        for place, length in zip((y, x), size, strict=True):
            middle, half = tf.floor(place * length), tf.round(side * length) / 2.0
            edges += [tf.clip_by_value(tf.floor(middle + s * half), 0.0, length) for s in (-1, 1)]
        cut = tf.stack([*edges, nothing + 1.0], axis=1)
    if not settings.mixup or not settings.cutmix:
        return blended if settings.mixup else cut
    return tf.where(which[:, tf.newaxis] < 0.5, blended, cut)


@functools.cache
def _beta_quantiles(alpha: float) -> NDArray[np.float32]:
    """Quantiles of Beta(alpha, alpha) at even steps, float32 of shape (_QUANTILES,)."""
    import numpy as np
    from scipy.special import betaincinv

    steps = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    return np.asarray(betaincinv(alpha, alpha, steps), np.float32)
