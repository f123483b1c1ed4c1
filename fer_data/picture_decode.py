"""Bytes of a picture -> uint8 pixels, upright, grey or RGB, on white.

Plain pictures (8-bit grey and RGB, in PNG and JPEG) take the fast way: ISA-L and libjpeg-turbo.
All others go through Pillow. Both give the same pixels within 2 levels.
"""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import simplejpeg  # as fast as OpenCV, and tells of damage by an error, not on standard error
from numpy.typing import NDArray

from fer_data.errors import ImageError
from fer_data.picture_header import (
    JPEG_SIGNATURE,
    ORIENTATION_TAG,
    PNG_SIGNATURE,
    Header,
    check_size,
    exif_orientation,
    read_jpeg_header,
    read_png_header,
    read_webp_size,
)
from fer_data.png_decode import decode_pngs

if TYPE_CHECKING:
    from PIL import Image

# Pillow logs what it raises as well; without a handler that would go to standard error.
logging.getLogger("PIL").addHandler(logging.NullHandler())

# The first bytes of all other pictures that are read, and what Pillow calls them.
_PILLOW_FORMATS = {
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"RIFF": "WEBP",
    **{b"P%d" % digit: "PPM" for digit in range(1, 7)},
}
# What Pillow's readers raise on damaged files, as found by mutating thousands of them.
_DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)


class Decoded(NamedTuple):
    """A picture, upright.

    Attributes:
        pixels: uint8 array of shape (height, width) for "gray" and (height, width, 3) for "rgb",
            channels in the order R, G, B.
        height: as stored, in pixels.
        width: likewise.
    """

    pixels: NDArray[np.uint8]
    height: int
    width: int


def decode_picture(data: bytes, color: str, size: int) -> Decoded:
    """The pixels of one picture; see `decode_pictures`.

    Raises:
        ImageError: the picture cannot be used.
    """
    (result,) = decode_pictures([data], color, size)
    if isinstance(result, ImageError):
        raise result
    return result


def decode_pictures(pictures: Sequence[bytes], color: str, size: int) -> list[Decoded | ImageError]:
    """The pixels of pictures; small PNGs are decoded together, at half the cost.

    A JPEG may come shrunk by 2, 4 or 8 as long as its shorter side keeps 1.5 times `size`.

    Args:
        pictures: each a whole PNG, JPEG, GIF, BMP, TIFF, WebP or PNM file.
        color: "gray" or "rgb".
        size: pixels that the shorter side will be brought to.

    Returns:
        For each, its pixels, or why it cannot be used: `reason` is one of
        `fer_data.image.REASONS`.
    """
    results: dict[int, Decoded | ImageError] = {}
    pngs: dict[int, Header] = {}
    for number, data in enumerate(pictures):
        try:
            if not data.startswith(PNG_SIGNATURE):
                results[number] = _decode_other(data, color, size)
                continue
            header = read_png_header(data)
            if header.channels:
                pngs[number] = header
            else:
                results[number] = _decode_pillow(data, "PNG", color, size, header.orientation)
        except ImageError as error:
            results[number] = error.alone()
    for (number, header), pixels in zip(
        pngs.items(), decode_pngs(list(pngs.values()), color), strict=True
    ):
        if isinstance(pixels, ImageError):
            results[number] = pixels
        else:
            results[number] = Decoded(_turn(pixels, header), header.height, header.width)
    return [results[number] for number in range(len(pictures))]


def _decode_other(data: bytes, color: str, size: int) -> Decoded:
    if data.startswith(JPEG_SIGNATURE):
        header = read_jpeg_header(data)
        if header.channels:
            factor = _reduction(header.height, header.width, size)
            pixels = _decode_jpeg(data, header, color, factor)
            return Decoded(_turn(pixels, header), header.height, header.width)
        return _decode_pillow(data, "JPEG", color, size, header.orientation)
    if not data:
        raise ImageError("empty", "the file has no bytes")
    for signature, format_ in _PILLOW_FORMATS.items():
        if data.startswith(signature):
            return _decode_pillow(data, format_, color, size, 1)
    raise ImageError("not-an-image", f"begins with {data[:8]!r}")


