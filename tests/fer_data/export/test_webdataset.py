"""WebDataset files hold every sample, grouped as its readers group them."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_data.export.shards import ExportSettings, export_shards
from fer_data.shards.samples import Samples
from tests.made_shards import (
    assert_same,
    made_splits,
    make_samples,
    make_shards,
    numbered_samples,
)


def groups(path: Path) -> Iterator[dict[str, bytes]]:
    """As the library `webdataset` does: neighbours of one name up to the first dot."""
    current: dict[str, bytes] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            name, _, ending = member.name.partition(".")
            if current and current["name"].decode() != name:
                yield current
                current = {}
            file = tar.extractfile(member)
            assert file is not None
            current |= {"name": name.encode(), ending: file.read()}
    if current:
        yield current


def read_back(folder: Path, split: str, shape: tuple[int, int, int]) -> Samples | None:
    found = [group for path in sorted(folder.glob(f"{split}-*.tar")) for group in groups(path)]
    if not found:
        return None
    assert len({group["name"].decode().casefold() for group in found}) == len(found)
    facts = [json.loads(group["json"]) for group in found]
    assert all(set(group) == {"name", "png", "cls", "json"} for group in found)
    assert all(each["split"] == split for each in facts)
    assert all(int(g["cls"]) == f["label"] for g, f in zip(found, facts, strict=True))
    images = [np.asarray(Image.open(io.BytesIO(group["png"]))).reshape(shape) for group in found]
    votes = np.array([f["votes"] for f in facts], np.float32) if "votes" in facts[0] else None
    labels, keys, parents = ([f[n] for f in facts] for n in ("label", "key", "parent"))
    return make_samples(np.stack(images), labels, keys, parents, votes)


@given(made_splits(), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_samples_come_back(
    made: tuple[dict[str, Samples], tuple[str, ...]], shard_samples: int
) -> None:
    splits, class_names = made
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        index = make_shards(folder / "shards", splits, class_names, shard_samples=shard_samples)
        export_shards(folder / "shards", folder / "out", ExportSettings(format="webdataset"))
        for split, samples in splits.items():
            found = read_back(folder / "out", split, index.image_shape)
            if len(samples):
                assert found is not None
                assert_same(found, samples)
            else:
                assert found is None


def test_files_are_sized_like_the_shards(tmp_path: Path) -> None:
    make_shards(tmp_path / "shards", {"train": numbered_samples(25, copies=8)}, shard_samples=10)
    for originals_only, sizes in ((False, [10, 10, 5]), (True, [10, 7])):
        settings = ExportSettings(format="webdataset", originals_only=originals_only)
        export_shards(tmp_path / "shards", tmp_path / "out", settings)
        paths = sorted((tmp_path / "out").glob("*.tar"))
        names = [f"train-{n:05d}-of-{len(sizes):05d}.tar" for n in range(len(sizes))]
        assert [path.name for path in paths] == names
        assert [len(list(groups(path))) for path in paths] == sizes


def test_members_have_no_time_and_no_owner(tmp_path: Path) -> None:
    make_shards(tmp_path / "shards", {"train": numbered_samples(3)})
    export_shards(tmp_path / "shards", tmp_path / "out", ExportSettings(format="webdataset"))
    with tarfile.open(tmp_path / "out" / "train-00000-of-00001.tar") as tar:
        members = tar.getmembers()
    assert [member.name for member in members[:3]] == ["000é.png", "000é.cls", "000é.json"]
    for member in members:
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (
            0, 0, 0, "", "",
        )  # fmt: skip
