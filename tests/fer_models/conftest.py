"""Tiny shards, written as `ferdata pack` writes them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what third parties say while they are imported
    import keras  # noqa: F401
    import tensorflow as tf  # noqa: F401

import numpy as np
import pytest

from fer_data.pack_shard import CONTAINERS
from fer_data.shards.index import INDEX_NAME, ClassCount, ShardEntry, ShardIndex, class_weights

CLASS_NAMES = ("anger", "happiness", "neutral")


def write_shards(
    shards_dir: Path,
    sizes: Mapping[str, Sequence[int]],
    *,
    image_shape: tuple[int, int, int] = (4, 4, 1),
    class_names: tuple[str, ...] = CLASS_NAMES,
    augmented: int = 0,
    seed: int = 0,
    compression: str = "fast",
    container: str = "npz",
) -> ShardIndex:
    """Shards with the given numbers of samples; the class shows in the brightness of a corner.

    The first two bytes of an image are the sample's number, so that a test can count them.
    """
    rng = np.random.default_rng(seed)
    shards_dir.mkdir(parents=True, exist_ok=True)
    entries: list[ShardEntry] = []
    counts: dict[str, dict[str, ClassCount]] = {}
    number = 0
    for split, split_sizes in sizes.items():
        split_labels: list[int] = []
        for shard, size in enumerate(split_sizes):
            labels = rng.integers(len(class_names), size=size)
            images = rng.integers(0, 60, (size, *image_shape), dtype=np.uint8)
            images[:, 1:, 1:] += (labels * (190 // len(class_names))).astype(np.uint8)[
                :, None, None, None
            ]
            numbers = np.arange(number, number + size)
            images[:, 0, 0, 0], images[:, 0, 1, 0] = numbers % 256, numbers // 256
            keys = np.array([f"{split}/sample-{n}.png" for n in numbers], dtype=np.str_)
            parents = np.array([""] * size, dtype=np.str_)
            encoded = CONTAINERS[container].encode(
                {
                    "images": images,
                    "labels": labels.astype(np.int64),
                    "keys": keys,
                    "parents": parents,
                },
                compression,
            )
            name = f"{split}-{shard:05d}-of-{len(split_sizes):05d}.{CONTAINERS[container].suffix}"
            (shards_dir / name).write_bytes(encoded.data)
            entries.append(
                ShardEntry(
                    file=name,
                    split=split,
                    num_samples=size,
                    bytes=len(encoded.data),
                    sha256=encoded.sha256,
                    arrays=encoded.arrays,
                )
            )
            split_labels += labels.tolist()
            number += size
        counts[split] = {
            name: ClassCount(
                original=split_labels.count(label) - (augmented if split == "train" else 0),
                augmented=augmented if split == "train" else 0,
            )
            for label, name in enumerate(class_names)
        }
    train = counts.get("train", {})
    index = ShardIndex(
        ferkit_version="0.1.0",
        name="tiny",
        class_names=class_names,
        image_shape=image_shape,
        seed=seed,
        counts=counts,
        class_weights={
            "original": class_weights({n: max(c.original, 0) for n, c in train.items()}),
            "balanced": class_weights({n: c.total for n, c in train.items()}),
        },
        pixel_mean=(0.4,) * image_shape[2],
        pixel_std=(0.3,) * image_shape[2],
        leakage={"groups": 0, "samples": {}, "twins": {}},
        lineage={
            "ingest": {
                "settings": {"size": image_shape[0], "color": "gray", "equalize": "none"},
                "counts": {"samples": number, "rejected": 0},
                "fingerprint": "00",
            }
        },
        shards=tuple(entries),
        container=container,
    )
    (shards_dir / INDEX_NAME).write_text(index.to_json(), encoding="utf-8")
    return index


@pytest.fixture(scope="session")
def shard_writer() -> Callable[..., ShardIndex]:
    """`write_shards`, for tests that choose the folder themselves."""
    return write_shards


@pytest.fixture
def make_shards(tmp_path: Path) -> Callable[..., tuple[Path, ShardIndex]]:
    """A function that writes shards and returns their folder and index."""

    def make(sizes: Mapping[str, Sequence[int]], name: str = "shards", **options: object):
        return tmp_path / name, write_shards(tmp_path / name, sizes, **options)

    return make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What Keras says of its own old ways is no fault of ours."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
            )
