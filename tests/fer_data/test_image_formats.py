"""Every format that people have is decoded as Pillow decodes it, within 2 levels."""

from __future__ import annotations

import io
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fer_data.errors import ImageError
from fer_data.image import ImageSettings, prepare_image
from fer_data.picture_decode import decode_picture
from fer_data.picture_header import exif_orientation, read_webp_size

SIZE = 64
ORIENTATIONS = range(1, 9)


def picture(mode: str, width: int = SIZE, height: int = SIZE) -> Image.Image:
    """Soft colours, and shapes by which every turn of the picture can be told."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(40, 216, (5, 5, 4), dtype=np.uint8)
    levels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    levels[: height // 3, : width // 4, :3] = 30
    levels[: height // 5, width // 2 :, 3] = 0  # alpha: one part cannot be seen at all
    return Image.fromarray(levels).convert(mode)


def encode(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def reference(data: bytes, color: str) -> NDArray[np.int64]:
    """What Pillow shows: upright, on white; grey JPEGs are the file's own light."""
    image: Image.Image = Image.open(io.BytesIO(data))
    if color == "gray" and image.format == "JPEG" and image.mode == "RGB":
        image.draft("L", image.size)
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba).convert("RGB")
    if image.mode in {"CMYK", "P"}:
        image = image.convert("RGB")
    return np.asarray(image.convert("L" if color == "gray" else "RGB")).astype(np.int64)


def check_like_pillow(data: bytes) -> None:
    for color in ("gray", "rgb"):
        expected = reference(data, color)
        pixels, _, _ = decode_picture(data, color, max(expected.shape))
        assert pixels.shape == expected.shape
        assert np.abs(pixels - expected).max() <= 2
        assert pixels.flags.c_contiguous


