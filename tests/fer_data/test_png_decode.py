"""PNGs decoded together are what each is alone, whatever filters its rows have."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data.errors import ImageError
from fer_data.picture_decode import decode_picture, decode_pictures
from fer_data.picture_header import PNG_SIGNATURE


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def paeth(left: int, above: int, corner: int) -> int:
    """The predictor of the PNG specification, section 9.4."""
    guess = left + above - corner
    distances = [abs(guess - left), abs(guess - above), abs(guess - corner)]
    return (left, above, corner)[distances.index(min(distances))]


def filtered(rows: NDArray[np.uint8], channels: int, kinds: list[int]) -> bytes:
    """Rows of bytes as a PNG holds them, each filtered in its own way."""
    parts = []
    above = np.zeros(rows.shape[1], np.int64)
    for row, kind in zip(rows.astype(np.int64), kinds, strict=True):
        left = np.concatenate([np.zeros(channels, np.int64), row[:-channels]])
        corner = np.concatenate([np.zeros(channels, np.int64), above[:-channels]])
        guess = {
            0: 0,
            1: left,
            2: above,
            3: (left + above) // 2,
            4: np.array(list(map(paeth, left.tolist(), above.tolist(), corner.tolist()))),
        }[kind]
        parts.append(bytes([kind]) + (row - guess).astype(np.uint8).tobytes())
        above = row
    return b"".join(parts)


def png(pixels: NDArray[np.uint8], kinds: list[int]) -> bytes:
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else 3
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    rows = filtered(pixels.reshape(height, -1), channels, kinds)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return PNG_SIGNATURE + body


def pictures(number: int, *, seed: int = 0) -> list[tuple[NDArray[np.uint8], bytes]]:
    """Noise of a few sizes and both colours, with every filter in the first row and elsewhere."""
    rng = np.random.default_rng(seed)
    drawn = []
    for index in range(number):
        height, width = [(9, 8), (48, 48), (17, 48), (64, 31)][index % 4]
        shape = (height, width) if index % 3 else (height, width, 3)
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        kinds = [index % 5, *rng.integers(0, 5, height - 1).tolist()]
        drawn.append((pixels, png(pixels, kinds)))
    return drawn


def test_pictures_decoded_together_are_what_was_drawn() -> None:
    drawn = pictures(60)
    decoded = decode_pictures([data for _, data in drawn], "rgb", 48)
    for (pixels, _), result in zip(drawn, decoded, strict=True):
        assert not isinstance(result, ImageError)
        color = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        np.testing.assert_array_equal(result.pixels, color)
        assert (result.height, result.width) == pixels.shape[:2]


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_together_and_alone_are_equal(color: str) -> None:
    data = [data for _, data in pictures(40, seed=1)]
    for each, together in zip(data, decode_pictures(data, color, 48), strict=True):
        assert not isinstance(together, ImageError)
        np.testing.assert_array_equal(together.pixels, decode_picture(each, color, 48).pixels)


def test_a_bad_picture_spoils_no_other() -> None:
    drawn = pictures(12, seed=2)
    data = [data for _, data in drawn]
    short = zlib.compress(bytes(49 * 47))
    header = struct.pack(">IIBBBBB", 48, 48, 8, 0, 0, 0, 0)
    broken = chunk(b"IHDR", header) + chunk(b"IDAT", short) + chunk(b"IEND", b"")
    unknown = filtered(np.zeros((48, 48), np.uint8), 1, [0] * 48).replace(b"\0", b"\7", 1)
    odd = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(unknown)) + chunk(b"IEND", b"")
    mixed = [*data[:5], PNG_SIGNATURE + broken, data[5][:-9], PNG_SIGNATURE + odd, *data[5:]]
    results = decode_pictures(mixed, "gray", 48)
    reasons = [each.reason for each in results if isinstance(each, ImageError)]
    assert reasons == ["corrupt", "truncated", "corrupt"]
    good = [each for each in results if not isinstance(each, ImageError)]
    for result, expected in zip(good, decode_pictures(data, "gray", 48), strict=True):
        assert not isinstance(expected, ImageError)
        np.testing.assert_array_equal(result.pixels, expected.pixels)


def test_more_than_is_decoded_at_a_time_is_decoded_in_portions() -> None:
    rng = np.random.default_rng(3)
    large = [rng.integers(0, 256, (700, 640), dtype=np.uint8) for _ in range(4)]
    decoded = decode_pictures([png(pixels, [1] * 700) for pixels in large], "gray", 700)
    for pixels, result in zip(large, decoded, strict=True):
        assert not isinstance(result, ImageError)
        np.testing.assert_array_equal(result.pixels, pixels)


def test_a_side_longer_than_any_decoder_takes_is_refused() -> None:
    header = struct.pack(">IIBBBBB", 8, 2_000_000, 8, 0, 0, 0, 0)
    data = PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IEND", b"")
    (result,) = decode_pictures([data], "gray", 48)
    assert isinstance(result, ImageError)
    assert result.reason == "too-large"
    assert "65,535 a side" in result.detail
