"""What was packed comes back, through whatever reads it, in whatever form it is stored.

Data sets of any size, colour, classes and numbers a split, of which the real `pack` makes shards;
the expected samples are those of the data set itself.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_data.balance import BalanceSettings, balance
from fer_data.dataset import Dataset
from fer_data.emotions import EMOTIONS
from fer_data.export import shards as exports
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings, ingest
from fer_data.pack import PackSettings, pack
from fer_data.shards.index import SPLITS, ShardIndex, read_index
from fer_data.shards.reader import ShardReader
from fer_data.shards.samples import Samples, join_samples
from fer_data.shards.verify import verify_shards
from fer_data.split import SplitSettings, split_samples
from tests.fer_data.conftest import build_dataset
from tests.fer_models.conftest import tf as _tensorflow  # noqa: F401  # loaded in silence

FORMATS = ("npz", "hdf5")
#: One sample: pixels, class name, parent's key, votes.
Sample = tuple[bytes, str, str, tuple[float, ...]]


@dataclass(frozen=True)
class Case:
    """A data set to be made, and how it is packed."""

    counts: dict[str, dict[str, int]]
    color: str
    size: int
    votes: bool
    copies: bool
    layout: str
    dtype: str
    shard_samples: int
    compression: str


@st.composite
def cases(
    draw: st.DrawFn,
    colors: tuple[str, ...] = ("gray", "rgb"),
    sizes: st.SearchStrategy[int] | None = None,
    names: tuple[str, ...] = EMOTIONS,
) -> Case:
    classes = draw(st.lists(st.sampled_from(names), min_size=1, max_size=5, unique=True))
    numbers = st.fixed_dictionaries({name: st.integers(0, 7) for name in classes})
    splits = draw(
        st.dictionaries(st.sampled_from(SPLITS), numbers, min_size=1).filter(
            lambda splits: any(count for split in splits.values() for count in split.values())
        )
    )
    return Case(
        counts=splits,
        color=draw(st.sampled_from(colors)),
        size=draw(sizes if sizes is not None else st.integers(8, 17)),
        votes=draw(st.booleans()),
        copies=draw(st.booleans()),
        layout=draw(st.sampled_from(["nhwc", "flat"])),
        dtype=draw(st.sampled_from(["uint8", "float32"])),
        shard_samples=draw(st.integers(1, 9)),
        compression=draw(st.sampled_from(["none", "fast", "small"])),
    )


@contextmanager
def made(case: Case) -> Iterator[tuple[Path, Dataset]]:
    """The data set of a case, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as temporary:
        votes = {}
        for split, classes in case.counts.items() if case.votes else ():
            for name in classes:
                votes[f"src/{split}/{name}/000é.png"] = {name: 7.0}
        dataset = build_dataset(
            Path(temporary) / "ds", case.counts, color=case.color, size=case.size, votes=votes
        )
        train = case.counts.get("train", {})
        if case.copies and all(train.get(name) for name in dataset.class_names):
            dataset, _ = balance(dataset, BalanceSettings(to="max"))
        yield Path(temporary), dataset


def packed(case: Case, dataset: Dataset, folder: Path, format_: str) -> Path:
    form = PackSettings(
        format=format_,
        layout=case.layout,
        dtype=case.dtype,
        shard_samples=case.shard_samples,
        compression=case.compression,
    )
    pack(dataset, folder, form, workers=1)
    return folder


