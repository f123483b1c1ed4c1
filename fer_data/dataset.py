"""The prepared data set: a folder of decoded pixels, one table of samples, one table a stage.

    dataset.json                 what it is, and what each stage was asked and did
    pixels/block-00000.npy       uint8 (n, H, W, C), never rewritten
    samples/block-00000.parquet  one row a sample
    rejected/block-00000.parquet one row a rejected file
    filter.parquet …             the table of one stage

A stage reads the tables before it and publishes its own; it never edits another's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fer_data.block_images import read_images
from fer_data.errors import (
    DatasetError,
    MissingDatasetError,
    MissingStageError,
    StaleStageError,
)
from fer_data.face_align import FaceSettings
from fer_data.files import write_file
from fer_data.image import ImageSettings
from fer_data.tables import table_digest, write_table
from fer_data.version import ferkit_version

FORMAT = "ferkit-dataset"
FORMAT_VERSION = 1
INFO_NAME = "dataset.json"

SAMPLES_SCHEMA = pa.schema(
    [
        ("key", pa.string()),  # source name / path in the source: unique in the data set
        ("source", pa.string()),
        ("path", pa.string()),
        ("label", pa.string()),  # a class name
        ("split", pa.string()),  # train, validation, test, or null where the source has none
        ("file_sha256", pa.binary(32)),
        ("pixel_sha256", pa.binary(32)),
        ("height", pa.int32()),  # of the picture as it was stored
        ("width", pa.int32()),
        ("attributes", pa.map_(pa.string(), pa.string())),
        ("votes", pa.map_(pa.string(), pa.float32())),  # class name → votes; null without any
    ]
)
REJECTED_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("path", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)


def faces_to_json(faces: FaceSettings) -> dict[str, Any]:
    """Settings of the faces, the same on every machine: the detector by name, not by its place."""
    detector = "lbp" if faces.detector_weights is None else "yunet"
    return {**asdict(faces), "detector_weights": detector}


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """What a stage was asked, and what it did.

    Attributes:
        settings: as given, JSON values only.
        counts: what went in and came out.
        inputs: stage → its fingerprint when this one was done; None where it had not been done.
        fingerprint: of the settings and the table: the same work gives the same one.
    """

    settings: Mapping[str, Any]
    counts: Mapping[str, Any]
    inputs: Mapping[str, str | None]
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """One raw source, how it was read, and the blocks it was read into.

    Attributes:
        num_files: files, rows or faces it lists.
        class_names: classes that its manifest lists, as mapped; empty where the files decide.
        settings: what was asked for beside the defaults: mapping, limits, faces; JSON values only.
        paths: of the source, its labels, votes and manifest, as they were typed. These and the
            next two stay here: no fingerprint and no shard knows of them.
        max_rejected: share of its files that may be rejected, 0 to 1.
        on_error: "reject" a file that cannot be used, or "raise" at the first.
    """

    name: str
    kind: str
    manifest: str
    num_files: int
    first_block: int
    num_blocks: int
    class_names: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    max_rejected: float = 0.05
    on_error: str = "reject"

    @property
    def block_numbers(self) -> range:
        """The blocks it was read into."""
        return range(self.first_block, self.first_block + self.num_blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """What `dataset.json` says."""

    image: ImageSettings
    class_names: tuple[str, ...] = ()
    sources: tuple[SourceRecord, ...] = ()
    stages: Mapping[str, StageRecord] = field(default_factory=dict)
    ferkit_version: str = field(default_factory=ferkit_version)
    format: str = FORMAT
    format_version: int = FORMAT_VERSION


def _command(stage: str) -> str:
    """The command that does a stage."""
    return "inspect" if stage in ("quality", "duplicates") else stage


class Dataset:
    """An open prepared data set.

    Args:
        dataset_dir: its folder.
        info: what its `dataset.json` says.
        unwritten: stage → its table, of those that are kept in memory; None: all are written.

    Raises:
        DatasetError: the folder's name is not UTF-8, as PyArrow needs.
    """

    def __init__(
        self,
        dataset_dir: Path,
        info: DatasetInfo,
        unwritten: Mapping[str, pa.Table] | None = None,
    ) -> None:
        if any("\udc80" <= letter <= "\udcff" for letter in str(dataset_dir)):
            raise DatasetError(
                f"{dataset_dir}: the name is not UTF-8; name another folder with --dataset"
            )
        self.dir = dataset_dir
        self.info = info
        self._unwritten = unwritten

    @classmethod
    def open(cls, dataset_dir: Path | str) -> Dataset:
        """The data set in a folder.

        Raises:
            MissingDatasetError: there is none.
            DatasetError: its `dataset.json` cannot be read.
        """
        path = Path(dataset_dir) / INFO_NAME
        try:
            text = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise MissingDatasetError(
                f"{dataset_dir}: no data set there; make one with `ferdata ingest RAW`, "
                "or name its folder with --dataset"
            ) from None
        return cls(Path(dataset_dir), _info_from_json(text, path))

    def in_memory(self) -> Dataset:
        """The same data set, of which nothing is written: what is published stays in memory."""
        return Dataset(self.dir, self.info, self._unwritten or {})

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names in order; a label is one of them."""
        return self.info.class_names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every sample."""
        return self.info.image.image_shape

    @property
    def num_blocks(self) -> int:
        """Blocks of pixels and samples."""
        return sum(source.num_blocks for source in self.info.sources)

    def block_path(self, kind: str, block: int) -> Path:
        """Where one block of "pixels", "samples" or "rejected" stands."""
        suffix = "npy" if kind == "pixels" else "parquet"
        return self.dir / kind / f"block-{block:05d}.{suffix}"

    def pixels(self, block: int) -> NDArray[np.uint8]:
        """The pixels of one block, memory-mapped: uint8 array of shape (n, H, W, C)."""
        path = self.block_path("pixels", block)
        try:
            array: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{path}: cannot be read ({error}); remove it and run `ferdata ingest` again"
            ) from None
        return array

    def samples(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All samples in order, with two columns more: `block` and `row`, where the pixels are.

        Args:
            columns: of `SAMPLES_SCHEMA`; default: all.

        Raises:
            MissingStageError: ingest has not been finished.
        """
        self.stage("ingest")
        return pa.concat_tables(self._sample_blocks(columns))

    def _sample_blocks(self, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        for block in range(self.num_blocks):
            table = self._read_block("samples", block, columns)
            number = pa.array(np.full(len(table), block, np.int32))
            row = pa.array(np.arange(len(table), dtype=np.int32))
            yield table.append_column("block", number).append_column("row", row)

    def kept_samples(self, columns: Sequence[str] | None = None) -> pa.Table:
        """As `samples`, without those that the filter drops, each with the label it is given.

        Raises:
            StaleStageError: the filter was run before samples came or went.
        """
        samples = self.samples(columns)
        if "filter" not in self.info.stages:
            return samples
        decided = self.table("filter")
        if len(decided) != len(samples):
            raise StaleStageError(
                f"{self.dir}: the filter no longer fits the data set; run `ferdata filter` again"
            )
        if "label" in samples.column_names and "label" in decided.column_names:
            labels = pc.coalesce(decided["label"], samples["label"])
            place = samples.column_names.index("label")
            samples = samples.set_column(place, "label", labels)
        return samples.filter(decided["keep"])

    def images(
        self, blocks: Sequence[int] | NDArray[np.int64], rows: Sequence[int] | NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        """The pixels of some samples: uint8 array of shape (len(rows), H, W, C).

        Args:
            blocks: as in `samples`.
            rows: likewise.

        Raises:
            DatasetError: a block cannot be read, or does not hold these samples.
        """
        images = np.empty((len(rows), *self.image_shape), np.uint8)
        wanted, place = np.asarray(rows, np.int64), np.asarray(blocks, np.int64)
        order = np.argsort(place, kind="stable")
        firsts = np.flatnonzero(np.diff(place[order], prepend=-1))
        for numbers in np.split(order, firsts[1:]) if len(order) else ():
            path = self.block_path("pixels", int(place[numbers[0]]))
            try:
                read_images(path, images, numbers.tolist(), wanted[numbers].tolist())
            except (OSError, ValueError) as error:
                said = getattr(error, "strerror", None) or error
                raise DatasetError(
                    f"{path}: cannot be read ({said}); remove it and run `ferdata ingest` again"
                ) from None
        return images

    def rejected(self, source: SourceRecord | None = None) -> pa.Table:
        """All rejected files in order, or those of one source."""
        numbers = range(self.num_blocks) if source is None else source.block_numbers
        blocks = [self._read_block("rejected", block) for block in numbers]
        return pa.concat_tables(blocks) if blocks else REJECTED_SCHEMA.empty_table()

    def _read_block(self, kind: str, block: int, columns: Sequence[str] | None = None) -> pa.Table:
        path = self.block_path(kind, block)
        try:
            # a small file: what a data set of many files or several threads need costs more
            with pq.ParquetFile(path) as file:
                table = file.read(columns=columns, use_threads=False)
        except (OSError, pa.ArrowInvalid) as error:
            raise DatasetError(
                f"{path}: cannot be read ({error}); remove it and run `ferdata ingest` again"
            ) from None
        return table.replace_schema_metadata(None)

    def stage(self, name: str) -> StageRecord:
        """What a stage did.

        Raises:
            MissingStageError: it has not been done.
        """
        try:
            return self.info.stages[name]
        except KeyError:
            raise MissingStageError(
                f"{self.dir}: {name} has not been done; run `ferdata {_command(name)}`"
            ) from None

    def is_stale(self, name: str) -> bool:
        """Whether a stage that was done no longer fits those before it."""
        return any(
            self.fingerprint(other) != seen or (seen is not None and self.is_stale(other))
            for other, seen in self.stage(name).inputs.items()
        )

    def is_done(self, name: str) -> bool:
        """Whether a stage has been done and still fits those before it."""
        return name in self.info.stages and not self.is_stale(name)

    def is_measured(self, name: str) -> bool:
        """Whether "quality" or "duplicates" is done and its table is there, not removed by hand."""
        is_kept = self._unwritten is not None and name in self._unwritten
        return self.is_done(name) and (is_kept or (self.dir / f"{name}.parquet").exists())

    def fingerprint(self, name: str) -> str | None:
        """A stage's fingerprint, or None where it has not been done."""
        record = self.info.stages.get(name)
        return record.fingerprint if record else None

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The table of one stage.

        Args:
            name: of the stage.
            columns: to read; those that it does not have are left out. Default: all.

        Raises:
            MissingStageError: it has not been done.
        """
        self.stage(name)
        if self._unwritten and name in self._unwritten:
            table = self._unwritten[name]
            wanted = columns if columns is not None else table.column_names
            return table.select([column for column in wanted if column in table.column_names])
        path = self.dir / f"{name}.parquet"
        try:
            return pq.read_table(path, columns=columns, partitioning=None)
        except (OSError, pa.ArrowInvalid) as error:
            raise DatasetError(
                f"{path}: cannot be read ({error}); remove it and run `ferdata {_command(name)}`"
            ) from None

    def publish(
        self,
        name: str,
        table: pa.Table | None,
        *,
        settings: Mapping[str, Any],
        counts: Mapping[str, Any],
        inputs: Sequence[str],
        digest: str | None = None,
    ) -> Dataset:
        """The data set with one stage done: its table is written, then `dataset.json`.

        Args:
            name: of the stage.
            table: what it decided; None for stages whose result stands elsewhere.
            settings: what it was asked, JSON values only.
            counts: what went in and came out.
            inputs: the stages it read.
            digest: of its result, where there is no table.
        """
        unwritten = self._unwritten
        if table is not None:
            digest = table_digest(table)
            if unwritten is None:
                write_table(self.dir / f"{name}.parquet", table)
            else:
                unwritten = {**unwritten, name: table}
        text = json.dumps(settings, sort_keys=True, ensure_ascii=False) + str(digest)
        record = StageRecord(
            settings=settings,
            counts=counts,
            inputs={other: self.fingerprint(other) for other in inputs},
            fingerprint=hashlib.sha256(text.encode()).hexdigest(),
        )
        info = dataclasses.replace(self.info, stages={**self.info.stages, name: record})
        return Dataset(self.dir, self.info, unwritten).save(info)

    def withdraw(self, name: str) -> Dataset:
        """The data set without one stage; what was decided in it no longer counts."""
        stages = {other: record for other, record in self.info.stages.items() if other != name}
        dataset = self.save(dataclasses.replace(self.info, stages=stages))
        if self._unwritten is None:
            (self.dir / f"{name}.parquet").unlink(missing_ok=True)
        return dataset

    def save(self, info: DatasetInfo) -> Dataset:
        """The data set with other information, written to `dataset.json`."""
        if self._unwritten is not None:
            return Dataset(self.dir, info, self._unwritten)
        text = json.dumps(dataclasses.asdict(info), indent=1, ensure_ascii=False)
        # a path whose bytes are not UTF-8 has surrogates, which JSON writes as \udcNN too
        write_file(self.dir / INFO_NAME, f"{text}\n".encode(errors="backslashreplace"))
        return Dataset(self.dir, info)


def _info_from_json(text: bytes, path: Path) -> DatasetInfo:
    try:
        fields = json.loads(text)
        if fields["format"] != FORMAT or fields["format_version"] != FORMAT_VERSION:
            raise DatasetError(
                f"{path}: {fields['format']} version {fields['format_version']}; "
                f"this ferkit reads {FORMAT} version {FORMAT_VERSION}"
            )
        fields["image"] = ImageSettings(**fields["image"])
        fields["class_names"] = tuple(fields["class_names"])
        fields["sources"] = tuple(SourceRecord(**source) for source in fields["sources"])
        fields["stages"] = {n: StageRecord(**record) for n, record in fields["stages"].items()}
        return DatasetInfo(**fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{path}: not a ferkit data set ({type(error).__name__}: {error}); "
            "restore it, or remove the folder and run `ferdata ingest` again"
        ) from None
