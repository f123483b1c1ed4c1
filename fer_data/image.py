"""Bytes of a picture -> uint8 pixels of one size and colour: decode, orient, crop, resize."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_data.errors import ImageError, SettingsError

#: Why a picture cannot be used.
REASONS = ("empty", "not-an-image", "truncated", "corrupt", "too-small", "too-large")
#: Pictures with a shorter side than this show no face.
MIN_SIDE = 8
#: Pictures with more pixels than this are refused unread: a small file can hold a huge one.
MAX_PIXELS = 100_000_000

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
# Marks of pictures that OpenCV decodes; everything else is no picture to us.
_OTHER_SIGNATURES = (b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF", b"P5", b"P6", b"P2", b"P3")
# Start-of-frame markers of JPEG: SOF0..SOF15 without DHT, JPG and DAC.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_REDUCED_FLAGS = {
    "gray": {
        1: cv2.IMREAD_GRAYSCALE,
        2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
        4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
        8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    },
    "rgb": {
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    },
}

cv2.setNumThreads(0)  # pictures are small and every core has a process of its own
cv2.utils.logging.setLogLevel(
    0
)  # a bad picture is told by its rejection, not by OpenCV on standard error


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """How pictures are brought to one form.

    Attributes:
        size: height and width of the result, in pixels.
        color: "gray" (1 channel) or "rgb" (3 channels).
        equalize: equalise the histogram of the light (of Y in YCrCb for colour pictures).
    """

    size: int = 48
    color: str = "gray"
    equalize: bool = False

    def __post_init__(self) -> None:
        if not MIN_SIDE <= self.size <= 1024:
            raise SettingsError(f"size must be {MIN_SIDE} to 1024 pixels; received {self.size}")
        if self.color not in _REDUCED_FLAGS:
            raise SettingsError(f'color must be "gray" or "rgb"; received "{self.color}"')

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the result."""
        return (self.size, self.size, 1 if self.color == "gray" else 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedImage:
    """A picture in its final form.

    Attributes:
        pixels: uint8 array of shape (size, size, channels), channels in the order R, G, B.
        height: of the picture as it was stored, in pixels.
        width: likewise.
    """

    pixels: NDArray[np.uint8]
    height: int
    width: int


def prepare_image(data: bytes, settings: ImageSettings) -> PreparedImage:
    """The picture that `data` holds, in the form that `settings` ask for.

    The picture is turned as its EXIF orientation says, cut to its centre square, and resized by
    area averaging where it shrinks and linear interpolation where it grows: both give the same
    bytes on every processor, which cubic interpolation does not.

    Args:
        data: a whole PNG, JPEG, GIF, BMP, TIFF, WebP or PNM file.
        settings: the form.

    Raises:
        ImageError: the picture cannot be used; its `reason` is one of `REASONS`.
    """
    height, width = _check_header(data)
    factor = _reduction(data, min(height, width), settings.size)
    flag = _REDUCED_FLAGS[settings.color][factor]
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise ImageError("corrupt", f"cannot be decoded ({error.err})") from None
    if decoded is None:
        raise ImageError("corrupt", "cannot be decoded")
    pixels = np.asarray(decoded, dtype=np.uint8)
    if settings.color == "rgb":
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    return PreparedImage(pixels=fit_pixels(pixels, settings), height=height, width=width)


def fit_pixels(pixels: NDArray[np.uint8], settings: ImageSettings) -> NDArray[np.uint8]:
    """Pixels cut to their centre square, resized and equalised as `settings` ask.

    Args:
        pixels: uint8 array of shape (height, width) or (height, width, channels).
        settings: the form; its colour must be that of the pixels.

    Returns:
        uint8 array of shape (size, size, channels).
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    if height != width:
        top, left = (height - side) // 2, (width - side) // 2
        pixels = pixels[top : top + side, left : left + side]
    if side != settings.size:
        method = cv2.INTER_AREA if side > settings.size else cv2.INTER_LINEAR_EXACT
        target = (settings.size, settings.size)
        pixels = np.asarray(cv2.resize(pixels, target, interpolation=method), dtype=np.uint8)
    if settings.equalize:
        pixels = _equalize(pixels)
    return np.ascontiguousarray(pixels.reshape(settings.image_shape))


def _equalize(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.asarray(cv2.equalizeHist(np.ascontiguousarray(pixels)), dtype=np.uint8)
    light = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb), dtype=np.uint8)
    light[..., 0] = cv2.equalizeHist(np.ascontiguousarray(light[..., 0]))
    return np.asarray(cv2.cvtColor(light, cv2.COLOR_YCrCb2RGB), dtype=np.uint8)


def _check_header(data: bytes) -> tuple[int, int]:
    """Height and width as the header says; raises where the picture need not be decoded."""
    if not data:
        raise ImageError("empty", "the file has no bytes")
    if data.startswith(_PNG_SIGNATURE):
        height, width = _png_size(data)
    elif data.startswith(_JPEG_SIGNATURE):
        height, width = _jpeg_size(data)
    elif data.startswith(_OTHER_SIGNATURES):
        height, width = _other_size(data)
    else:
        raise ImageError("not-an-image", f"begins with {data[:8]!r}")
    if min(height, width) < MIN_SIDE:
        raise ImageError("too-small", f"{width}x{height} pixels; at least {MIN_SIDE} are needed")
    if height * width > MAX_PIXELS:
        raise ImageError("too-large", f"{width}x{height} pixels; at most {MAX_PIXELS:,} are read")
    return height, width


def _png_size(data: bytes) -> tuple[int, int]:
    """Walks the chunks and checks their sums: libpng tells of errors on standard error only."""
    position, kind = len(_PNG_SIGNATURE), b""
    while kind != b"IEND":
        if position + 12 > len(data):
            detail = f"PNG ends after {len(data)} bytes, without its end mark"
            raise ImageError("truncated", detail)
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(data):
            raise ImageError("truncated", f"PNG ends after {len(data)} bytes, inside a chunk")
        if zlib.crc32(data[position + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise ImageError("corrupt", f"PNG chunk at byte {position} has a wrong checksum")
        position = end + 4
    width, height = struct.unpack(">II", data[16:24])
    return height, width


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walks the segments to the frame header, then looks for the end mark behind the scan."""
    position, size = 2, (0, 0)
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            raise ImageError("corrupt", f"JPEG has no marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            size = (height, width)
        if marker == 0xDA:  # start of scan: pixels follow
            if data.rfind(b"\xff\xd9", position) < 0:
                break
            return size
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    raise ImageError("truncated", f"JPEG ends after {len(data)} bytes, without its end mark")


def _other_size(data: bytes) -> tuple[int, int]:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            return image.height, image.width
    except UnidentifiedImageError:
        raise ImageError("not-an-image", f"begins with {data[:8]!r}") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError("corrupt", f"header cannot be read ({error})") from None


def _reduction(data: bytes, side: int, size: int) -> int:
    """The largest factor a JPEG can be shrunk by while decoding and keep detail to average."""
    if not data.startswith(_JPEG_SIGNATURE):
        return 1
    return next((f for f in (8, 4, 2) if side >= f * size * 3 // 2), 1)
