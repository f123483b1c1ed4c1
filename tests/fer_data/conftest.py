"""A prepared data set without ingest: made-up pixels, as the stages after split find them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pytest

from fer_data.dataset import SAMPLES_SCHEMA, Dataset, DatasetInfo, SourceRecord
from fer_data.emotions import order_class_names
from fer_data.files import write_array
from fer_data.image import ImageSettings
from fer_data.tables import write_table
from tests.conftest import face_pixels

BLOCK = 32
MakeDataset = Callable[..., Dataset]
#: split → class name → samples
Counts = Mapping[str, Mapping[str, int]]


def build_dataset(
    dataset_dir: Path,
    counts: Counts,
    *,
    color: str = "gray",
    size: int = 24,
    same: Sequence[tuple[str, str]] = (),
    official: bool = False,
    votes: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
    subjects: Mapping[str, str] = MappingProxyType({}),
) -> Dataset:
    """A data set that is ingested and split; keys are src/<split>/<class>/<number>.png.

    Args:
        dataset_dir: where to write it.
        counts: split → class name → samples.
        color: "gray" or "rgb".
        size: of the pictures.
        same: pairs of keys; the second gets the pixels of the first.
        official: whether the source itself gives the splits.
        votes: key → class name → votes, for the samples that have any.
        subjects: key → subject, for the samples of which it is known.
    """
    image = ImageSettings(size=size, color=color)
    rows = [
        (f"src/{split}/{name}/{number:03d}é.png", split, name)
        for split, classes in counts.items()
        for name, count in classes.items()
        for number in range(count)
    ]
    pixels: dict[str, np.ndarray] = {}
    for seed, (key, _, _) in enumerate(rows):
        face = face_pixels(seed, size)
        channels = [np.roll(face, shift, 1) for shift in range(image.image_shape[2])]
        pixels[key] = np.stack(channels, axis=-1)
    for first, second in same:
        pixels[second] = pixels[first]
    num_blocks = -(-len(rows) // BLOCK)
    source = SourceRecord(
        name="src",
        kind="folder",
        manifest="folders",
        num_files=len(rows),
        first_block=0,
        num_blocks=num_blocks,
    )
    names = order_class_names({name for _, _, name in rows})
    dataset = Dataset(dataset_dir, DatasetInfo(image=image, class_names=names, sources=(source,)))
    for block in range(num_blocks):
        part = rows[block * BLOCK : (block + 1) * BLOCK]
        table = pa.Table.from_pylist(
            [
                {
                    "key": key,
                    "source": "src",
                    "path": key[4:],
                    "label": name,
                    "split": split if official else None,
                    "file_sha256": bytes(32),
                    "pixel_sha256": hashlib.sha256(pixels[key].tobytes()).digest(),
                    "height": size,
                    "width": size,
                    "attributes": [("subject", subjects[key])] if key in subjects else [],
                    "votes": list(votes[key].items()) if key in votes else None,
                }
                for key, split, name in part
            ],
            schema=SAMPLES_SCHEMA,
        )
        write_array(
            dataset.block_path("pixels", block), np.stack([pixels[key] for key, *_ in part])
        )
        write_table(dataset.block_path("samples", block), table)
    digest = hashlib.sha256(repr(sorted(counts)).encode()).hexdigest()
    sources = [{"name": "src", "kind": "folder", "manifest": "folders", "files": len(rows)}]
    read = {"files": len(rows), "samples": len(rows), "rejected": 0, "reasons": {}}
    dataset = dataset.publish(
        "ingest", None, settings={"sources": sources}, counts=read, inputs=[], digest=digest
    )
    split_table = pa.table({"key": [row[0] for row in rows], "split": [row[1] for row in rows]})
    classes: dict[str, Counter[str]] = {}
    for _, split, name in rows:
        classes.setdefault(split, Counter())[name] += 1
    found = {split: dict(each) for split, each in classes.items()}
    placed = {"classes": found, "official": len(rows) if official else 0}
    return dataset.publish(
        "split", split_table, settings={"seed": 0}, counts=placed, inputs=["ingest"]
    )


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """Makes a data set in the test's own folder; arguments as of `build_dataset`."""

    def make(counts: Counts, name: str = "ds", **options: object) -> Dataset:
        return build_dataset(tmp_path / name, counts, **options)  # type: ignore[arg-type]

    return make
