"""Plain PNGs -> uint8 pixels, many at a time.

ISA-L inflates each; what is left to OpenCV is one tall PNG without compression that holds them all.
That is faster than to let libpng inflate, costs one call for hundreds of small faces, and leaves
nothing in a damaged file that libpng could complain about on standard error.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from fer_data.errors import ImageError
from fer_data.picture_header import PNG_SIGNATURE, Header
from fer_data.shards.deflate import zlib_stream

_INFLATE_ERROR: Any = isal_zlib.error
_TOGETHER_MAX = 2**20  # bytes of pixels decoded at a time; larger pictures are decoded alone
_COLOR_TYPES = {1: 0, 3: 2}  # channels -> colour type: grey and RGB
_PNG_END = b"\0\0\0\0IEND\xae\x42\x60\x82"


def decode_pngs(headers: Sequence[Header], color: str) -> list[NDArray[np.uint8] | ImageError]:
    """The pixels of plain PNGs, as stored, or what is wrong with each.

    Args:
        headers: of the pictures, each with its deflated pixels.
        color: "gray" or "rgb".

    Returns:
        For each, a uint8 array of shape (height, width) for "gray" and (height, width, 3) for
        "rgb", channels in the order R, G, B.
    """
    results: list[NDArray[np.uint8] | ImageError | None] = [None] * len(headers)
    alike: dict[tuple[int, int], list[tuple[int, bytes]]] = defaultdict(list)
    for number, header in enumerate(headers):
        try:
            rows = _inflate(header)
        except ImageError as error:
            results[number] = error.alone()
        else:
            alike[header.width, header.channels].append((number, rows))
    for (width, channels), pictures in alike.items():
        for part in _parts(pictures):
            decoded = _decode_rows([rows for _, rows in part], width, channels, color)
            for (number, _), pixels in zip(part, decoded, strict=True):
                results[number] = pixels
    return [result for result in results if result is not None]


def _inflate(header: Header) -> bytes:
    """The rows of a picture, each behind the number of its filter."""
    stride = 1 + header.width * header.channels
    num_bytes = header.height * stride
    try:
        rows: bytes = isal_zlib.decompressobj().decompress(header.deflated, num_bytes)
    except _INFLATE_ERROR as error:
        raise ImageError("corrupt", f"PNG cannot be inflated ({error})") from None
    if len(rows) < num_bytes:
        raise ImageError("corrupt", f"PNG holds {len(rows)} of {num_bytes} bytes of pixels")
    if rows[::stride].translate(None, b"\0\1\2\3\4"):
        raise ImageError("corrupt", "PNG has a row with an unknown filter")
    return rows


def _parts(pictures: Sequence[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """Pictures in portions of a bounded size."""
    part: list[tuple[int, bytes]] = []
    size = 0
    for picture in pictures:
        if part and size + len(picture[1]) > _TOGETHER_MAX:
            yield part
            part, size = [], 0
        part.append(picture)
        size += len(picture[1])
    yield part


def _decode_rows(
    pictures: Sequence[bytes], width: int, channels: int, color: str
) -> Iterator[NDArray[np.uint8]]:
    stride = 1 + width * channels
    # a black row between two: filters look at the row above, and above the first all is black
    joined = bytes(stride).join(pictures)
    png = np.frombuffer(_stored_png(joined, width, channels), np.uint8)
    flag = cv2.IMREAD_GRAYSCALE if color == "gray" else cv2.IMREAD_COLOR_RGB
    pixels = np.asarray(cv2.imdecode(png, flag), dtype=np.uint8)
    top = 0
    for rows in pictures:
        height = len(rows) // stride
        yield pixels[top : top + height]
        top += height + 1


def _stored_png(rows: bytes, width: int, channels: int) -> bytes:
    """A PNG of filtered rows, nothing compressed."""
    height = len(rows) // (1 + width * channels)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[channels], 0, 0, 0)
    pixels = zlib_stream(rows, "none")
    return b"".join((PNG_SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", pixels), _PNG_END))


def _chunk(kind: bytes, body: bytes) -> bytes:
    sum_ = isal_zlib.crc32(body, isal_zlib.crc32(kind))
    return b"".join((len(body).to_bytes(4, "big"), kind, body, sum_.to_bytes(4, "big")))