CASES = {
    "png grey": ("PNG", "L", {}),
    "png rgb": ("PNG", "RGB", {}),
    "png rgba": ("PNG", "RGBA", {}),
    "png la": ("PNG", "LA", {}),
    "png palette": ("PNG", "P", {}),
    "png palette with a transparent colour": ("PNG", "P", {"transparency": 3}),
    "png palette with alphas": ("PNG", "P", {"transparency": bytes(range(0, 250, 10))}),
    "png grey with a transparent level": ("PNG", "L", {"transparency": 30}),
    "png rgb with a transparent colour": ("PNG", "RGB", {"transparency": (30, 30, 30)}),
    "png 1 bit": ("PNG", "1", {}),
    "png 4 colours in 2 bits": ("PNG", "P", {"bits": 2}),
    "jpeg grey": ("JPEG", "L", {"quality": 90}),
    "jpeg rgb": ("JPEG", "RGB", {"quality": 90}),
    "jpeg rgb progressive": ("JPEG", "RGB", {"progressive": True}),
    "jpeg rgb 4:4:4": ("JPEG", "RGB", {"subsampling": 0}),
    "jpeg rgb kept as rgb": ("JPEG", "RGB", {"keep_rgb": True}),
    "jpeg restart marks": ("JPEG", "RGB", {"restart_marker_rows": 1}),
    "jpeg cmyk": ("JPEG", "CMYK", {"quality": 90}),
    "gif": ("GIF", "P", {}),
    "gif transparent": ("GIF", "RGBA", {}),
    "bmp grey": ("BMP", "L", {}),
    "bmp rgb": ("BMP", "RGB", {}),
    "bmp palette": ("BMP", "P", {}),
    "bmp 1 bit": ("BMP", "1", {}),
    "tiff grey": ("TIFF", "L", {}),
    "tiff rgb": ("TIFF", "RGB", {}),
    "tiff rgba": ("TIFF", "RGBA", {}),
    "tiff cmyk": ("TIFF", "CMYK", {}),
    "tiff palette": ("TIFF", "P", {}),
    "tiff 1 bit": ("TIFF", "1", {"compression": "group4"}),
    "tiff lzw": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "tiff lzw grey": ("TIFF", "L", {"compression": "tiff_lzw"}),
    "tiff lzw rgba": ("TIFF", "RGBA", {"compression": "tiff_lzw"}),
    "tiff lzw palette": ("TIFF", "P", {"compression": "tiff_lzw"}),
    "tiff lzw cmyk": ("TIFF", "CMYK", {"compression": "tiff_lzw"}),
    "tiff packbits": ("TIFF", "RGB", {"compression": "packbits"}),
    "tiff jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "tiff deflate": ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}),
    "webp": ("WEBP", "RGB", {"quality": 80}),
    "webp lossless": ("WEBP", "RGB", {"lossless": True}),
    "webp rgba": ("WEBP", "RGBA", {"lossless": True}),
    "pnm grey": ("PPM", "L", {}),
    "pnm rgb": ("PPM", "RGB", {}),
    "pnm 1 bit": ("PPM", "1", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_picture_looks_as_in_pillow(case: str) -> None:
    format_, mode, options = CASES[case]
    check_like_pillow(encode(picture(mode, 72, 51), format_, **options))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("format_", "mode"),
    [
        ("JPEG", "L"),
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("PNG", "L"),
        ("PNG", "RGBA"),
        ("WEBP", "RGB"),
        ("TIFF", "RGB"),
    ],
)
def test_the_orientation_is_applied_in_every_format(
    format_: str, mode: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker of cameras"
    exif[0x0112] = orientation
    data = encode(picture(mode, 72, 51), format_, exif=exif)
    check_like_pillow(data)
    prepared = prepare_image(data, ImageSettings(size=32))
    assert (prepared.height, prepared.width) == (51, 72)  # as stored


@pytest.mark.parametrize("order", ["II", "MM"])
def test_both_byte_orders_of_exif_are_read(order: str) -> None:
    mark = "<" if order == "II" else ">"
    block = order.encode() + struct.pack(f"{mark}HIHHHIHH", 42, 8, 1, 0x0112, 3, 1, 5, 0)
    assert exif_orientation(block) == exif_orientation(b"Exif\0\0" + block) == 5


@pytest.mark.parametrize("length", range(23))
def test_a_cut_exif_block_turns_nothing(length: int) -> None:
    block = b"MM" + struct.pack(">HIHHHIHH", 42, 8, 1, 0x0112, 3, 1, 6, 0)
    assert exif_orientation(block[:length]) == (6 if length == len(block) else 1)
    assert exif_orientation(block.replace(b"\0\x06", b"\0\x09")) == 1


def test_transparent_parts_are_white() -> None:
    clear = Image.new("RGBA", (SIZE, SIZE), (10, 200, 30, 0))
    half = Image.new("LA", (SIZE, SIZE), (0, 128))
    for format_ in ("PNG", "WEBP", "TIFF"):
        pixels = prepare_image(encode(clear, format_), ImageSettings(size=8, color="rgb")).pixels
        assert (pixels == 255).all()
    pixels = prepare_image(encode(half, "PNG"), ImageSettings(size=8)).pixels
    assert np.abs(pixels.astype(int) - 127).max() <= 1


def sixteen_bits() -> NDArray[np.uint16]:
    levels = np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE) * 16
    levels[0, :3] = (255, 256, 65_535)
    return levels


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "TIFF lzw", "PPM"])
def test_of_16_bits_the_upper_8_are_kept(format_: str) -> None:
    levels = sixteen_bits()
    name, *compression = format_.split()
    options = {"compression": "tiff_lzw"} if compression else {}
    data = encode(Image.fromarray(levels), name, **options)
    pixels = prepare_image(data, ImageSettings(size=SIZE)).pixels[..., 0]
    assert np.abs(pixels.astype(int) - (levels >> 8)).max() == 0


@pytest.mark.parametrize("extension", ["png", "tiff"])
def test_of_16_bit_colours_the_upper_8_are_kept(extension: str) -> None:
    levels = np.stack([sixteen_bits(), sixteen_bits()[::-1], sixteen_bits().T], axis=-1)
    _, encoded = cv2.imencode(f".{extension}", levels[..., ::-1])
    settings = ImageSettings(size=SIZE, color="rgb")
    pixels = prepare_image(encoded.tobytes(), settings).pixels
    assert np.abs(pixels.astype(int) - (levels >> 8)).max() <= 1


@pytest.mark.parametrize("mode", ["I", "F"])
def test_levels_of_unknown_range_are_refused_by_name(mode: str) -> None:
    with pytest.raises(ImageError, match="unsupported: TIFF with 32-bit levels"):
        prepare_image(encode(Image.new(mode, (SIZE, SIZE)), "TIFF"), ImageSettings())


@pytest.mark.parametrize(
    ("mode", "compression", "detail"),
    [
        ("RGB", "zstd", "TIFF compressed with zstd"),
        ("LA", "tiff_lzw", "compressed TIFF in mode LA"),
        ("F", "tiff_lzw", "compressed TIFF in mode F"),
    ],
)
def test_what_opencv_cannot_read_of_tiff_is_named(mode: str, compression: str, detail: str) -> None:
    image = Image.new("F", (SIZE, SIZE)) if mode == "F" else picture(mode)
    with pytest.raises(ImageError, match=f"unsupported: {detail}"):
        prepare_image(encode(image, "TIFF", compression=compression), ImageSettings())


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_picture_is_taken(format_: str) -> None:
    frames = [Image.new("RGB", (SIZE, SIZE), color) for color in ("red", "blue", "green")]
    data = encode(
        frames[0], format_, save_all=True, append_images=frames[1:], duration=50, lossless=True
    )
    pixels = prepare_image(data, ImageSettings(size=8, color="rgb")).pixels
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() <= 2


