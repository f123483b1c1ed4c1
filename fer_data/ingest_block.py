"""One block of raw files -> its pixels, samples and rejections: the unit of work of ingest."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fer_data.dataset import (
    REJECTED_SCHEMA,
    SAMPLES_SCHEMA,
    Dataset,
    DatasetInfo,
    faces_to_json,
)
from fer_data.errors import ImageError, SourceError
from fer_data.faces import FaceSettings, detector_for, prepare_faces
from fer_data.files import write_array
from fer_data.image import MIN_SIDE, ImageSettings, PreparedImage, fit_pixels, prepare_images
from fer_data.picture_decode import decode_picture
from fer_data.sources.raw import (
    HARMLESS_REASONS,
    RawSample,
    Rejection,
    SourceBlock,
    sample_path,
)
from fer_data.tables import table_digest, write_table

_METADATA_KEY = b"ferkit"
_PORTION_BYTES = 2**18
_WHOLE = 2**16  # a side that no picture reaches: decode it without shrinking

_LABEL, _SPLIT = (SAMPLES_SCHEMA.names.index(name) for name in ("label", "split"))
_Row = tuple[Any, ...]  # in the order of a schema
Pictures = Sequence[PreparedImage]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTask:
    """One block to read, decode and write: the unit of work."""

    number: int
    dataset_dir: Path
    source_name: str
    source_block: SourceBlock
    image: ImageSettings
    faces: FaceSettings | None
    on_error: str

    @property
    def fingerprint(self) -> str:
        """Of the files and of what is made of them."""
        faces = None if self.faces is None else faces_to_json(self.faces)
        facts = [self.source_name, self.source_block.fingerprint, asdict(self.image), faces]
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
    rows: list[_Row] = []
    images: list[NDArray[np.uint8]] = []
    rejections: list[Rejection] = []
    for raws in _portions(task.source_block.read()):
        for raw, pictures in zip(raws, _prepare(raws, task), strict=True):
            if isinstance(raw, RawSample) and not isinstance(pictures, ImageError):
                rows += _rows(raw, pictures, task.source_name)
                images += [picture.pixels for picture in pictures]
            else:
                rejections.append(_reject(raw, pictures, task))
    samples = _to_table(rows, SAMPLES_SCHEMA)
    refused = [(task.source_name, r.path, r.reason, r.detail) for r in rejections]
    rejected = _to_table(refused, REJECTED_SCHEMA)
    classes: dict[str, Counter[str]] = {}
    for (split, label), count in Counter((row[_SPLIT], row[_LABEL]) for row in rows).items():
        classes.setdefault(split or "", Counter())[label] = count
    metadata = {
        "task": task.fingerprint,  # of the files as they were when they were read
        "digest": table_digest(samples) + table_digest(rejected),
        "num_samples": len(samples),
        "num_further": len(samples) + len(rejected) - task.source_block.num_files,
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


def _portions(raws: Iterable[RawSample | Rejection]) -> Iterator[list[RawSample | Rejection]]:
    """Raw samples in portions that fit the processor's cache, where pictures are small."""
    portion: list[RawSample | Rejection] = []
    num_bytes = 0
    for raw in raws:
        portion.append(raw)
        num_bytes += len(raw.data) if isinstance(raw, RawSample) else 0
        if num_bytes > _PORTION_BYTES:
            yield portion
            portion, num_bytes = [], 0
    yield portion


def _reject(
    raw: RawSample | Rejection, pictures: Pictures | ImageError, task: BlockTask
) -> Rejection:
    """The rejection of a file; an error where one is not to be borne."""
    rejection = raw
    if isinstance(pictures, ImageError):
        rejection = Rejection(path=raw.path, reason=pictures.reason, detail=pictures.detail)
    assert isinstance(rejection, Rejection)
    if task.on_error == "raise" and rejection.reason not in HARMLESS_REASONS:
        raise SourceError(
            f"{task.source_name}: {rejection.path}: {rejection.reason}, {rejection.detail}; "
            "mend or remove it, or leave --on-error raise away"
        )
    return rejection


def _rows(raw: RawSample, pictures: Pictures, source_name: str) -> Iterator[_Row]:
    """The rows of the samples in one picture, in the order of `SAMPLES_SCHEMA`."""
    digest = hashlib.sha256(raw.data).digest()
    facts = raw.facts
    attributes = list(facts.attributes.items())
    votes = None if facts.votes is None else list(facts.votes.items())
    for number, picture in enumerate(pictures):
        path = sample_path(raw.path, number)
        pixels = hashlib.sha256(picture.pixels.data).digest()
        size = picture.height, picture.width
        yield (
            f"{source_name}/{path}", source_name, path, facts.label, facts.split,
            digest, pixels, *size, attributes, votes,
        )  # fmt: skip


def _to_table(rows: Sequence[_Row], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [[] for _ in schema]
    return pa.table(list(columns), schema=schema)


def _prepare(raws: Sequence[RawSample | Rejection], task: BlockTask) -> list[Pictures | ImageError]:
    """Each face of each raw sample in its final form, or why there is none."""
    plain = [raw.data for raw in raws if isinstance(raw, RawSample) and _is_plain(raw, task)]
    pictures = iter(prepare_images(plain, task.image))
    prepared: list[Pictures | ImageError] = []
    for raw in raws:
        if isinstance(raw, Rejection):
            prepared.append([])
        elif _is_plain(raw, task):
            picture = next(pictures)
            prepared.append(picture if isinstance(picture, ImageError) else [picture])
        else:
            try:
                prepared.append(_prepare_special(raw, task))
            except ImageError as error:
                prepared.append(error.alone())
    return prepared


def _is_plain(raw: RawSample, task: BlockTask) -> bool:
    """Whether the whole picture is the sample."""
    return raw.pixels is None and raw.facts.box is None and task.faces is None


def _prepare_special(raw: RawSample, task: BlockTask) -> Pictures:
    """Pixels from a table, the face in a given box, or the faces that are found.

    Where there are pixels or boxes no faces are looked for: `fer_data.ingest` refuses to.

    Raises:
        ImageError: there is none.
    """
    if raw.pixels is not None:
        height, width = raw.pixels.shape
        levels = raw.pixels
        if task.image.color == "rgb":
            levels = np.asarray(cv2.cvtColor(levels, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
        return [PreparedImage(fit_pixels(levels, task.image), height, width)]
    if raw.facts.box is not None:
        return [_crop_box(raw.data, raw.facts.box, task.image)]
    assert task.faces is not None
    return prepare_faces(raw.data, task.image, task.faces, detector_for(task.faces))


def _crop_box(
    data: bytes, box: tuple[int, int, int, int], settings: ImageSettings
) -> PreparedImage:
    """The part of a picture that its source says is the face."""
    pixels, height, width = decode_picture(data, settings.color, _WHOLE)
    left, top = max(box[0], 0), max(box[1], 0)
    face = pixels[top : max(box[3], 0), left : max(box[2], 0)]
    if min(face.shape[:2]) < MIN_SIDE:
        raise ImageError("bad-box", f"{box} leaves {face.shape[:2]} of {width}x{height} pixels")
    return PreparedImage(fit_pixels(face, settings), height, width)
