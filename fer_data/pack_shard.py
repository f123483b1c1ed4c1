"""Makes one shard: gathers originals, makes copies, encodes, writes. The unit of work of pack."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fer_data.augment import augment_images
from fer_data.dataset import Dataset
from fer_data.errors import DatasetError
from fer_data.files import write_file
from fer_data.operations import operations_from_json
from fer_data.shards.arrays import EncodedShard
from fer_data.shards.hdf5 import encode_hdf5
from fer_data.shards.index import FORMAT_VERSION, WORK_DIR, ShardEntry, shard_from_json
from fer_data.shards.npz import encode_npz
from fer_data.shards.pixels import stored_pixels
from fer_data.tables import table_digest
from fer_data.version import ferkit_version


class Container(NamedTuple):
    """A file format of shards.

    Attributes:
        suffix: of its files.
        encode: makes the bytes of a file of arrays; told how to compress.
    """

    suffix: str
    encode: Callable[[Mapping[str, NDArray[Any]], str], EncodedShard]


CONTAINERS: Mapping[str, Container] = MappingProxyType(
    {"npz": Container("npz", encode_npz), "hdf5": Container("h5", encode_hdf5)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    """One shard to make.

    Attributes:
        dataset: whose pixels to take.
        shards_dir: where the shard goes.
        file: its name.
        split: whose samples it holds.
        samples: table of `fer_data.pack_plan.PACKED_SCHEMA`.
        container: one of `CONTAINERS`.
        compression: one of `fer_data.pack_settings.ALL_COMPRESSIONS`.
        layout: of the images, one of `fer_data.shards.pixels.LAYOUTS`.
        dtype: of the images, one of `fer_data.shards.pixels.DTYPES`.
    """

    dataset: Dataset
    shards_dir: Path
    file: str
    split: str
    samples: pa.Table
    container: str
    compression: str
    layout: str
    dtype: str

    @property
    def fingerprint(self) -> str:
        """Hex digest of all that the shard's bytes depend on."""
        packed = (self.container, self.compression, self.layout, self.dtype)
        form = (self.dataset.image_shape, *packed)
        parts = [ferkit_version(), FORMAT_VERSION, self.file, form, table_digest(self.samples)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def note_path(self) -> Path:
        """Where it is noted that the shard is done."""
        return self.shards_dir / WORK_DIR / f"{self.file}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """A shard that stands on the disk.

    Attributes:
        entry: for the index.
        sums: of the pixels of its originals, one a channel.
        squares: sums of their squares, one a channel.
        found: it had been made before, by a run that was cut short.
    """

    entry: ShardEntry
    sums: tuple[int, ...]
    squares: tuple[int, ...]
    found: bool = False


def make_shard(task: ShardTask) -> ShardResult:
    """Writes one shard, unless it stands there already as noted and unharmed.

    Raises:
        DatasetError: the data set's pixels are not those that were ingested.
        OSError: the disk is full or the folder cannot be written.
    """
    fingerprint = task.fingerprint
    found = _find(task, fingerprint)
    if found is not None:
        return found
    images = _originals(task)
    augmented = task.samples["parent"].to_numpy() != ""
    sums, squares = _sums(images[~augmented])
    _make_copies(images, task.samples)
    arrays: dict[str, NDArray[Any]] = {
        "images": stored_pixels(images, task.layout, task.dtype),
        "labels": task.samples["label"].to_numpy(),
        "keys": np.array(task.samples["key"].to_pylist(), dtype=np.str_),
        "parents": np.array(task.samples["parent"].to_pylist(), dtype=np.str_),
    }
    if task.samples["votes"].null_count == 0:
        arrays["votes"] = np.array(task.samples["votes"].to_pylist(), dtype=np.float32)
    shard = CONTAINERS[task.container].encode(arrays, task.compression)
    entry = ShardEntry(
        file=task.file,
        split=task.split,
        num_samples=len(images),
        bytes=len(shard.data),
        sha256=shard.sha256,
        arrays=shard.arrays,
    )
    result = ShardResult(entry=entry, sums=sums, squares=squares)
    write_file(task.shards_dir / task.file, shard.data)
    note = {"fingerprint": fingerprint, **dataclasses.asdict(result)}
    write_file(task.note_path, json.dumps(note).encode())
    return result


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file; "" where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _find(task: ShardTask, fingerprint: str) -> ShardResult | None:
    """The shard as an earlier run noted it, if its file is still what the note says."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        note: dict[str, Any] = json.loads(task.note_path.read_bytes())
        entry = shard_from_json(note["entry"])
        digest = file_sha256(task.shards_dir / task.file)
        if note["fingerprint"] == fingerprint and digest == entry.sha256:
            sums, squares = tuple(note["sums"]), tuple(note["squares"])
            return ShardResult(entry=entry, sums=sums, squares=squares, found=True)
    return None


def _originals(task: ShardTask) -> NDArray[np.uint8]:
    """The pixels each sample is, or is made of: uint8 array of shape (n, H, W, C)."""
    blocks, rows = task.samples["block"].to_numpy(), task.samples["row"].to_numpy()
    images = task.dataset.images(blocks, rows)
    digests = task.samples["pixel_sha256"].to_pylist()
    for number, digest in enumerate(digests):
        if hashlib.sha256(images[number]).digest() != digest:
            raise DatasetError(
                f"{task.dataset.block_path('pixels', blocks[number])}: image {rows[number]} is not "
                "the one that was ingested; remove the file and run `ferdata ingest` again"
            )
    return images


def _make_copies(images: NDArray[np.uint8], samples: pa.Table) -> None:
    """Replaces, in `images`, each parent's pixels by its copy's where the sample is a copy."""
    recipes, seeds = samples["operations"].to_numpy(), samples["seed"].to_numpy()
    for recipe in sorted(set(recipes) - {""}):
        mine = recipes == recipe
        images[mine] = augment_images(images[mine], operations_from_json(recipe), seeds[mine])


def _sums(images: NDArray[np.uint8]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Exact sums of the values and of their squares, one a channel."""
    flat = images.reshape(-1, images.shape[-1])  # (n, H, W, C) -> (n*H*W, C)
    squares = np.square(flat, dtype=np.uint16)  # 255 squared fits
    return tuple(flat.sum(0, np.uint64).tolist()), tuple(squares.sum(0, np.uint64).tolist())
