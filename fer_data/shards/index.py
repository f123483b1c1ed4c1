"""The shard index: what stands in a folder of shards, byte for byte."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_data.errors import DamagedShardError, MissingShardsError, SettingsError, UnknownNameError
from fer_data.shards.codecs import CODECS
from fer_data.shards.seal import check_seal, sealed

FORMAT = "ferkit-shards"
FORMAT_VERSION = 1
INDEX_NAME = "index.json"
#: What stands beside the shards for people and catalogues; nothing in it is needed to read them.
CARD_NAME, PICTURE_NAME, CROISSANT_NAME = "README.md", "mean-faces.png", "croissant.json"
PAPERS = (CARD_NAME, PICTURE_NAME, CROISSANT_NAME)
#: Folder in which `pack` notes unfinished work; a kill in the last moment leaves it to a whole set.
WORK_DIR = ".pack"
SPLITS = ("train", "validation", "test")
_MAX_SIDE = 65_535  # of images; as of pictures
_MAX_NUMBER = 2**60  # beyond all files, and within what NumPy and TensorFlow count with


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayEntry:
    """Where one array of a shard stands in its file; see `docs/shard-format.md`.

    Attributes:
        chunks: offset and size of each compressed chunk and CRC-32 of what it holds, where an array
            is in chunks (HDF5).
        chunk_bytes: what each of them holds; the last one may hold zeros beyond the array.
    """

    dtype: str
    shape: tuple[int, ...]
    offset: int
    compressed_bytes: int
    raw_bytes: int
    header_bytes: int
    crc32: int
    compression: str
    chunks: tuple[tuple[int, int, int], ...] = ()
    chunk_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEntry:
    """One shard file and its arrays."""

    file: str
    split: str
    num_samples: int
    bytes: int
    sha256: str
    arrays: Mapping[str, ArrayEntry]

    @property
    def codecs(self) -> frozenset[str]:
        """Names of `fer_data.shards.codecs.CODECS` that compressed its arrays; often none."""
        return frozenset(entry.compression for entry in self.arrays.values()) & CODECS.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCount:
    """Samples of one class in one split.

    Attributes:
        original: originals in the shards.
        augmented: changed copies in the shards.
        left_out: originals of the split that undersampling keeps out of the shards.
    """

    original: int
    augmented: int
    left_out: int = 0

    @property
    def total(self) -> int:
        """Samples in the shards: originals and augmented ones."""
        return self.original + self.augmented

    @property
    def before(self) -> int:
        """Originals before balancing: those in the shards and those left out."""
        return self.original + self.left_out


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanAccuracy:
    """How often people are right on a data set, as it was published.

    Attributes:
        value: share of right answers, 0 to 1.
        plus_minus: how far off it may be; 0 where that is not told.
        source: who says so.
    """

    value: float
    source: str
    plus_minus: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.value <= 1 and 0 <= self.plus_minus < 1 and self.source.strip()):
            raise ValueError(
                "human_accuracy must have a value above 0 up to 1, a plus_minus from 0 to 1 and "
                f"the source of both; received {self.value}, {self.plus_minus}, {self.source!r}"
            )

    def __str__(self) -> str:
        """The figure and its source.

        Example:
            >>> str(HumanAccuracy(value=0.65, plus_minus=0.05, source="Goodfellow et al. 2013"))
            '65% ± 5 (Goodfellow et al. 2013)'
        """
        reach = f" ± {100 * self.plus_minus:.3g}" if self.plus_minus else ""
        return f"{100 * self.value:.3g}%{reach} ({self.source})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardIndex:
    """All that `index.json` says; fields as in `docs/shard-format.md`."""

    ferkit_version: str
    name: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    seed: int
    counts: Mapping[str, Mapping[str, ClassCount]]
    class_weights: Mapping[str, Mapping[str, float]]
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    leakage: Mapping[str, Any]
    lineage: Mapping[str, Mapping[str, Any]]
    human_accuracy: HumanAccuracy | None = None
    shards: tuple[ShardEntry, ...]
    container: str = "npz"
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that hold samples, in the order train, validation, test."""
        return tuple(s for s in SPLITS if any(shard.split == s for shard in self.shards))

    def split_shards(self, *splits: str) -> tuple[ShardEntry, ...]:
        """The shards of one split, in order; of several, one split after another.

        Raises:
            UnknownNameError: the shards have no such split.
        """
        for split in splits:
            if split not in self.splits:
                raise UnknownNameError("split", split, self.splits)
        return tuple(s for split in splits for s in self.shards if s.split == split)

    def num_samples(self, *splits: str) -> int:
        """Samples of the splits, augmented ones included; 0 of one that is absent."""
        return sum(s.num_samples for s in self.shards if s.split in splits)

    def twins(self, split: str, others: Collection[str]) -> frozenset[str]:
        """Keys of the samples of a split whose very pixels stand in one of others too."""
        found = self.leakage["twins"].get(split, {})
        return frozenset(key for other in others for key in found.get(other, ()) if other != split)

    def to_json(self) -> str:
        """The text of `index.json`, with its own digest: the same index gives the same text."""
        fields = dataclasses.asdict(self)
        if self.human_accuracy is None:
            del fields["human_accuracy"]
        for shard in fields["shards"]:
            for entry in shard["arrays"].values():
                if not entry["chunks"]:
                    del entry["chunks"], entry["chunk_bytes"]
        return sealed(json.dumps(fields, indent=1, ensure_ascii=False) + "\n")


