"""The list of a source's files: complete, in order, compact, and the same wherever it is sent."""

from __future__ import annotations

import pickle
import random

import numpy as np
import pytest

from fer_data.manifest import load_manifest
from fer_data.sources.file_list import check_files, collect_files
from fer_data.sources.listing import PICTURE_SUFFIXES, Entry
from fer_data.sources.raw import MAX_FILE_BYTES, Rejection

MANIFESTS = [load_manifest("folders"), load_manifest("fer2013")]


def entries(number: int) -> list[Entry]:
    """Files of two class folders with odd names among them."""
    names = ["a", "ß", "日本", "b c", "z\udcff"]
    return [
        Entry(
            f"set/{('happy', 'sad')[n % 2]}/{names[n % 5]}{n:06d}.png".encode(
                "utf-8", "backslashreplace"
            ).decode(),
            f"set/{('happy', 'sad')[n % 2]}/{names[n % 5]}{n:06d}.png",
            n,
            -n,
        )
        for n in range(number)
    ]


def test_every_file_stands_in_the_list_in_order_of_its_path() -> None:
    listed = entries(20_001)  # more than a portion
    random.Random(0).shuffle(listed)
    files = check_files(listed, MANIFESTS)
    expected = sorted(entry._replace(path=entry.path.removeprefix("set/")) for entry in listed)
    assert list(files) == expected
    assert list(files.paths) == [entry.path for entry in expected]
    assert (files[7], files[-1]) == (expected[7], expected[-1])
    assert list(files[10:20_000:999]) == expected[10:20_000:999]


def test_the_order_in_which_files_are_found_does_not_matter() -> None:
    listed = entries(100)
    shuffled = random.Random(1).sample(listed, len(listed))
    assert list(check_files(listed, MANIFESTS)) == list(check_files(shuffled, MANIFESTS))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("happy/.DS_Store", "hidden"),
        (".git/config", "hidden"),
        ("__MACOSX/happy/1.png", "hidden"),
        ("happy/Thumbs.db", "hidden"),
        ("happy/thumbs.db.png", ""),
        ("happy/a.b.png", ""),
    ],
)
def test_files_of_the_system_are_told_by_their_names(path: str, reason: str) -> None:
    files = check_files([Entry(path, path), Entry("sad/1.png", "sad/1.png")], MANIFESTS)
    assert {entry.path: entry.reason for entry in files}[path] == reason


def test_of_one_name_the_last_file_counts() -> None:
    files = check_files(
        [Entry("a/1.png", str(n), n, n) for n in range(3)] + [Entry("a/2.png", "3")], MANIFESTS
    )
    assert [(e.place, e.reason) for e in files] == [
        ("0", "duplicate-name"), ("1", "duplicate-name"), ("2", ""), ("3", ""),
    ]  # fmt: skip


def test_what_the_listing_knows_is_not_judged_again() -> None:
    listed = [
        Entry(".a", ".a", reason="unreadable", detail="broken link"),
        Entry("b.png", "b.png", MAX_FILE_BYTES + 1),
    ]
    assert [entry.reason for entry in check_files(listed, MANIFESTS)] == ["unreadable", "too-large"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["fer2013/train/happy/1.png", "fer2013/test/sad/1.png"], "test/sad/1.png"),
        (["train/happy/1.png", "train/sad/1.png"], "train/happy/1.png"),
        (["x/happy/1.png", "x/happy/2.png"], "happy/1.png"),
        (["x/y/1.png", "x/z/1.png"], "y/1.png"),
        (["x/y/1.png", "1.png"], "1.png"),
    ],
)
def test_the_shared_folder_is_dropped_unless_it_says_something(
    paths: list[str], expected: str
) -> None:
    assert next(iter(check_files([Entry(p, p) for p in paths], MANIFESTS))).path == expected


def test_masks_say_what_the_paths_say() -> None:
    files = check_files(
        [*entries(50), Entry("set/happy/x.JPEG", "a"), Entry("set/labels.csv", "b")], MANIFESTS
    )
    assert files.is_picture.tolist() == [
        path.lower().endswith(PICTURE_SUFFIXES) for path in files.paths
    ]
    some = files.rejecting(files.is_picture, "excluded", "not wanted")
    assert some.has_reason("excluded").tolist() == files.is_picture.tolist()
    assert [e.path for e in some.where(some.is_read)] == ["set/labels.csv"]


def test_rejections_by_path_leave_earlier_ones_alone() -> None:
    files = collect_files([Entry("a", "a", reason="hidden", detail="x"), Entry("b", "b")])
    rejections = {p: Rejection(path=p, reason="over-limit", detail=p) for p in ("a", "b", "c")}
    assert [e.reason for e in files.rejecting_paths(rejections)] == ["hidden", "over-limit"]


def test_lists_put_together_keep_their_reasons() -> None:
    first = collect_files([Entry("a", "a", reason="hidden", detail="x"), Entry("b", "b")])
    second = [Entry("c", "", 0, 0, "missing-file", "y"), Entry("d", "", 0, 0, "hidden", "x")]
    assert list(first + second) == [*first, *second]


def test_a_block_travels_without_the_rest_of_the_list() -> None:
    files = check_files(entries(20_000), MANIFESTS)
    files = files.rejecting(np.arange(len(files)) % 7 == 0, "excluded", "not wanted")
    block = files[5000:5100]
    sent = pickle.dumps(block)
    assert len(sent) < 20_000
    assert list(pickle.loads(sent)) == list(block)
    assert list(pickle.loads(pickle.dumps(files[:0]))) == []


def test_an_empty_list_is_one() -> None:
    files = check_files([], MANIFESTS)
    assert list(files) == []
    assert not files.is_picture.any()