def test_an_interlaced_png_is_read() -> None:
    # Adam7 of an 8x8 grey picture of one level: seven passes of rows without a filter
    passes = [(1, 1), (1, 1), (1, 2), (2, 2), (2, 4), (4, 4), (4, 8)]
    raw = b"".join(b"\0" + b"\x64" * columns for rows, columns in passes for _ in range(rows))
    data = png(struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1), raw)
    assert (prepare_image(data, ImageSettings(size=8)).pixels == 100).all()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(header: bytes, raw: bytes, *more: bytes) -> bytes:
    idat = chunk(b"IDAT", zlib.compress(raw))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + idat + chunk(b"IEND", b"")
    )


GREY_48 = struct.pack(">IIBBBBB", 48, 48, 8, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("header", "raw", "message"),
    [
        (GREY_48, b"\0" * 100, "corrupt: PNG holds 100 of 2352 bytes"),
        (GREY_48, b"\7" * 2352, "corrupt: PNG has a row with an unknown filter"),
        (struct.pack(">IIBBBBB", 0, 48, 8, 0, 0, 0, 0), b"", "too-small"),
        (struct.pack(">IIBBBBB", 2**31, 2**31, 8, 0, 0, 0, 0), b"", "too-large"),
        (struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0), b"\0" * 99, "corrupt: PNG holds 99"),
        (struct.pack(">IIBBBBB", 48, 48, 7, 9, 0, 0, 0), b"", "corrupt|not-an-image"),
    ],
)
def test_a_png_header_that_lies_is_found_out(header: bytes, raw: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        prepare_image(png(header, raw), ImageSettings())


def test_a_png_that_inflates_to_more_than_it_says_is_not_inflated_whole() -> None:
    data = png(GREY_48, b"\0" * 50_000_000)
    assert (prepare_image(data, ImageSettings()).pixels == 0).all()


def test_side_chunks_of_a_png_change_nothing() -> None:
    raw = b"".join(b"\0" + bytes(range(48)) for _ in range(48))
    gamma, profile = chunk(b"gAMA", struct.pack(">I", 10_000)), chunk(b"iCCP", b"broken\0\0zz")
    plain, decorated = png(GREY_48, raw), png(GREY_48, raw, gamma, profile, chunk(b"tEXt", b"a\0b"))
    expected = prepare_image(plain, ImageSettings()).pixels
    np.testing.assert_array_equal(prepare_image(decorated, ImageSettings()).pixels, expected)


def test_a_large_png_of_many_blocks_is_whole() -> None:
    check_like_pillow(encode(picture("RGB", 400, 300), "PNG"))


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_size_of_a_webp_is_known_before_it_is_opened(mode: str, lossless: bool) -> None:
    data = encode(picture(mode, 72, 51), "WEBP", lossless=lossless)
    assert read_webp_size(data) == (51, 72)


def test_a_webp_canvas_that_is_too_large_is_refused() -> None:
    data = bytearray(encode(picture("RGBA", 72, 51), "WEBP"))
    assert data[12:16] == b"VP8X"
    data[24:30] = b"\xff\x3f\0\xff\x3f\0"
    with pytest.raises(ImageError, match="too-large: 16384x16384"):
        prepare_image(bytes(data), ImageSettings())


@pytest.mark.parametrize("color", ["gray", "rgb"])
@pytest.mark.parametrize("size", [48, 96])
def test_a_jpeg_shrunk_in_decoding_is_near_the_whole_one(color: str, size: int) -> None:
    image = picture("RGB", 900, 700)
    settings = ImageSettings(size=size, color=color)
    reduced = prepare_image(encode(image, "JPEG", quality=95), settings).pixels.astype(int)
    whole = prepare_image(encode(image, "PNG"), settings).pixels.astype(int)
    assert np.abs(reduced - whole).mean() < 2


def test_pillow_is_not_loaded_for_plain_pictures() -> None:
    import subprocess

    code = (
        "import sys, cv2, numpy as np; from fer_data.image import ImageSettings, prepare_image;"
        "data = cv2.imencode('.png', np.zeros((48, 48), np.uint8))[1].tobytes();"
        "prepare_image(data, ImageSettings()); sys.exit('PIL.Image' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
