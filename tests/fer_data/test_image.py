from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from fer_data.errors import ImageError, SettingsError
from fer_data.image import MAX_PIXELS, ImageSettings, prepare_image

FORMATS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]


def encode(format_: str, size: tuple[int, int] = (120, 100), **options: object) -> bytes:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_every_format_is_brought_to_one_form(format_: str, color: str) -> None:
    settings = ImageSettings(size=32, color=color)
    prepared = prepare_image(encode(format_), settings)
    assert prepared.pixels.shape == settings.image_shape
    assert prepared.pixels.dtype == np.uint8
    assert (prepared.height, prepared.width) == (100, 120)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.6, 0.99])
def test_a_cut_file_never_becomes_an_image(format_: str, share: float) -> None:
    data = encode(format_)
    with pytest.raises(ImageError) as caught:
        prepare_image(data[: int(len(data) * share)], ImageSettings())
    assert caught.value.reason in ("empty", "truncated", "corrupt", "not-an-image")


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_a_file_cut_in_its_pixels_is_called_truncated(format_: str) -> None:
    data = encode(format_)
    with pytest.raises(ImageError, match="truncated"):
        prepare_image(data[: len(data) * 2 // 3], ImageSettings())


def test_a_png_with_a_flipped_bit_is_called_corrupt() -> None:
    data = bytearray(encode("PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(ImageError, match="corrupt.*checksum"):
        prepare_image(bytes(data), ImageSettings())


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b"hello, I am text", "not-an-image"), (b"\x00" * 100, "not-an-image")],
)
def test_what_is_no_picture_is_told(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        prepare_image(data, ImageSettings())
    assert caught.value.reason == reason


def test_a_tiny_picture_is_refused() -> None:
    with pytest.raises(ImageError, match="too-small: 1x1"):
        prepare_image(encode("PNG", (1, 1)), ImageSettings())


def test_a_huge_picture_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    assert MAX_PIXELS < 20_000 * 20_000
    monkeypatch.setattr("cv2.imdecode", lambda *_: pytest.fail("was decoded"))
    with pytest.raises(ImageError, match="too-large: 20000x20000"):
        prepare_image(buffer.getvalue(), ImageSettings())


def test_pixels_of_the_right_size_are_kept_as_they_are() -> None:
    levels = np.random.default_rng(1).integers(0, 256, (48, 48), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    prepared = prepare_image(buffer.getvalue(), ImageSettings(size=48))
    np.testing.assert_array_equal(prepared.pixels[..., 0], levels)


def test_colour_comes_as_red_green_blue() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (250, 20, 10)).save(buffer, "PNG")
    prepared = prepare_image(buffer.getvalue(), ImageSettings(size=16, color="rgb"))
    assert prepared.pixels[8, 8].tolist() == [250, 20, 10]


def test_exif_orientation_is_applied() -> None:
    image = Image.new("L", (64, 64), 0)
    image.paste(255, (0, 0, 64, 32))  # the light half on top
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    pixels = prepare_image(buffer.getvalue(), ImageSettings(size=16)).pixels[..., 0]
    assert pixels[2].mean() < 20
    assert pixels[13].mean() > 235


def test_a_wide_picture_is_cut_to_its_centre_not_squeezed() -> None:
    levels = np.zeros((50, 150), np.uint8)
    levels[:, 50:100] = 200
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    pixels = prepare_image(buffer.getvalue(), ImageSettings(size=25)).pixels
    assert (pixels == 200).all()


def test_a_reduced_jpeg_looks_like_the_whole_one() -> None:
    rng = np.random.default_rng(2)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8))
    image = coarse.resize((400, 400), Image.Resampling.BICUBIC)
    buffers = [io.BytesIO(), io.BytesIO()]
    image.save(buffers[0], "JPEG", quality=95)
    image.save(buffers[1], "PNG")
    reduced, whole = (prepare_image(b.getvalue(), ImageSettings(size=48)).pixels for b in buffers)
    assert np.abs(reduced.astype(int) - whole.astype(int)).mean() < 2


def test_equalised_light_fills_the_range() -> None:
    levels = np.random.default_rng(3).integers(100, 130, (48, 48), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    pixels = prepare_image(buffer.getvalue(), ImageSettings(equalize="hist")).pixels
    assert pixels.min() == 0
    assert pixels.max() == 255


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_clahe_spreads_light_tile_by_tile_and_less_than_hist(color: str) -> None:
    data = encode("PNG", (64, 64))
    plain, hist, clahe = (
        prepare_image(data, ImageSettings(size=64, color=color, equalize=equalize)).pixels
        for equalize in ("none", "hist", "clahe")
    )
    assert plain.shape == hist.shape == clahe.shape
    assert len({pixels.tobytes() for pixels in (plain, hist, clahe)}) == 3


def test_equalising_keeps_the_colour() -> None:
    light = np.linspace(90, 130, 64).astype(np.uint8)
    picture = np.stack([light + 20, light, light - 20], axis=-1)[None].repeat(64, axis=0)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    settings = ImageSettings(size=64, color="rgb", equalize="clahe")
    pixels = prepare_image(buffer.getvalue(), settings).pixels.astype(int)
    middle = pixels[32, 20:44]
    assert (middle[:, 0] > middle[:, 1]).all()
    assert (middle[:, 1] > middle[:, 2]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 2}, "size must be 8 to 1024"),
        ({"color": "blue"}, '"gray" or "rgb"; received "blue"'),
        ({"equalize": "much"}, '"none", "hist" or "clahe"; received "much"'),
    ],
)
def test_wrong_settings_say_what_is_right(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ImageSettings(**settings)  # type: ignore[arg-type]