def read_plainly(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays as others read them who have nothing of ferkit."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as npz:
            return dict(npz)
    with h5py.File(path) as file:
        texts = {name: file[name].asstr()[:].astype(np.str_) for name in ("keys", "parents")}
        return {name: file[name][:] for name in file} | texts


def plain_split(folder: Path, index: ShardIndex, split: str, case: Case) -> Samples:
    """A split as people join it who know NumPy and the index alone."""
    parts = []
    for file in [shard.file for shard in index.shards if shard.split == split]:
        arrays = read_plainly(folder / file)
        stored = arrays["images"]
        assert stored.dtype == case.dtype
        assert stored.ndim == (2 if case.layout == "flat" else 4)
        levels = np.rint(stored * 255) if case.dtype == "float32" else stored
        arrays["images"] = levels.astype(np.uint8).reshape(-1, *index.image_shape)
        parts.append(Samples(**arrays))
    return join_samples(parts)


def by_key(samples: Samples, index: ShardIndex) -> dict[str, Sample]:
    votes = samples.votes if samples.votes is not None else np.zeros((len(samples), 0))
    columns = zip(samples.keys, samples.images, samples.labels, samples.parents, votes, strict=True)
    return {
        str(key): (image.tobytes(), index.class_names[label], str(parent), tuple(map(float, each)))
        for key, image, label, parent, each in columns
    }


def of_dataset(dataset: Dataset, split: str, index: ShardIndex) -> dict[str, Sample]:
    """The originals of a split, from the data set's own tables and blocks of pixels."""
    table = dataset.table("split").to_pylist()
    wanted = {row["key"] for row in table if row["split"] == split}
    rows = dataset.samples().to_pylist()
    any_votes = any(row["votes"] is not None for row in rows)
    found = {}
    for row in rows:
        if row["key"] in wanted:
            votes = dict(row["votes"] or ())
            numbers = tuple(votes.get(n, 0.0) for n in index.class_names) if any_votes else ()
            pixels = dataset.pixels(row["block"])[row["row"]].tobytes()
            found[row["key"]] = (pixels, row["label"], "", numbers)
    return found


def streamed(folder: Path, index: ShardIndex, split: str, cache_bytes: int) -> Iterator[Any]:
    """Images and labels of the split as it is streamed: in order, and shuffled."""
    from fer_models.stream import ShardStream, StreamSettings

    settings_ = StreamSettings(batch_size=4, cache_bytes=cache_bytes, block_shards=2)
    stream = ShardStream(folder, index, split, settings_)
    for batches in (stream.in_order(), stream.shuffled(1)):
        drawn = list(batches.as_numpy_iterator())
        yield tuple(np.concatenate(each) for each in zip(*drawn, strict=True))


def pictures(samples: Samples) -> Counter[tuple[bytes, int]]:
    """How often each picture stands there with each label."""
    rows = zip(samples.images, samples.labels.tolist(), strict=True)
    return Counter((image.tobytes(), label) for image, label in rows)


@pytest.mark.parametrize("format_", FORMATS)
@given(case=cases())
@settings(max_examples=30, deadline=None)
def test_samples_come_back_through_plain_readers_and_ours(format_: str, case: Case) -> None:
    with made(case) as (folder, dataset):
        shards = packed(case, dataset, folder / "shards", format_)
        index = read_index(shards)
        assert verify_shards(shards).problems == ()
        not_empty = [split for split in SPLITS if sum(case.counts.get(split, {}).values())]
        assert list(index.splits) == not_empty
        for split in not_empty:
            plain = plain_split(shards, index, split, case)
            found = by_key(plain, index)
            assert len(found) == len(plain)
            originals = {key: sample for key, sample in found.items() if not sample[2]}
            assert originals == of_dataset(dataset, split, index)
            for pixels, label, parent, votes in found.values():
                if parent:
                    assert split == "train"
                    assert (label, votes) == (originals[parent][1], originals[parent][3])
                    assert pixels != originals[parent][0]
            assert by_key(ShardReader(shards, split).read(), index) == found
            numbers = np.arange(len(plain))[::-3]
            some = ShardReader(shards, split, cache_mb=0).take(numbers)
            assert some.keys.tolist() == plain.keys[numbers].tolist()
            np.testing.assert_array_equal(some.images, plain.images[numbers])


@pytest.mark.parametrize("format_", FORMATS)
@given(case=cases(), cache_bytes=st.sampled_from([0, 2**30]))
@settings(max_examples=4, deadline=None)
def test_samples_come_back_through_the_stream(format_: str, case: Case, cache_bytes: int) -> None:
    with made(case) as (folder, dataset):
        shards = packed(case, dataset, folder / "shards", format_)
        index = read_index(shards)
        for split in index.splits:
            plain = plain_split(shards, index, split, case)
            in_order, shuffled = streamed(shards, index, split, cache_bytes)
            np.testing.assert_array_equal(in_order[0], plain.images)
            np.testing.assert_array_equal(in_order[1], plain.labels)
            rows = zip(shuffled[0], shuffled[1].tolist(), strict=True)
            assert Counter((image.tobytes(), label) for image, label in rows) == pictures(plain)


def back_from(export: str, case: Case, format_: str) -> None:
    """Packs, exports, ingests, splits and packs again: the samples are the same."""
    with made(case) as (folder, dataset):
        shards = packed(case, dataset, folder / "shards", format_)
        exports.export_shards(shards, folder / "out", exports.ExportSettings(format=export))
        image = ImageSettings(size=case.size, color=case.color)
        back, _ = ingest(folder / "out", folder / "back", IngestSettings(image=image), workers=1)
        index = read_index(shards)
        official = SplitSettings(ratios=(100, 0, 0), group_by=())  # every sample has one
        pack(split_samples(back, official)[0], folder / "again", PackSettings(), workers=1)
        again = read_index(folder / "again")
        assert again.splits == index.splits
        for split in index.splits:
            found, expected = (
                Counter(
                    (image.tobytes(), each.class_names[label])
                    for image, label in zip(samples.images, samples.labels, strict=True)
                )
                for each, samples in (
                    (again, ShardReader(folder / "again", split).read()),
                    (index, ShardReader(shards, split).read()),
                )
            )
            assert found == expected
        if export == "imagefolder":
            rows = {dict(row["attributes"])["key"]: row for row in back.samples().to_pylist()}
            for split in index.splits:
                for key, sample in by_key(ShardReader(shards, split).read(), index).items():
                    facts = dict(rows[key]["attributes"])
                    assert (rows[key]["split"], rows[key]["label"]) == (split, sample[1])
                    assert facts.get("parent", "") == sample[2]
                    assert facts.get("votes", "").split() == [f"{n:g}" for n in sample[3]]


@pytest.mark.parametrize("format_", FORMATS)
@given(case=cases())
@settings(max_examples=8, deadline=None)
def test_samples_come_back_from_folders_of_pictures(format_: str, case: Case) -> None:
    back_from("imagefolder", case, format_)


@given(
    case=cases(colors=("gray",), sizes=st.just(48), names=EMOTIONS[:7]),
    format_=st.sampled_from(FORMATS),
)
@settings(max_examples=6, deadline=None)
def test_samples_come_back_from_a_csv_file(format_: str, case: Case) -> None:
    back_from("csv", case, format_)


@pytest.mark.parametrize("export", exports.FORMATS)
def test_exports_do_not_know_in_which_form_shards_are_stored(export: str, tmp_path: Path) -> None:
    counts = {"train": {"anger": 20, "fear": 9}, "test": {"fear": 5}}
    dataset, _ = balance(build_dataset(tmp_path / "ds", counts), BalanceSettings(to="max"))
    files = []
    for form in (
        PackSettings(shard_samples=11),
        PackSettings(shard_samples=11, format="hdf5", layout="flat", dtype="float32"),
    ):
        shards, out = tmp_path / form.format, tmp_path / f"out-{form.format}"
        pack(dataset, shards, form, workers=1)
        exports.export_shards(shards, out, exports.ExportSettings(format=export))
        found: dict[str, Any] = {
            path.relative_to(out).as_posix(): path.read_bytes()
            for path in out.rglob("*")
            if path.is_file()
        }
        found["export.json"] = json.loads(found["export.json"])
        del found["export.json"]["shards"]  # the digest of the index that was exported
        files.append(found)
    assert files[0] == files[1]
