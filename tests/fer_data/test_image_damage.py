"""2,000 damaged files in one process: each is rejected or decoded, in silence."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_data.errors import ImageError
from fer_data.image import REASONS, ImageSettings, prepare_image
from tests.fer_data.test_image_formats import encode, picture

NUM_CUTS, NUM_FLIPS = 20, 200
KINDS: dict[str, tuple[str, str, dict[str, object]]] = {
    "png grey": ("PNG", "L", {}),
    "png rgba": ("PNG", "RGBA", {}),
    "png palette": ("PNG", "P", {"transparency": 3}),
    "jpeg": ("JPEG", "RGB", {"quality": 85}),
    "jpeg progressive": ("JPEG", "RGB", {"progressive": True}),
    "jpeg cmyk": ("JPEG", "CMYK", {}),
    "webp": ("WEBP", "RGBA", {}),
    "tiff": ("TIFF", "RGB", {}),
    "tiff lzw": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "tiff jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "tiff group4": ("TIFF", "1", {"compression": "group4"}),
    "bmp": ("BMP", "P", {}),
    "gif": ("GIF", "P", {}),
    "pnm": ("PPM", "RGB", {}),
}
# Where each format says how large the picture is: offset, bytes a side, order.
SIZE_FIELDS = {"png grey": (16, 4, "big"), "png rgba": (16, 4, "big"), "bmp": (18, 4, "little"),
               "gif": (6, 2, "little"), "webp": (24, 3, "little")}  # fmt: skip

NUM_LIES = 7
NUM_FILES = len(KINDS) * (NUM_CUTS + NUM_FLIPS) + len(SIZE_FIELDS) * NUM_LIES


def damaged_files(kind: str) -> list[bytes]:
    """A whole file cut at 20 places, with a bit turned at 200, and with sizes that lie."""
    format_, mode, options = KINDS[kind]
    exif = Image.Exif()
    exif[0x0112] = 6
    if format_ in ("PNG", "JPEG", "WEBP"):
        options = {**options, "exif": exif}
    data = encode(picture(mode, 90, 70), format_, **options)
    rng = np.random.default_rng(len(data))
    cuts = [data[: len(data) * number // NUM_CUTS] for number in range(NUM_CUTS)]
    flips = []
    for number in range(NUM_FLIPS):
        mutant = bytearray(data)
        # every second one in the first bytes, where headers are
        end = min(len(data), 400) if number % 2 else len(data)
        mutant[rng.integers(end)] ^= 1 << int(rng.integers(8))
        flips.append(bytes(mutant))
    lies = []
    start, width, order = SIZE_FIELDS.get(kind, (0, 0, "big"))
    for value in (0, 1, 7, 91, 1000, 9999, 2 ** (8 * width) - 1) if width else ():
        mutant = bytearray(data)
        side = value.to_bytes(width, order) if value < 256**width else b"\xff" * width  # type: ignore[arg-type]
        mutant[start : start + 2 * width] = side * 2
        lies.append(bytes(mutant))
    return [*cuts, *flips, *lies]


def decode_all() -> Counter[str]:
    """What became of every damaged file; anything but an ImageError goes through."""
    outcomes: Counter[str] = Counter()
    settings = [ImageSettings(size=24, color=color) for color in ("gray", "rgb")]
    for kind in KINDS:
        for number, data in enumerate(damaged_files(kind)):
            try:
                pixels = prepare_image(data, settings[number % 2]).pixels
            except ImageError as error:
                outcomes[error.reason] += bool(error.detail)
            else:
                outcomes["decoded"] += pixels.shape == settings[number % 2].image_shape
    return outcomes


def test_2000_damaged_files_are_rejected_or_decoded_in_silence() -> None:
    """In a process of its own: a crash, a hang and a decoder's own messages are seen from here."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.fer_data.test_image_damage"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    assert run.stderr == ""
    assert run.returncode == 0
    outcomes = dict(line.split() for line in run.stdout.splitlines())
    assert set(outcomes) <= {"decoded", *REASONS}
    assert sum(map(int, outcomes.values())) == NUM_FILES >= 2000
    assert int(outcomes["decoded"]) >= 200  # a turned bit in the pixels need not be seen


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_picture_of_any_kind_is_no_picture(kind: str) -> None:
    for data in damaged_files(kind)[: NUM_CUTS - 1]:
        with pytest.raises(ImageError) as caught:
            prepare_image(data, ImageSettings())
        assert caught.value.reason in ("empty", "truncated", "corrupt", "not-an-image", "too-small")


@pytest.mark.parametrize(("said", "held"), [("PNG", "JPEG"), ("JPEG", "PNG"), ("GIF", "TIFF")])
def test_the_content_counts_not_the_extension(said: str, held: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{said.lower()}"
    path.write_bytes(encode(picture("RGB"), held))
    assert prepare_image(path.read_bytes(), ImageSettings()).pixels.shape == (48, 48, 1)


@pytest.mark.parametrize(
    "data",
    [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b"RIFF", b"P6\n", b"MM\0*"],
)
def test_a_signature_alone_is_no_picture(data: bytes) -> None:
    for tail in (b"", bytes(64), b"\xff" * 64):
        with pytest.raises(ImageError):
            prepare_image(data + tail, ImageSettings())


def test_a_file_of_noise_is_no_picture() -> None:
    rng = np.random.default_rng(0)
    for signature in (b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"II*\0", b"RIFF\0\0\0\0WEBP"):
        for _ in range(20):
            buffer = io.BytesIO(signature + rng.bytes(300))
            with pytest.raises(ImageError):
                prepare_image(buffer.getvalue(), ImageSettings())


if __name__ == "__main__":
    for reason, count in decode_all().items():
        print(reason, count)
