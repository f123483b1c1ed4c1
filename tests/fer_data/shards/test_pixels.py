"""Whatever form images are stored in, readers give back the same uint8 pixels."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fer_data.errors import DamagedShardError
from fer_data.shards.index import ArrayEntry
from fer_data.shards.pixels import (
    DTYPES,
    LAYOUTS,
    expected_pixels,
    restored_pixels,
    stored_pixels,
)

FORMS = list(itertools.product(LAYOUTS, DTYPES))
SHAPES = st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3]))
ALL_LEVELS = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


def test_every_level_comes_back_from_a_float_by_rounding() -> None:
    floats = stored_pixels(ALL_LEVELS, "flat", "float32")
    assert (floats.dtype, floats.min(), floats.max()) == (np.float32, 0, 1)
    np.testing.assert_array_equal(
        floats.ravel(), np.arange(256, dtype=np.float32) / np.float32(255)
    )
    np.testing.assert_array_equal(np.rint(floats * 255).astype(np.uint8), ALL_LEVELS.reshape(1, -1))


@pytest.mark.parametrize(("layout", "dtype"), FORMS)
@given(images=SHAPES.flatmap(lambda shape: arrays(np.uint8, shape)))
@settings(max_examples=25, deadline=None)
def test_images_come_back(layout: str, dtype: str, images: NDArray[np.uint8]) -> None:
    stored = stored_pixels(images, layout, dtype)
    shape = images.shape if layout == "nhwc" else (len(images), math.prod(images.shape[1:]))
    assert (stored.shape, stored.dtype.str) == (shape, DTYPES[dtype])
    height, width, channels = images.shape[1:]
    restored = restored_pixels(stored, (height, width, channels))
    np.testing.assert_array_equal(restored, images)
    assert restored.dtype == np.uint8
    np.testing.assert_array_equal(stored, stored_pixels(images, layout, dtype))


@pytest.mark.parametrize("value", [0.5, -1 / 255, 256 / 255, np.nan, np.inf, 1e38, 1e-9])
def test_a_float_that_is_no_level_is_named(value: float) -> None:
    stored = stored_pixels(np.zeros((3, 4, 4, 1), np.uint8), "flat", "float32")
    stored[1, 5] = value
    with pytest.raises(DamagedShardError, match=r"^1 values are no n/255, .* in image 1; expected"):
        restored_pixels(stored, (4, 4, 1))


def test_the_nearest_form_is_expected() -> None:
    def expected(dtype: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        entry = ArrayEntry(
            dtype=dtype, shape=shape, offset=0, compressed_bytes=0, raw_bytes=0, header_bytes=0,
            crc32=0, compression="deflate",
        )  # fmt: skip
        return expected_pixels(entry, 5, (4, 3, 1))

    assert expected("|u1", (5, 4, 3, 1)) == ("|u1", (5, 4, 3, 1))
    assert expected("<f4", (7, 2)) == ("<f4", (5, 12))
    assert expected("<f8", (5, 12, 1)) == ("|u1", (5, 4, 3, 1))
    assert expected_pixels(None, 5, (4, 3, 1)) == ("|u1", (5, 4, 3, 1))
