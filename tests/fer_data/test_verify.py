"""Verify finds whatever is wrong with packed shards, and nothing where nothing is."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data.balance import BalanceSettings, balance
from fer_data.errors import DamagedShardError, MissingShardsError
from fer_data.pack import PackSettings, pack
from fer_data.shards.index import INDEX_NAME, ArrayEntry, read_index
from fer_data.shards.npz import encode_npz
from fer_data.shards.verify import verify_shards
from tests.fer_data.conftest import build_dataset

COUNTS = {"train": {"anger": 20, "disgust": 4}, "validation": {"anger": 5, "disgust": 3}}
TRAIN, OTHER_TRAIN = "train-00000-of-00004.npz", "train-00001-of-00004.npz"
VALIDATION = "validation-00000-of-00001.npz"
Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify")
    dataset = build_dataset(folder / "ds", COUNTS)
    dataset, _ = balance(dataset, BalanceSettings(to="max"))
    pack(dataset, folder / "shards", PackSettings(shard_samples=12), workers=1)
    return folder / "shards"


@pytest.fixture
def shards(packed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(packed, tmp_path / "shards"))


def problems(shards: Path) -> list[str]:
    return [str(problem) for problem in verify_shards(shards).problems]


def rewrite(shards: Path, file: str, change: Callable[[Arrays], Mapping[str, Any]]) -> None:
    """Changes arrays of a shard and makes file and index agree again on all but their meaning."""
    with np.load(shards / file, allow_pickle=False) as npz:
        arrays = dict(npz)
    encoded = encode_npz({**arrays, **change(arrays)})
    (shards / file).write_bytes(encoded.data)
    edit_shard(shards, file, arrays=encoded.arrays, sha256=encoded.sha256, bytes=len(encoded.data))


def edit_shard(shards: Path, file: str, /, **fields: Any) -> None:
    index = read_index(shards)
    edited = [dataclasses.replace(s, **fields) if s.file == file else s for s in index.shards]
    edit_index(shards, shards=tuple(edited))


def edit_index(shards: Path, /, **fields: Any) -> None:
    text = dataclasses.replace(read_index(shards), **fields).to_json()
    (shards / INDEX_NAME).write_text(text, encoding="utf-8")


def edit_array(shards: Path, name: str, **fields: Any) -> None:
    entries = dict(read_index(shards).shards[0].arrays)
    entries[name] = dataclasses.replace(entries[name], **fields)
    edit_shard(shards, TRAIN, arrays=entries)


def changed(array: NDArray[Any], row: int, value: object) -> NDArray[Any]:
    longer = array.astype(np.array([*array.tolist(), value]).dtype)  # room for longer text
    longer[row] = value
    return longer


def first(arrays: Arrays, *, augmented: bool) -> int:
    return int(np.flatnonzero((arrays["parents"] != "") == augmented)[0])


def test_whole_shards_have_no_problem(packed: Path) -> None:
    calls: list[tuple[int, int]] = []
    report = verify_shards(packed, on_progress=lambda done, whole: calls.append((done, whole)))
    assert report.problems == ()
    assert report.num_samples == 48
    assert report.num_bytes == sum(shard.bytes for shard in report.index.shards)
    assert calls == [(10, 48), (20, 48), (30, 48), (40, 48), (48, 48)]


def test_no_index_is_an_error(shards: Path) -> None:
    (shards / INDEX_NAME).write_text("{")
    with pytest.raises(DamagedShardError, match="not a shard index"):
        verify_shards(shards)
    (shards / INDEX_NAME).unlink()
    with pytest.raises(MissingShardsError, match=r"no index.json in it"):
        verify_shards(shards)


@pytest.mark.parametrize("array", ["images", "labels", "keys", "parents"])
def test_any_changed_byte_is_found_with_its_place(shards: Path, array: str) -> None:
    entry: ArrayEntry = read_index(shards).shards[0].arrays[array]
    data = bytearray((shards / TRAIN).read_bytes())
    data[entry.offset + entry.compressed_bytes // 2] ^= 8
    (shards / TRAIN).write_bytes(data)
    whole, part = problems(shards)
    assert whole == f"{TRAIN}: its sha256 is not that of the index; run `ferdata pack` again"
    last = entry.offset + entry.compressed_bytes - 1
    assert part.startswith(f"{TRAIN}: {array} (bytes {entry.offset} to {last}): ")


def test_all_damaged_and_missing_and_foreign_files_are_listed(shards: Path) -> None:
    data = (shards / TRAIN).read_bytes()
    (shards / TRAIN).write_bytes(data[: len(data) // 2])
    (shards / OTHER_TRAIN).write_bytes(b"no archive")
    (shards / VALIDATION).unlink()
    (shards / "notes.txt").write_text("mine")
    text = "\n".join(problems(shards))
    assert "notes.txt: is not in the index; remove it" in text
    assert f"{TRAIN}: has {len(data) // 2:,} bytes; the index says {len(data):,}" in text
    assert f"{TRAIN}: images (bytes 40 to" in text
    assert f"{OTHER_TRAIN}: has 10 bytes" in text
    assert f"{VALIDATION}: cannot be read (No such file or directory)" in text
    assert "counts" not in text  # what could not be read is not counted as wrong a second time


@pytest.mark.parametrize(
    ("file", "change", "expected"),
    [
        (
            TRAIN,
            lambda a: {"labels": changed(a["labels"], 0, 7)},
            f"{TRAIN}: labels: 1 labels are no class, for example 7 of src/train/",
        ),
        (
            TRAIN,
            lambda a: {"keys": changed(a["keys"], 0, a["keys"][1])},
            f"{TRAIN}: keys: 1 keys stand here for a second time, for example src/train/",
        ),
        (
            VALIDATION,
            lambda a: {"parents": changed(a["parents"], 0, "src/train/anger/000é.png")},
            f"{VALIDATION}: parents: 1 augmented samples in validation, for example src/valid",
        ),
        (
            TRAIN,
            lambda a: {
                "parents": changed(a["parents"], first(a, augmented=True), "src/train/gone.png")
            },
            "have no parent of their class in train, for example src/train/disgust/",
        ),
        (
            TRAIN,
            lambda a: {
                "parents": changed(
                    a["parents"], first(a, augmented=True), "src/validation/disgust/000é.png"
                )
            },
            "its parent src/validation/disgust/000é.png is in validation, of class disgust",
        ),
        (
            TRAIN,
            lambda a: {
                "parents": changed(
                    a["parents"], first(a, augmented=True), "src/train/anger/000é.png"
                )
            },
            "its parent src/train/anger/000é.png is in train, of class anger",
        ),
        (
            VALIDATION,
            lambda a: {"labels": 1 - a["labels"]},
            "index.json: counts of anger in validation (original, augmented) says [5, 0]; the "
            "shards have [3, 0]",
        ),
        (
            TRAIN,
            lambda a: {"images": 255 - a["images"]},
            "index.json: pixel_mean says",
        ),
        (
            VALIDATION,
            lambda a: {"images": a["images"].astype("<u2")},
            f"{VALIDATION}: images (bytes 40 to",
        ),
        (
            VALIDATION,
            lambda a: {"images": a["images"][:, :12]},
            "|u1 (8, 12, 24, 1); expected |u1 (8, 24, 24, 1)",
        ),
    ],
)
def test_what_the_samples_break_is_found(
    shards: Path, file: str, change: Callable[[Arrays], Arrays], expected: str
) -> None:
    rewrite(shards, file, change)
    assert any(expected in problem for problem in problems(shards)), problems(shards)


def test_an_image_in_two_splits_is_found_unless_declared(shards: Path) -> None:
    with np.load(shards / TRAIN, allow_pickle=False) as npz:
        train = dict(npz)
    image = train["images"][first(train, augmented=False)]

    def leak(arrays: Arrays) -> Arrays:
        images = arrays["images"].copy()
        images[0] = image
        return {"images": images}

    rewrite(shards, VALIDATION, leak)
    counts, *missing = problems(shards)
    assert counts.startswith("index.json: leakage (identical images in several splits) says")
    assert len(missing) == 2
    leakage = {"groups": 1, "samples": {"train": 1, "validation": 1}, "twins": {}}
    edit_index(shards, leakage=leakage)
    assert problems(shards) == missing
    with np.load(shards / VALIDATION, allow_pickle=False) as npz:
        keys = [str(train["keys"][first(train, augmented=False)]), str(npz["keys"][0])]
    assert missing == [
        f"index.json: leakage says that 0 samples of {split} stand in {other} too; the shards have "
        f"1, and {key} is told by one of them alone; run `ferdata pack` again"
        for split, other, key in (
            ("train", "validation", keys[0]),
            ("validation", "train", keys[1]),
        )
    ]
    twins = {"train": {"validation": keys[:1]}, "validation": {"train": keys[1:]}}
    edit_index(shards, leakage=leakage | {"twins": twins})
    assert problems(shards) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"offset": 41}, "images (bytes 41 to"),
        ({"dtype": "nonsense"}, "cannot be read"),
        ({"shape": (10, 24, 24)}, "expected |u1 (10, 24, 24, 1)"),
        ({"raw_bytes": 7}, "the index says 7"),
        ({"crc32": 7}, "checksum differs from the index"),
        ({"header_bytes": 127}, "cannot be read"),
    ],
)
def test_a_wrong_place_in_the_index_is_found(
    shards: Path, fields: dict[str, Any], expected: str
) -> None:
    edit_array(shards, "images", **fields)
    (found,) = problems(shards)
    assert found.startswith(f"{TRAIN}: images")
    assert expected in found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"pixel_std": (0.5,)}, "pixel_std says [0.5]"),
        ({"pixel_mean": ()}, "pixel_mean says []"),
        ({"class_weights": {"original": {}, "balanced": {}}}, "class_weights of original says {}"),
        ({"counts": {}}, "counts of anger in train (original, augmented) says [0, 0]"),
        (
            {"leakage": {"groups": 3, "samples": {}, "twins": {}}},
            "leakage (identical images in several",
        ),
    ],
)
def test_wrong_numbers_in_the_index_are_found(
    shards: Path, fields: dict[str, Any], expected: str
) -> None:
    edit_index(shards, **fields)
    assert any(expected in problem for problem in problems(shards))


def test_a_strange_index_is_found_and_not_followed(shards: Path, tmp_path: Path) -> None:
    shutil.copy(shards / TRAIN, tmp_path / "outside.npz")
    edit_shard(shards, TRAIN, file="../outside.npz")
    text = "\n".join(problems(shards))
    assert '../outside.npz: the index gives it the split "train" and this path' in text
    entries = dict(read_index(shards).shards[1].arrays)
    del entries["labels"]
    edit_shard(shards, OTHER_TRAIN, arrays=entries)
    assert f"{OTHER_TRAIN}: labels: is missing; run `ferdata pack` again" in problems(shards)
    index = read_index(shards)
    edit_index(shards, shards=(*index.shards, index.shards[-1]))
    assert f"{VALIDATION}: the index lists it 2 times; run `ferdata pack` again" in problems(shards)
