"""The adapter for PyTorch: the same samples, in any process, with or without PyTorch."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from fer_data.errors import DamagedShardError, UnknownNameError
from fer_data.shards.torch_dataset import TorchDataset
from tests.made_shards import make_shards, numbered_samples


@pytest.mark.parametrize("channels", [1, 3])
def test_items_are_the_samples(tmp_path: Path, channels: int) -> None:
    samples = numbered_samples(10, (8, 6, channels))
    make_shards(tmp_path, {"train": samples})
    scaled, plain = (TorchDataset(tmp_path, "train", dtype=d) for d in ("float32", "uint8"))
    assert len(scaled) == len(plain) == 10
    assert scaled.class_names[:2] == ("anger", "disgust")
    for number in (0, 9, 3, 4, -1):
        image, label = plain[number]
        assert (image.shape, image.dtype) == ((channels, 8, 6), np.uint8)
        np.testing.assert_array_equal(image.transpose(1, 2, 0), samples.images[number])
        assert type(label) is int
        assert label == samples.labels[number]
        light, _ = scaled[number]
        assert light.dtype == np.float32
        np.testing.assert_array_equal(light, image.astype(np.float32) / 255)
        for array in (image, light):
            assert array.flags.c_contiguous
            array[:] = 0  # tensors share the memory: it must be the caller's own
        np.testing.assert_array_equal(plain[number][0].transpose(1, 2, 0), samples.images[number])
    with pytest.raises(IndexError):
        plain[10]
    with pytest.raises(UnknownNameError, match='unknown dtype "float16"'):
        TorchDataset(tmp_path, "train", dtype="float16")


def test_it_travels_to_other_processes_without_what_was_read(tmp_path: Path) -> None:
    samples = numbered_samples(300, (16, 16, 1))
    make_shards(tmp_path, {"train": samples}, shard_samples=100)
    dataset = TorchDataset(tmp_path, "train", dtype="uint8")
    dataset[0], dataset[299]
    assert len(pickle.dumps(dataset)) < 1000 < samples.images.nbytes
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        image, label = pool.submit(dataset.__getitem__, 250).result()
    np.testing.assert_array_equal(image[0], samples.images[250, :, :, 0])
    assert label == samples.labels[250]


def test_files_are_read_when_an_item_is_asked_for(tmp_path: Path) -> None:
    index = make_shards(tmp_path, {"train": numbered_samples(8)})
    (tmp_path / index.shards[1].file).unlink()
    dataset = TorchDataset(tmp_path, "train")
    assert len(dataset) == 8
    dataset[3]
    with pytest.raises(DamagedShardError, match=index.shards[1].file):
        dataset[4]


def test_it_loads_no_framework() -> None:
    code = (
        "import sys, fer_data.shards.torch_dataset\n"
        "assert not {'torch', 'tensorflow', 'pyarrow', 'cv2', 'sklearn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_data_loader_takes_it(tmp_path: Path) -> None:
    data = pytest.importorskip("torch.utils.data", reason="PyTorch is not installed")
    samples = numbered_samples(10, (8, 8, 3))
    make_shards(tmp_path, {"train": samples})
    for workers in (0, 2):
        loader = data.DataLoader(TorchDataset(tmp_path, "train"), batch_size=4, num_workers=workers)
        images, labels = zip(*loader, strict=True)
        assert [tuple(batch.shape) for batch in images] == [
            (4, 3, 8, 8),
            (4, 3, 8, 8),
            (2, 3, 8, 8),
        ]
        pixels = np.concatenate([batch.numpy() for batch in images]).transpose(0, 2, 3, 1)
        np.testing.assert_array_equal(np.rint(pixels * 255), samples.images)
        assert np.concatenate([batch.numpy() for batch in labels]).tolist() == list(samples.labels)
