"""Shards for PyTorch's DataLoader, without PyTorch.

A map-style data set is any object with a length and items; NumPy arrays become tensors in a batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import UnknownNameError
from fer_data.shards.reader import ShardReader

DTYPES = ("float32", "uint8")


class TorchDataset:
    """The samples of one split as (image, label), for `torch.utils.data.DataLoader`.

    Files are opened when the first item is asked for, in each process anew: what a DataLoader sends
    to its workers is small. Every worker that reads all of a split holds up to `cache_mb` of it.

    Args:
        shards_dir: folder of shards.
        split: train, validation or test.
        dtype: "float32" for images from 0 to 1, "uint8" for the pixels as they are.
        cache_mb: most megabytes of decoded shards that a process keeps.

    Raises:
        MissingShardsError: the folder or its index is not there.
        DamagedShardError: the index cannot be read.
        UnknownNameError: the shards have no such split, or the dtype is neither.

    Example:
        >>> from torch.utils.data import DataLoader  # doctest: +SKIP
        >>> train = TorchDataset("shards", "train")  # doctest: +SKIP
        >>> loader = DataLoader(train, batch_size=64, shuffle=True)  # doctest: +SKIP
        >>> images, labels = next(iter(loader))  # doctest: +SKIP
        >>> images.shape, images.dtype, labels.dtype  # doctest: +SKIP
        (torch.Size([64, 1, 48, 48]), torch.float32, torch.int64)
    """

    def __init__(
        self, shards_dir: Path | str, split: str, *, dtype: str = "float32", cache_mb: float = 1024
    ) -> None:
        if dtype not in DTYPES:
            raise UnknownNameError("dtype", dtype, DTYPES)
        self._facts = (shards_dir, split, cache_mb)
        self._dtype = dtype
        reader = ShardReader(shards_dir, split, cache_mb=cache_mb)
        self._reader: ShardReader | None = reader
        self._length = len(reader)
        self.class_names = reader.index.class_names

    def __len__(self) -> int:
        """Number of samples."""
        return self._length

    def __getitem__(self, number: int) -> tuple[NDArray[Any], int]:
        """One sample.

        Returns:
            An array of shape (channels, height, width) that may be written to, of the dtype asked
            for; and the row of its class name.

        Raises:
            IndexError: there is no sample of this number.
            DamagedShardError: its shard is not what the index says.
        """
        if self._reader is None:
            shards_dir, split, cache_mb = self._facts
            self._reader = ShardReader(shards_dir, split, cache_mb=cache_mb)
        sample = self._reader[number]
        image = sample.images[0].transpose(2, 0, 1)  # (H, W, C) -> (C, H, W)
        if self._dtype == "float32":
            return np.divide(image, 255, dtype=np.float32, order="C"), int(sample.labels[0])
        return image.copy(order="C"), int(sample.labels[0])

    def __getstate__(self) -> dict[str, Any]:
        """All but what has been read: another process reads for itself."""
        return {**self.__dict__, "_reader": None}
