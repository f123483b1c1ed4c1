"""How samples are packed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.pack_shard import CONTAINERS
from fer_data.shards.codecs import CODECS
from fer_data.shards.deflate import COMPRESSIONS
from fer_data.shards.hdf5 import check_codec
from fer_data.shards.pixels import DTYPES, LAYOUTS

FORMATS = tuple(CONTAINERS)
#: Those of `CODECS` are for HDF5 only.
ALL_COMPRESSIONS = (*COMPRESSIONS, *CODECS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSettings:
    """How samples are packed. See docs/decisions/0002-shard-size.md for the size.

    Attributes:
        format: one of `FORMATS`.
        shard_mb: most pixels of a shard, as stored but not compressed, in MB (10**6 bytes).
        shard_samples: most samples of a shard.
        compression: "none", "fast", or "small": a third slower to write than NumPy, and smaller;
            for hdf5 also one of `fer_data.shards.codecs.CODECS`, where hdf5plugin is installed.
        layout: of the images, one of `fer_data.shards.pixels.LAYOUTS`.
        dtype: of the images, one of `fer_data.shards.pixels.DTYPES`.
        seed: of the order of the train split.
    """

    format: str = "npz"
    shard_mb: float = 16.0
    shard_samples: int = 2048
    compression: str = "fast"
    layout: str = "nhwc"
    dtype: str = "uint8"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise UnknownNameError("format", self.format, FORMATS)
        for what, known in (
            ("compression", ALL_COMPRESSIONS),
            ("layout", LAYOUTS),
            ("dtype", DTYPES),
        ):
            if getattr(self, what) not in known:
                raise UnknownNameError(what, getattr(self, what), known)
        if self.compression in CODECS:
            if self.format != "hdf5":
                raise SettingsError(
                    f'compression "{self.compression}" is for the format hdf5; '
                    f"{self.format} has {', '.join(COMPRESSIONS)}"
                )
            check_codec(self.compression)
        if not 0 < self.shard_mb <= 1024:
            raise SettingsError(f"shard_mb must be above 0, at most 1024; received {self.shard_mb}")
        if self.shard_samples < 1:
            raise SettingsError(f"shard_samples must be 1 or more; received {self.shard_samples}")
        if not 0 <= self.seed < 2**63:
            raise SettingsError(f"seed must be 0 to 2**63 - 1; received {self.seed}")

    def most_samples(self, image_shape: tuple[int, int, int]) -> int:
        """Samples that fit into one shard; one always does.

        Example:
            >>> PackSettings().most_samples((48, 48, 1)), PackSettings().most_samples((96, 96, 3))
            (2048, 578)
        """
        image_bytes = math.prod(image_shape) * np.dtype(DTYPES[self.dtype]).itemsize
        by_size = int(self.shard_mb * 1_000_000 / image_bytes)
        return max(1, min(self.shard_samples, by_size))
