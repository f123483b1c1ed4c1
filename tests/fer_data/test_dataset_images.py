"""The pixels of any samples, in any order, from the blocks that hold them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from fer_data.dataset import Dataset
from fer_data.errors import DatasetError
from tests.fer_data.conftest import build_dataset

COUNTS = {"train": {"anger": 50, "disgust": 40}}


@pytest.fixture(params=["gray", "rgb"])
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    return build_dataset(tmp_path / "ds", COUNTS, color=request.param, size=20)


def test_they_are_those_of_the_blocks(dataset: Dataset) -> None:
    rng = np.random.default_rng(0)
    lengths = [len(dataset.pixels(block)) for block in range(dataset.num_blocks)]
    assert len(lengths) > 2
    for count in (0, 1, 7, 400):
        blocks = rng.integers(0, len(lengths), count)
        rows = rng.integers(0, np.array(lengths)[blocks])
        found = dataset.images(blocks, rows)
        assert found.shape == (count, *dataset.image_shape)
        assert found.dtype == np.uint8
        for image, block, row in zip(found, blocks.tolist(), rows.tolist(), strict=True):
            np.testing.assert_array_equal(image, dataset.pixels(block)[row])


def test_a_block_that_does_not_hold_them_is_told(dataset: Dataset) -> None:
    path = dataset.block_path("pixels", 1)
    whole, pixels = path.read_bytes(), np.load(path)

    def expect(message: str, row: int = 0) -> None:
        with pytest.raises(DatasetError, match=re.escape(message)) as caught:
            dataset.images([0, 1], [0, row])
        assert str(caught.value).startswith(f"{path}: cannot be read (")
        assert "run `ferdata ingest` again" in str(caught.value)

    expect(f"shape {pixels.shape}; expected {dataset.image_shape} each, and more than 9999", 9999)
    path.write_bytes(whole[:-1])
    expect("it is cut short", len(pixels) - 1)
    path.write_bytes(b"")
    expect("cannot be read")
    path.write_bytes(b"\x93NUMPY\x02" + whole[7:])
    expect("version (2, 0) of .npy")
    for other in (pixels.astype(np.int64), np.asfortranarray(pixels)):
        np.save(path, other)
        expect("in another order than ingest writes")
    np.save(path, pixels[:, 1:])
    expect("each, and more than 0")
    path.unlink()
    expect("No such file or directory")
