"""The bytes of one file of a synthetic set."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.synth.face import draw_face
from fer_data.synth.files import HARDER_NEAR_DUPLICATES, PlannedFile
from fer_data.synth.nonface import draw_non_face
from fer_data.synth.plan import DIRT_STREAM, SynthSettings, random_stream

_DS_STORE = b"\x00\x00\x00\x01Bud1" + bytes(56)
_APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(40)
_TEXT = b"This picture has been removed on request of its owner.\n"
_PDF = b"%PDF-1.4\n1 0 obj << /Type /Catalog >> endobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
_JPEG_QUALITY = 80


def make_content(settings: SynthSettings, file: PlannedFile) -> bytes:
    """The bytes of `file`: a pure function of the settings and the file's plan.

    Example:
        >>> from fer_data.synth.files import plan_files
        >>> settings = SynthSettings(num_samples=1)
        >>> make_content(settings, plan_files(settings)[0])[1:4]
        b'PNG'
    """
    if file.kind == "zero-byte":
        return b""
    if file.kind == "wrong-type":
        return _PDF if file.variant == ".pdf" else _TEXT
    if file.kind == "hidden":
        return _DS_STORE if file.variant == "ds-store" else _APPLE_DOUBLE
    rng = random_stream(settings.seed, DIRT_STREAM, file.number + 1)
    if file.face_index is None:
        return encode(_draw_junk(settings, file.kind, rng))
    image = draw_face(settings, file.face_index).image
    suffix = file.path[file.path.rindex(".") :]
    if file.kind == "near-duplicate":
        image = _change_slightly(image, file.variant, rng)
    content = encode(image, suffix)
    if file.kind == "truncated":
        return content[: int(len(content) * rng.uniform(0.3, 0.8))]
    return content


def encode(image: NDArray[np.uint8], suffix: str = ".png") -> bytes:
    """An image as a PNG or JPEG file.

    Args:
        image: uint8 array of shape (height, width, channels), RGB where there are three.
        suffix: .png or .jpg.
    """
    pixels = image[:, :, ::-1] if image.shape[2] == 3 else image  # cv2 takes BGR
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix == ".jpg" else []
    return bytes(cv2.imencode(suffix, pixels, options)[1])


def _draw_junk(settings: SynthSettings, kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    size, channels = settings.image_size, settings.channels
    if kind == "non-face":
        return draw_non_face(rng, size, channels)
    level = 0 if kind == "black" else int(rng.integers(30, 256))
    return np.full((size, size, channels), level, dtype=np.uint8)


def _change_slightly(
    image: NDArray[np.uint8], variant: str, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The same picture as another site would show it."""
    if variant == "brighter":
        shift = int(rng.integers(6, 15)) * (1 if rng.random() < 0.5 else -1)
        return np.clip(image.astype(np.int16) + shift, 0, 255).astype(np.uint8)
    if variant == "cropped":
        return np.ascontiguousarray(image[1:, :-1] if rng.random() < 0.5 else image[:-1, 1:])
    if variant == "resized":
        side = round(image.shape[0] * 1.08)
        larger = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
        return np.asarray(larger, dtype=np.uint8).reshape(side, side, image.shape[2])
    if variant in HARDER_NEAR_DUPLICATES:
        return _change_more(image, variant, rng)
    return image  # jpeg: the encoder changes it


def _change_more(
    image: NDArray[np.uint8], variant: str, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The same picture cut by another face detector, or after someone worked on it."""
    side = image.shape[0]
    reach = max(1, round(side / 24))  # two pixels of 48
    if variant == "mirrored":
        return np.ascontiguousarray(image[:, ::-1])
    if variant == "contrast":
        gain = rng.uniform(0.6, 0.85) if rng.random() < 0.5 else rng.uniform(1.15, 1.4)
        changed = np.clip((image - 128.0) * gain + 128.0, 0, 255)
        return np.asarray(changed, dtype=np.uint8)
    if variant == "cut":
        top, bottom, left, right = rng.integers(0, reach + 1, 4).tolist()
        return np.ascontiguousarray(image[top + 1 : side - bottom, left : side - right])
    if variant == "shifted":
        down, across = (int(rng.choice((-1, 1))) * int(rng.integers(1, reach + 1)) for _ in "yx")
        rows, columns = (np.clip(np.arange(side) + by, 0, side - 1) for by in (down, across))
        return np.asarray(image[rows][:, columns])
    marked = image.astype(np.float64)  # watermarked: a half-transparent band of letters
    top, height = int(rng.integers(side // 3, side * 3 // 4)), side // 8
    letters = (np.arange(side) + int(rng.integers(side))) // max(2, side // 16) % 2 == 0
    marked[top : top + height, letters] = 0.7 * marked[top : top + height, letters] + 0.3 * 255
    return np.rint(marked).astype(np.uint8)