def index_from_json(text: str, where: str = INDEX_NAME) -> ShardIndex:
    """The index that `text` holds.

    Args:
        text: the content of an `index.json`.
        where: what to call it in an error.

    Raises:
        DamagedShardError: the text is no shard index, of an unknown version, or not what its digest
            says.
    """
    try:
        fields = json.loads(text)
        if fields["format"] != FORMAT:
            raise DamagedShardError(f'{where}: format is "{fields["format"]}"; expected "{FORMAT}"')
        if fields["format_version"] != FORMAT_VERSION:
            raise DamagedShardError(
                f"{where}: format version {fields['format_version']} is not known to this version "
                f"of ferkit (it reads {FORMAT_VERSION}); update ferkit or pack again"
            )
        check_seal(text, fields, where)
        fields.pop("sha256", None)
        for name in ("class_names", "image_shape", "pixel_mean", "pixel_std"):
            fields[name] = tuple(fields[name])
        fields["counts"] = {
            split: {name: ClassCount(**count) for name, count in counts.items()}
            for split, counts in fields["counts"].items()
        }
        for stage in fields["lineage"].values():
            stage["settings"], stage["counts"].items()  # a stage that says less is none
        _check_leakage(fields["leakage"])
        if "human_accuracy" in fields:
            fields["human_accuracy"] = HumanAccuracy(**fields["human_accuracy"])
        if not all(isinstance(n, int) and 1 <= n <= _MAX_SIDE for n in fields["image_shape"]):
            raise ValueError(f"images cannot have the shape {fields['image_shape']}")
        fields["shards"] = tuple(shard_from_json(shard) for shard in fields["shards"])
        return ShardIndex(**fields)
    except DamagedShardError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DamagedShardError(
            f"{where}: not a shard index ({type(error).__name__}: {error}); "
            "run `ferdata pack` again to write it anew"
        ) from error


def _check_leakage(said: Mapping[str, Any]) -> None:
    """Refuses what is no table of leaks: it is asked for by name later.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is none.
    """
    numbers = [said["groups"], *said["samples"].values()]
    keys = [key for others in said["twins"].values() for keys in others.values() for key in keys]
    if not all(isinstance(number, int) for number in numbers):
        raise ValueError(f"leakage cannot be of {numbers} groups and samples")
    if not all(isinstance(key, str) for key in keys):
        raise ValueError("leakage has twins whose keys are no text")


def shard_from_json(fields: dict[str, Any]) -> ShardEntry:
    """The entry that one object of the index's `shards` says.

    Raises:
        ValueError: a number of it can be no size and no place in a file.
    """
    arrays = {
        name: ArrayEntry(
            **{
                **entry,
                "shape": tuple(entry["shape"]),
                "chunks": tuple((at, size, crc) for at, size, crc in entry.get("chunks", ())),
            }
        )
        for name, entry in fields["arrays"].items()
    }
    entry = ShardEntry(**{**fields, "arrays": arrays})
    numbers = [entry.num_samples, entry.bytes]
    for array in arrays.values():
        numbers += [array.offset, array.compressed_bytes, array.raw_bytes, array.header_bytes]
        numbers += [array.crc32, array.chunk_bytes, *array.shape, *itertools.chain(*array.chunks)]
    for number in numbers:
        if not isinstance(number, int) or not 0 <= number < _MAX_NUMBER:
            raise ValueError(f"{entry.file} cannot have a size or place of {number}")
    return entry


def read_index(shards_dir: Path | str) -> ShardIndex:
    """The index of a folder of shards.

    Raises:
        MissingShardsError: the folder or its index is not there.
        DamagedShardError: the index cannot be read.
    """
    path = Path(shards_dir) / INDEX_NAME
    try:
        text = path.read_bytes().decode()  # not read_text: it would hide changed line ends
    except (FileNotFoundError, NotADirectoryError):
        what = "no such folder" if not Path(shards_dir).exists() else f"no {INDEX_NAME} in it"
        raise MissingShardsError(
            f"{shards_dir}: {what}; expected a folder of shards as `ferdata pack` writes it"
        ) from None
    except UnicodeDecodeError:
        raise DamagedShardError(
            f"{path}: not UTF-8 text; run `ferdata pack` again to write it anew"
        ) from None
    return index_from_json(text, str(path))


def class_weights(counts: Mapping[str, int]) -> dict[str, float]:
    """Weights that give every class the same share of the loss: samples / (classes x class count).

    The rule of scikit-learn's `class_weight="balanced"` (King and Zeng 2001); classes without
    samples get 0 and do not count as classes.

    Example:
        >>> class_weights({"anger": 30, "disgust": 10, "fear": 0})
        {'anger': 0.6666666666666666, 'disgust': 2.0, 'fear': 0.0}
    """
    if any(count < 0 for count in counts.values()):
        raise SettingsError(f"class counts must be 0 or more; received {dict(counts)}")
    total = sum(counts.values())
    present = sum(count > 0 for count in counts.values())
    return {n: total / (present * count) if count else 0.0 for n, count in counts.items()}
