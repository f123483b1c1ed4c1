"""The check of an export: the same probabilities as the network itself gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import FerDataError
from fer_data.shards.index import read_index
from fer_data.shards.reader import ShardReader
from fer_models.bundle import Bundle
from fer_models.errors import FerModelError
from fer_models.run import read_record

#: Largest difference of a probability between an exported network and the network itself.
TOLERANCE = 1e-4
_NUM_SAMPLES = 32
_NUM_NOISE = 8


def draw_images(bundle_dir: Path, bundle: Bundle) -> NDArray[np.uint8]:
    """Images to compare networks on: plain, striped, noise, and samples where the shards are there.

    Returns:
        uint8 array of shape (num_images, height, width, channels), at least 14 images.
    """
    rng = np.random.default_rng(0)
    shape = bundle.image_shape
    rows = np.indices(shape)[0] * 255 // max(shape[0] - 1, 1)
    columns = np.indices(shape)[1] * 255 // max(shape[1] - 1, 1)
    drawn = [np.full(shape, level) for level in (0, 128, 255)] + [rows, columns, rows ^ columns]
    noise = rng.integers(0, 256, (_NUM_NOISE, *shape))
    return np.concatenate(
        [np.stack(drawn).astype(np.uint8), noise.astype(np.uint8), _samples(bundle_dir, bundle)]
    )


def _samples(bundle_dir: Path, bundle: Bundle) -> NDArray[np.uint8]:
    """Samples of the shards that the network was trained on, none where they are not at hand."""
    none = np.empty((0, *bundle.image_shape), np.uint8)
    try:
        shards_dir = read_record(bundle_dir.parent).shards_dir
        index = read_index(shards_dir)
        if index.image_shape == bundle.image_shape and index.splits:
            reader = ShardReader(shards_dir, index.splits[-1])
            return reader.take(range(min(_NUM_SAMPLES, len(reader)))).images
    except (FerModelError, FerDataError, OSError):
        pass  # the check is good without them
    return none


def largest_difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Largest difference of a probability; infinite where the arrays do not match.

    Example:
        >>> largest_difference(np.float32([[0.25, 0.75]]), np.float32([[0.5, 0.5]]))
        0.25
        >>> largest_difference(np.float32([[np.nan, 1.0]]), np.float32([[0.5, 0.5]]))
        inf
    """
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max(initial=0.0))
