"""What the first bytes of a picture file say, checked before anything is decoded.

PNG and JPEG are walked here, mark by mark: their decoders tell of damage on standard error only,
and a size must be known before memory is asked for it.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from isal import isal_zlib

from fer_data.errors import ImageError

#: Pictures with a shorter side than this show no face.
MIN_SIDE = 8
#: Pictures with more pixels than this are refused unread: a small file can hold a huge one.
MAX_PIXELS = 100_000_000
#: The longest side of a JPEG, and of any picture that is read.
MAX_SIDE = 65_535

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
_EXIF_MARK = b"Exif\0\0"
ORIENTATION_TAG = 0x0112
# Start-of-frame markers of JPEG: SOF0..SOF15 without DHT, JPG and DAC.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PLAIN_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive; Huffman coded
_CHUNK = struct.Struct(">I4s")  # length and kind
_SUM = struct.Struct(">I")
_PNG_HEADER = struct.Struct(">IIBBBBB")
_PLAIN_PNG_COLORS = {0: 1, 2: 3}  # colour type -> channels: grey and RGB


class Header(NamedTuple):
    """What the header of a picture says.

    Attributes:
        height: as stored, in pixels, before it is turned.
        width: likewise.
        channels: 1 or 3 where the picture is plain: 8-bit grey or RGB, without anything special;
            0 for everything else.
        orientation: as in EXIF, 1 (upright) to 8.
        deflated: the pixels of a plain PNG; empty otherwise.
    """

    height: int
    width: int
    channels: int
    orientation: int
    deflated: bytes = b""


def check_size(height: int, width: int) -> None:
    """Refuses pictures that show nothing, and those too large to be read.

    Raises:
        ImageError: too-small or too-large.
    """
    if height < MIN_SIDE or width < MIN_SIDE:
        raise ImageError("too-small", f"{width}x{height} pixels; at least {MIN_SIDE} are needed")
    if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
        raise ImageError(
            "too-large",
            f"{width}x{height} pixels; at most {MAX_PIXELS:,} are read, and {MAX_SIDE:,} a side",
        )


def read_png_header(data: bytes) -> Header:
    """The header of a PNG file whose chunks are all there and have the right sums.

    Raises:
        ImageError: it is cut, damaged, too small or too large.
    """
    if data[8:16] != b"\0\0\0\x0dIHDR":
        reason = "truncated" if len(data) < 33 else "corrupt"
        raise ImageError(reason, "PNG does not begin with its header")
    position, num_bytes = 8, len(data)
    kind, channels, orientation = b"", 0, 1
    parts: list[bytes] = []
    view = memoryview(data)
    while kind != b"IEND":
        if position + 8 > num_bytes:
            raise ImageError("truncated", f"PNG ends after {num_bytes} bytes, without its end mark")
        length, kind = _CHUNK.unpack_from(data, position)
        end = position + 8 + length
        if end + 4 > num_bytes:
            raise ImageError("truncated", f"PNG ends after {num_bytes} bytes, without its end mark")
        if isal_zlib.crc32(view[position + 4 : end]) != _SUM.unpack_from(data, end)[0]:
            raise ImageError("corrupt", f"PNG chunk at byte {position} has a wrong checksum")
        if kind == b"IDAT":
            parts.append(data[position + 8 : end])
        elif kind == b"IHDR":
            width, height, depth, color, *others = _PNG_HEADER.unpack_from(data, 16)
            check_size(height, width)
            if depth == 8 and not any(others):  # 8 bits, not interlaced
                channels = _PLAIN_PNG_COLORS.get(color, 0)
        elif kind == b"eXIf":
            orientation = exif_orientation(data[position + 8 : end])
        elif kind == b"tRNS":
            channels = 0
        position = end + 4
    return Header(height, width, channels, orientation, b"".join(parts) if channels else b"")


def read_jpeg_header(data: bytes) -> Header:
    """The header of a JPEG file that has an end mark behind its pixels.

    Raises:
        ImageError: it is cut, damaged, too small or too large.
    """
    position, height, width, channels, orientation = 2, 0, 0, 0, 1
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            raise ImageError("corrupt", f"JPEG has no marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0xDA:  # start of scan: pixels follow
            if data.rfind(b"\xff\xd9", position) < 0:
                break
            check_size(height, width)
            return Header(height, width, channels, orientation)
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker in _JPEG_FRAMES:
            height = int.from_bytes(data[position + 5 : position + 7], "big")
            width = int.from_bytes(data[position + 7 : position + 9], "big")
            is_plain = marker in _PLAIN_FRAMES and data[position + 4] == 8
            components = data[position + 9 : position + 10]
            channels = components[0] if is_plain and components in (b"\1", b"\3") else 0
        elif marker == 0xE1 and data.startswith(_EXIF_MARK, position + 4):
            orientation = exif_orientation(data[position + 4 : end])
        position = end
    raise ImageError("truncated", f"JPEG ends after {len(data)} bytes, without its end mark")


def read_webp_size(data: bytes) -> tuple[int, int] | None:
    """Height and width of a WebP file; None where its first chunk is none that says so."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[7:10], "little"), 1 + int.from_bytes(body[4:7], "little")
    if kind == b"VP8 ":
        sizes = int.from_bytes(body[6:10], "little")
        return sizes >> 16 & 0x3FFF, sizes & 0x3FFF
    if kind == b"VP8L":
        sizes = int.from_bytes(body[1:5], "little")
        return 1 + (sizes >> 14 & 0x3FFF), 1 + (sizes & 0x3FFF)
    return None


def exif_orientation(block: bytes) -> int:
    r"""How a picture is to be turned, 1 to 8, as its EXIF block says; 1 where that cannot be read.

    Source: EXIF 2.32, section 4.6.4, tag 274.

    Example:
        >>> exif_orientation(b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0")
        6
    """
    block = block.removeprefix(_EXIF_MARK)
    if block[:2] not in (b"II", b"MM"):
        return 1
    little = block[:2] == b"II"

    def number(start: int, num_bytes: int) -> int:
        return int.from_bytes(block[start : start + num_bytes], "little" if little else "big")

    first = number(4, 4)
    for entry in range(first + 2, first + 2 + 12 * number(first, 2), 12):
        if entry + 12 > len(block):
            break
        if number(entry, 2) == ORIENTATION_TAG:
            value = number(entry + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1
