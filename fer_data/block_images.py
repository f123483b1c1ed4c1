"""Single images of a block of pixels, without the others."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_HEADER_BYTES = 128  # of a .npy file of four axes


def read_images(
    path: Path, images: NDArray[np.uint8], numbers: Sequence[int], rows: Sequence[int]
) -> None:
    """Reads some images of a block, into those numbers of an array.

    Samples in a random order want one or two images of every block, for which mapping all of it
    into memory, as `numpy.load` does, is too much.

    Args:
        path: of the block's .npy file, uint8 of shape (n, H, W, C).
        images: uint8 array of shape (m, H, W, C) to read into.
        numbers: rows of `images`.
        rows: of the block, one for each of them.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not what ingest wrote.
    """
    size = math.prod(images.shape[1:])
    with path.open("rb", buffering=0) as file:
        shape, start = _read_header(file.read(_HEADER_BYTES))
        if shape[1:] != images.shape[1:] or shape[0] <= max(rows):
            raise ValueError(
                f"shape {shape}; expected {images.shape[1:]} each, and more than {max(rows)}"
            )
        for number, row in zip(numbers, rows, strict=True):
            file.seek(start + row * size)
            if file.readinto(images[number].data) != size:
                raise ValueError("it is cut short")


@functools.lru_cache(maxsize=256)
def _read_header(data: bytes) -> tuple[tuple[int, ...], int]:
    """The shape of the uint8 array in a .npy file that begins so, and where its values begin."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"version {version} of .npy")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if is_fortran or dtype != np.uint8:
        raise ValueError(f"{dtype} in another order than ingest writes")
    return shape, file.tell()
