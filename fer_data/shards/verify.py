"""Reads every byte of a packed data set and checks all that its index says."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import DamagedShardError
from fer_data.lock import LOCK_NAME
from fer_data.shards.arrays import decode_array
from fer_data.shards.checks import AGAIN, Facts, Problem, check_keys, check_samples, check_totals
from fer_data.shards.hdf5 import check_codecs, read_hdf5
from fer_data.shards.index import (
    INDEX_NAME,
    PAPERS,
    SPLITS,
    WORK_DIR,
    ArrayEntry,
    ShardEntry,
    ShardIndex,
    read_index,
)
from fer_data.shards.pixels import expected_pixels, restored_pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was found.

    Attributes:
        index: the shard index.
        num_samples: samples that were read.
        num_bytes: bytes that were read.
        problems: all of them; none where the shards are as the index says.
    """

    index: ShardIndex
    num_samples: int
    num_bytes: int
    problems: tuple[Problem, ...]


def verify_shards(
    shards_dir: Path | str, *, on_progress: Callable[[int, int], None] | None = None
) -> VerifyReport:
    """All that is wrong with a folder of shards.

    Args:
        shards_dir: the folder.
        on_progress: called with (samples read, samples in all).

    Raises:
        MissingShardsError: the folder or its index is not there.
        DamagedShardError: the index cannot be read.
        MissingPluginError: a codec compressed the shards that is not installed.
    """
    folder = Path(shards_dir)
    index = read_index(folder)
    check_codecs(folder, index.shards)
    channels = index.image_shape[2]
    facts = Facts(sums=[0] * channels, squares=[0] * channels)
    problems = list(_check_files(folder, index))
    forms: Counter[tuple[str, tuple[int, ...]]] = Counter()
    num_all, num_seen, all_read = sum(shard.num_samples for shard in index.shards), 0, True
    for shard in index.shards:
        arrays, found = _read_shard(folder, shard, index, facts)
        problems += found
        if arrays is None:
            all_read = False
        else:
            problems += check_samples(arrays, shard, index, facts)
            forms[shard.arrays["images"].dtype, shard.arrays["images"].shape[1:]] += 1
        num_seen += shard.num_samples
        if on_progress is not None:
            on_progress(num_seen, num_all)
    problems += _check_forms(forms)
    problems += check_keys(index, facts, all_read=all_read)
    if all_read:  # otherwise every total would be wrong for the reasons given already
        problems += check_totals(index, facts)
    return VerifyReport(
        index=index,
        num_samples=facts.num_samples,
        num_bytes=facts.num_bytes,
        problems=tuple(problems),
    )


def _check_files(folder: Path, index: ShardIndex) -> Iterator[Problem]:
    known = Counter(shard.file for shard in index.shards)
    for file, times in known.items():
        if times > 1:
            yield Problem(file=file, what=f"the index lists it {times} times; {AGAIN}")
    for name in sorted(path.name for path in folder.iterdir()):
        if name not in known and name not in (INDEX_NAME, WORK_DIR, LOCK_NAME, *PAPERS):
            yield Problem(file=name, what="is not in the index; remove it, or move it elsewhere")


def _check_forms(forms: Counter[tuple[str, tuple[int, ...]]]) -> Iterator[Problem]:
    """Whoever joins the shards with plain NumPy relies on one dtype and shape."""
    if len(forms) > 1:
        found = ", ".join(f"{dtype} {shape} in {n}" for (dtype, shape), n in forms.items())
        what = f"shards hold images in several forms ({found}); expected one; {AGAIN}"
        yield Problem(file=INDEX_NAME, what=what)


def _read_shard(
    folder: Path, shard: ShardEntry, index: ShardIndex, facts: Facts
) -> tuple[dict[str, NDArray[Any]] | None, list[Problem]]:
    """The arrays of one shard, or None where they cannot be trusted; and what is wrong with it."""
    if shard.split not in SPLITS or Path(shard.file).name != shard.file:
        what = f'the index gives it the split "{shard.split}" and this path; {AGAIN}'
        return None, [Problem(file=shard.file, what=what)]
    try:
        data = (folder / shard.file).read_bytes()
    except OSError as error:
        what = f"cannot be read ({error.strerror}); {AGAIN}, or copy it from where it is whole"
        return None, [Problem(file=shard.file, what=what)]
    facts.num_bytes += len(data)
    problems: list[Problem] = []
    if len(data) != shard.bytes:
        what = f"has {len(data):,} bytes; the index says {shard.bytes:,}; {AGAIN}"
        problems.append(Problem(file=shard.file, what=what))
    elif hashlib.sha256(data).hexdigest() != shard.sha256:
        what = f"its sha256 is not that of the index; {AGAIN}"
        problems.append(Problem(file=shard.file, what=what))
    if problems and shard.codecs:  # their decoders trust what they are given
        return None, problems
    arrays: dict[str, NDArray[Any]] = {}
    expected = _expected_arrays(shard, index)
    for name, form in expected.items():
        if name not in shard.arrays:
            problems.append(Problem(file=shard.file, array=name, what=f"is missing; {AGAIN}"))
            continue
        entry = shard.arrays[name]
        try:
            # a damaged file could make other readers wait, or take all memory
            plainly = not problems
            arrays[name] = _read_array(data, name, entry, form, index, plainly=plainly)
        except DamagedShardError as error:
            place = (entry.offset, entry.offset + entry.compressed_bytes)
            what = f"{str(error).removeprefix(f'{name}: ')}; {AGAIN}"
            problems.append(Problem(file=shard.file, array=name, byte_range=place, what=what))
    return (arrays if len(arrays) == len(expected) else None), problems


def _read_array(
    data: bytes,
    name: str,
    entry: ArrayEntry,
    form: tuple[str, tuple[int, ...]],
    index: ShardIndex,
    *,
    plainly: bool,
) -> NDArray[Any]:
    """An array as the index and as the container itself have it; images as uint8 (n, H, W, C).

    Args:
        data: the whole file.
        name: of the array.
        entry: what the index says of it.
        form: how its dtype must begin, and its shape.
        index: the shard index.
        plainly: whether to ask the container too.

    Raises:
        DamagedShardError: it is not as expected, or cannot be read.
    """
    dtype, shape = form
    try:
        array = decode_array(data, entry, name)
        if not array.dtype.str.startswith(dtype) or array.shape != shape:
            raise DamagedShardError(f"{array.dtype.str} {array.shape}; expected {dtype} {shape}")
        images = restored_pixels(array, index.image_shape) if name == "images" else array
        plain = _read_plainly(data, name, index.container) if plainly else array
    except DamagedShardError:
        raise
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedShardError(f"cannot be read ({error})") from error
    if plain.dtype != array.dtype or not np.array_equal(plain, array):
        raise DamagedShardError("the place that the index gives is not where the archive has it")
    return images


def _read_plainly(data: bytes, name: str, container: str) -> NDArray[Any]:
    """An array as those read it who do not know of the index."""
    if container == "hdf5":
        return read_hdf5(data, name)
    array: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)[name]
    return array


def _expected_arrays(
    shard: ShardEntry, index: ShardIndex
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name of each array → how its dtype begins, and its shape."""
    n = shard.num_samples
    expected: dict[str, tuple[str, tuple[int, ...]]] = {
        "images": expected_pixels(shard.arrays.get("images"), n, index.image_shape),
        "labels": ("<i8", (n,)),
        "keys": ("<U", (n,)),
        "parents": ("<U", (n,)),
    }
    if any("votes" in other.arrays for other in index.shards):
        expected["votes"] = ("<f4", (n, len(index.class_names)))
    return expected