def _decode_jpeg(data: bytes, header: Header, color: str, factor: int) -> NDArray[np.uint8]:
    try:
        pixels = simplejpeg.decode_jpeg(
            data,
            "GRAY" if color == "gray" else "RGB",
            min_height=-(-header.height // factor) if factor > 1 else 0,
            min_width=-(-header.width // factor) if factor > 1 else 0,
            strict=False,  # as all decoders: small damage is no reason to lose a picture
        )
    except ValueError as error:
        raise ImageError("corrupt", f"JPEG cannot be decoded ({error})") from None
    return np.asarray(pixels[..., 0] if color == "gray" else pixels, dtype=np.uint8)


def _decode_pillow(data: bytes, format_: str, color: str, size: int, orientation: int) -> Decoded:
    from PIL import Image, UnidentifiedImageError

    if format_ == "WEBP" and (sizes := read_webp_size(data)) is not None:
        check_size(*sizes)  # before Pillow makes a canvas for it
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=(format_,)) as image,
        ):
            height, width = image.height, image.width
            if format_ == "TIFF" and image.getexif().get(ORIENTATION_TAG, 1) >= 5:
                height, width = width, height  # Pillow gives the size of the upright picture
            check_size(height, width)
            factor = _reduction(height, width, size) if format_ == "JPEG" else 1
            if format_ == "JPEG":
                mode = "L" if color == "gray" else "RGB"
                image.draft(
                    mode if image.mode != "CMYK" else None, (width // factor, height // factor)
                )
            if format_ == "TIFF" and _needs_libtiff(image):
                return Decoded(_to_pixels(_open_tiff(data, image), color), height, width)
            image.load()
            if format_ == "WEBP":
                orientation = exif_orientation(image.info.get("exif", b""))
            pixels = _to_pixels(image, color)
    except UnidentifiedImageError:
        raise ImageError("not-an-image", f"begins with {data[:8]!r}") from None
    except Image.DecompressionBombError as error:
        raise ImageError("too-large", str(error)) from None
    except ImageError:
        raise
    except _DAMAGE as error:
        detail = str(error) or type(error).__name__
        reason = "truncated" if "truncated" in detail else "corrupt"
        raise ImageError(reason, f"{format_} cannot be decoded ({detail})") from None
    return Decoded(_turn(pixels, Header(height, width, 0, orientation)), height, width)


def _needs_libtiff(image: Image.Image) -> bool:
    """Whether a TIFF is compressed: Pillow's libtiff tells of damage on standard error."""
    return any(tile[0] == "libtiff" for tile in getattr(image, "tile", ()))


def _open_tiff(data: bytes, image: Image.Image) -> Image.Image:
    """A compressed TIFF, upright, decoded by OpenCV, which is silent."""
    from PIL import Image

    compression = image.info.get("compression")
    if compression in {"lzma", "zstd", "webp"}:
        raise ImageError("unsupported", f"TIFF compressed with {compression}")
    if image.mode in {"LA", "I", "F"}:  # OpenCV would drop the alpha
        raise ImageError("unsupported", f"compressed TIFF in mode {image.mode}")
    as_stored = image.mode == "RGBA" or image.mode.startswith("I;16")
    flag = cv2.IMREAD_UNCHANGED if as_stored else cv2.IMREAD_COLOR
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise ImageError("corrupt", f"TIFF cannot be decoded ({error.err})") from None
    if pixels is None:
        raise ImageError("corrupt", f"TIFF ({compression}) cannot be decoded")
    if image.mode == "RGBA":  # the colours come multiplied with their alpha: the rest is white
        pixels = cv2.add(pixels[..., 2::-1], 255 - pixels[..., 3:].repeat(3, axis=2))
    elif not as_stored:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return Image.fromarray(np.asarray(pixels))


def _to_pixels(image: Image.Image, color: str) -> NDArray[np.uint8]:
    """Pixels of a picture in any of Pillow's modes."""
    from PIL import Image

    mode = "L" if color == "gray" else "RGB"
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        levels = np.asarray(image).astype(np.uint16) >> 8  # 16 bits: the upper 8 are kept
        image = Image.fromarray(levels.astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ImageError("unsupported", f"{image.format} with 32-bit levels of unknown range")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")  # grey comes of the colours, as for every other picture
    return np.asarray(image if image.mode == mode else image.convert(mode), dtype=np.uint8)


def _turn(pixels: NDArray[np.uint8], header: Header) -> NDArray[np.uint8]:
    """Pixels upright, as the orientation of EXIF says."""
    orientation = header.orientation
    if orientation == 1:
        return pixels
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)  # (H, W) -> (W, H)
    return np.ascontiguousarray(pixels)


def _reduction(height: int, width: int, size: int) -> int:
    """The largest factor a JPEG can be shrunk by while decoding and keep detail to average."""
    side = min(height, width)
    return next((f for f in (8, 4, 2) if side >= f * size * 3 // 2), 1)
