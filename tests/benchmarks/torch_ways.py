"""What `bench_stream.py` measures of PyTorch's loaders, each in batches of its DataLoader.

ferkit's own `TorchDataset`, WebDataset on what `ferdata export` writes, and MosaicML Streaming on
uncompressed pixels: without worker processes and with two, which stay alive between epochs.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fer_data.export.shards import ExportSettings, export_shards
from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_data.shards.torch_dataset import TorchDataset

PEERS = ("torch", "webdataset", "streaming")
Sums = tuple[int, int, int]  # samples, labels, one pixel of each


def torch_ways(
    shards_dir: Path, work_dir: Path, batch_size: int, buffer: int, pixel: tuple[int, int, int]
) -> dict[str, Callable[[int], Sums]]:
    """Ways to read an epoch, by name; what is not installed is left out, and said.

    Args:
        shards_dir: of NPZ shards.
        work_dir: where exports go.
        batch_size: of the batches.
        buffer: samples of a shuffle buffer.
        pixel: row, column and channel of the pixel that is added up.
    """
    missing = [name for name in PEERS if importlib.util.find_spec(name) is None]
    for name in missing:
        print(f"{name} is not installed: its ways are left out")
    if "torch" in missing:
        return {}
    # of pixels that cannot be written to, which nobody here does; workers read it too
    os.environ["PYTHONWARNINGS"] = "ignore:The given NumPy array is not writable"
    warnings.filterwarnings("ignore", "The given NumPy array is not writable")
    from torch.utils.data import DataLoader

    exported, written = work_dir / "webdataset", work_dir / "mds"
    export_shards(shards_dir, exported, ExportSettings(format="webdataset"))
    sources: dict[str, Callable[[], Any]] = {
        "ferkit, TorchDataset": lambda: TorchDataset(shards_dir, "train", dtype="uint8")
    }
    if "webdataset" not in missing:
        sources["WebDataset (PNG)"] = lambda: webdataset_samples(exported, buffer)
    if "streaming" not in missing:
        write_mds(shards_dir, written)
        sources["MosaicML Streaming"] = lambda: streaming_samples(written, batch_size)
    ways = {}
    for name, source in sources.items():
        for workers in (0, 2):
            # new processes, not forked ones, which TensorFlow's threads could deadlock; kept
            several = {"persistent_workers": True, "multiprocessing_context": "spawn"}
            loader = DataLoader(
                source(),
                batch_size=batch_size,
                shuffle=True if name == "ferkit, TorchDataset" else None,
                num_workers=workers,
                **(several if workers else {}),
            )
            ways[f"{name}, {workers} workers"] = partial(consume, loader, pixel)
    return ways


def consume(loader: Any, pixel: tuple[int, int, int], _epoch: int) -> Sums:
    samples = labels_sum = pixels = 0
    for batch in loader:
        images, labels = batch.values() if isinstance(batch, dict) else batch
        samples += len(labels)
        labels_sum += int(labels.sum())
        pixels += int(images[:, pixel[2], pixel[0], pixel[1]].sum())
    return samples, labels_sum, pixels


def webdataset_samples(folder: Path, buffer: int) -> Any:
    import webdataset

    paths = sorted(str(path) for path in folder.glob("*.tar"))
    samples = webdataset.WebDataset(paths, shardshuffle=len(paths), empty_check=False)
    return samples.shuffle(buffer).decode("l8").to_tuple("png", "cls").map_tuple(add_channel)


def add_channel(image: Any) -> Any:
    return image[np.newaxis]  # (H, W) -> (1, H, W)


def write_mds(shards_dir: Path, out_dir: Path) -> None:
    from streaming import MDSWriter

    samples = read_split(shards_dir, read_index(shards_dir), "train")
    columns = {"image": "ndarray:uint8:1,48,48", "label": "int"}
    with MDSWriter(out=str(out_dir), columns=columns, size_limit=2048 * 48 * 48) as out:
        for image, label in zip(samples.images, samples.labels, strict=True):
            out.write({"image": image.transpose(2, 0, 1), "label": int(label)})


def streaming_samples(folder: Path, batch_size: int) -> Any:
    from streaming import StreamingDataset

    return StreamingDataset(local=str(folder), shuffle=True, batch_size=batch_size)
