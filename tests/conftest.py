"""What all tests share: small pictures, and the real data where it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Folder of the real data sets, or a skip that says where it was looked for."""
    shared = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FERKIT_DATA", shared))
    if not (folder / "fer2013.zip").is_file():
        pytest.skip(f"no fer2013.zip in {folder}; name its folder with FERKIT_DATA")
    return folder


def face_pixels(seed: int, size: int = 48) -> NDArray[np.uint8]:
    """A grey picture with detail, another for every seed: uint8 array of shape (size, size)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 6), dtype=np.uint8)
    smooth = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    noisy = smooth + rng.integers(-12, 13, (size, size))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of the pixels."""
    done, data = cv2.imencode(".png", pixels)
    assert done
    return data.tobytes()


@pytest.fixture
def class_folders(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of class folders; `counts` is class folder → number of pictures."""

    def make(counts: dict[str, int], name: str = "raw", first_seed: int = 0) -> Path:
        root = tmp_path / name
        seed = first_seed
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                (root / folder / f"{number:04d}.png").write_bytes(png_bytes(face_pixels(seed)))
                seed += 1
        return root

    return make


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew-golden", action="store_true", help="write golden files anew")
