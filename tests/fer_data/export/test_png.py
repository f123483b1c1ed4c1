"""PNG files hold the pixels exactly, for every reader."""

from __future__ import annotations

import hashlib
import io

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from fer_data.export.png import encode_pngs
from fer_data.image import ImageSettings, prepare_image
from tests.conftest import face_pixels

# by isal 1.9.1 at level 1: where it changes, every export of pictures gets other bytes
GOLDEN = "d2447d052d7ba537246915f75f3c99b1057ccc00e437b1a59429c6c3f79580bb"
SHAPES = st.tuples(
    st.integers(0, 3), st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3])
)


@given(SHAPES.flatmap(lambda shape: arrays(np.uint8, shape)))
@settings(max_examples=100, deadline=None)
def test_pixels_come_back(images: NDArray[np.uint8]) -> None:
    files = list(encode_pngs(images))
    assert len(files) == len(images)
    for image, data in zip(images, files, strict=True):
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            assert picture.mode == ("L" if image.shape[2] == 1 else "RGB")
            np.testing.assert_array_equal(np.asarray(picture).reshape(image.shape), image)
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(decoded.reshape(image.shape)[:, :, ::-1], image)


def test_ingest_reads_the_same_pixels() -> None:
    face = face_pixels(3)[:, :, None]
    (data,) = encode_pngs(face[None])
    np.testing.assert_array_equal(prepare_image(data, ImageSettings()).pixels, face)


def test_bytes_are_as_they_were() -> None:
    images = np.stack([face_pixels(seed) for seed in range(3)])[:, :, :, None]
    files = b"".join(encode_pngs(images))
    assert files == b"".join(data for image in images for data in encode_pngs(image[None]))
    assert hashlib.sha256(files).hexdigest() == GOLDEN


def test_files_are_smaller_than_opencvs() -> None:
    images = np.stack([face_pixels(seed) for seed in range(20)])[:, :, :, None]
    ours = sum(map(len, encode_pngs(images)))
    theirs = sum(len(cv2.imencode(".png", image)[1]) for image in images)
    assert ours < theirs
