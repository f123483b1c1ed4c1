"""One block of raw files -> its pixels, samples and rejections: the unit of work of ingest."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fer_data.dataset import REJECTED_SCHEMA, SAMPLES_SCHEMA, Dataset, DatasetInfo
from fer_data.errors import ImageError, SourceError
from fer_data.files import write_array
from fer_data.image import ImageSettings, fit_pixels, prepare_image
from fer_data.sources.raw import RawSample, Rejection, SourceBlock
from fer_data.tables import table_digest, write_table

#: Rejections for this reason are counted but hold nothing up: no one meant them as samples.
HARMLESS_REASON = "hidden"
_METADATA_KEY = b"ferkit"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTask:
    """One block to read, decode and write: the unit of work."""

    number: int
    dataset_dir: Path
    source_name: str
    source_block: SourceBlock
    image: ImageSettings
    on_error: str

    @property
    def fingerprint(self) -> str:
        """Of the files and of what is made of them."""
        facts = [self.source_name, self.source_block.fingerprint, asdict(self.image)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def path(self, kind: str) -> Path:
        """Where this block's "pixels", "samples" or "rejected" are written."""
        info = DatasetInfo(image=self.image)
        return Dataset(self.dataset_dir, info).block_path(kind, self.number)


def finished_block(task: BlockTask) -> dict[str, Any] | None:
    """What an earlier run noted of this block, or None where it has to be read (again)."""
    if not (task.path("pixels").exists() and task.path("rejected").exists()):
        return None
    dataset = Dataset(task.dataset_dir, DatasetInfo(image=task.image))
    metadata = read_metadata(dataset, task.number)
    return metadata if metadata and metadata["task"] == task.fingerprint else None


def read_metadata(dataset: Dataset, block: int) -> dict[str, Any] | None:
    """What was noted of a finished block: counts and digest; None where it is not finished."""
    with contextlib.suppress(OSError, pa.ArrowInvalid, KeyError, TypeError):
        schema = pq.read_schema(dataset.block_path("samples", block))
        metadata: dict[str, Any] = json.loads(schema.metadata[_METADATA_KEY])
        return metadata
    return None


def ingest_block(task: BlockTask) -> dict[str, Any]:
    """Reads one block and writes its three files; that of the samples, last, says it is done."""
    rows: list[dict[str, Any]] = []
    images: list[NDArray[np.uint8]] = []
    rejections: list[Rejection] = []
    for raw in task.source_block.read():
        prepared = raw if isinstance(raw, Rejection) else _prepare(raw, task)
        if isinstance(prepared, Rejection):
            if task.on_error == "raise" and prepared.reason != HARMLESS_REASON:
                raise SourceError(
                    f"{task.source_name}: {prepared.path}: {prepared.reason}, {prepared.detail}; "
                    "mend or remove it, or leave --on-error raise away"
                )
            rejections.append(prepared)
        else:
            row, pixels = prepared
            rows.append(row)
            images.append(pixels)
    samples = pa.Table.from_pylist(rows, schema=SAMPLES_SCHEMA)
    rejected = pa.Table.from_pylist(
        [{"source": task.source_name, **asdict(rejection)} for rejection in rejections],
        schema=REJECTED_SCHEMA,
    )
    classes: dict[str, Counter[str]] = {}
    for row in rows:
        classes.setdefault(row["split"] or "", Counter())[row["label"]] += 1
    metadata = {
        "task": task.fingerprint,
        "digest": table_digest(samples) + table_digest(rejected),
        "num_samples": len(samples),
        "reasons": Counter(rejection.reason for rejection in rejections),
        "classes": classes,
    }
    pixels_shape = (len(images), *task.image.image_shape)
    stacked = np.stack(images) if images else np.empty(pixels_shape, np.uint8)
    write_array(task.path("pixels"), stacked)
    write_table(task.path("rejected"), rejected)
    noted = samples.replace_schema_metadata({_METADATA_KEY: json.dumps(metadata)})
    write_table(task.path("samples"), noted)
    return metadata


def _prepare(
    raw: RawSample, task: BlockTask
) -> tuple[dict[str, Any], NDArray[np.uint8]] | Rejection:
    """The row and the pixels of one sample, or why it cannot be one."""
    try:
        if raw.pixels is None:
            prepared = prepare_image(raw.data, task.image)
            pixels, height, width = prepared.pixels, prepared.height, prepared.width
        else:
            height, width = raw.pixels.shape
            levels = raw.pixels
            if task.image.color == "rgb":
                levels = np.asarray(cv2.cvtColor(levels, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
            pixels = fit_pixels(levels, task.image)
    except ImageError as error:
        return Rejection(path=raw.path, reason=error.reason, detail=error.detail)
    row = {
        "key": f"{task.source_name}/{raw.path}",
        "source": task.source_name,
        "path": raw.path,
        "label": raw.facts.label,
        "split": raw.facts.split,
        "file_sha256": hashlib.sha256(raw.data).digest(),
        "pixel_sha256": hashlib.sha256(pixels.tobytes()).digest(),
        "height": height,
        "width": width,
        "attributes": list(raw.facts.attributes.items()),
        "votes": None if raw.facts.votes is None else list(raw.facts.votes.items()),
    }
    return row, pixels
