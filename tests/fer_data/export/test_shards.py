"""Laws of every export: all samples, the same bytes, the shards unchanged, whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fer_data.errors import DamagedShardError, MissingShardsError, SettingsError, UnknownNameError
from fer_data.export.shards import FORMATS, ExportSettings, export_shards
from fer_data.shards.index import ClassCount, read_index
from fer_data.shards.reader import ShardReader
from tests.made_shards import NAMES, make_shards, numbered_samples

SPLITS = {
    "train": numbered_samples(40, copies=11),
    "validation": numbered_samples(9, split="validation"),
    "test": numbered_samples(5, split="test"),
}


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    make_shards(tmp_path / "shards", SPLITS, shard_samples=16)
    return tmp_path / "shards"


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_writes_all_samples_and_always_the_same_bytes(
    shards: Path, tmp_path: Path, format_: str
) -> None:
    before = files(shards)
    calls: list[tuple[int, int]] = []
    report = export_shards(
        shards, tmp_path / "a", ExportSettings(format=format_),
        on_progress=lambda done, total: calls.append((done, total)),
    )  # fmt: skip
    assert {split: sum(each.values()) for split, each in report.counts.items()} == {
        "train": 40, "validation": 9, "test": 5,
    }  # fmt: skip
    assert list(report.counts["train"]) == list(NAMES)
    assert calls[-1] == (54, 54)
    assert calls == sorted(calls)
    written = files(tmp_path / "a")
    assert len(written) == report.num_files + 1
    mark = json.loads(written["export.json"])
    assert sum(map(len, written.values())) - len(written["export.json"]) == report.num_bytes
    assert mark["counts"] == report.counts
    time.sleep(0.01)
    export_shards(shards, tmp_path / "b", ExportSettings(format=format_))
    assert files(tmp_path / "b") == written
    export_shards(shards, tmp_path / "a", ExportSettings(format=format_))  # in its own place
    assert files(tmp_path / "a") == written
    assert files(shards) == before
    assert str(tmp_path).encode() not in b"".join(written.values())


@pytest.mark.parametrize("format_", FORMATS)
def test_splits_and_originals_can_be_chosen(shards: Path, tmp_path: Path, format_: str) -> None:
    settings = ExportSettings(format=format_, splits=("test", "train"), originals_only=True)
    report = export_shards(shards, tmp_path / "out", settings)
    assert {split: sum(each.values()) for split, each in report.counts.items()} == {
        "train": 29, "test": 5,
    }  # fmt: skip
    names = " ".join(files(tmp_path / "out"))
    assert "validation" not in names
    assert "#" not in names


def test_one_format_takes_the_place_of_another(shards: Path, tmp_path: Path) -> None:
    for format_ in (*FORMATS, FORMATS[0]):
        export_shards(shards, tmp_path / "out", ExportSettings(format=format_))
        assert (
            json.loads((tmp_path / "out" / "export.json").read_text())["export_format"] == format_
        )
    assert not (tmp_path / "out" / "train.parquet").exists()


def test_wrong_usage_is_refused_before_anything_is_written(shards: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    with pytest.raises(UnknownNameError, match='unknown format "image-folder".*"imagefolder"'):
        ExportSettings(format="image-folder")
    with pytest.raises(UnknownNameError, match='unknown split "tset"'):
        export_shards(shards, tmp_path / "out", ExportSettings(format="csv", splits=("tset",)))
    for out in (shards, shards / "out"):
        with pytest.raises(SettingsError, match="lies in the folder of the shards"):
            export_shards(shards, out, ExportSettings(format="csv"))
    with pytest.raises(SettingsError, match="is not empty, and no export"):
        export_shards(shards, tmp_path, ExportSettings(format="csv"))
    with pytest.raises(MissingShardsError, match="no such folder"):
        export_shards(tmp_path / "nowhere", tmp_path / "out", ExportSettings(format="csv"))
    assert files(tmp_path) == before


@pytest.mark.parametrize("format_", FORMATS)
def test_a_damaged_shard_leaves_no_export(shards: Path, tmp_path: Path, format_: str) -> None:
    path = shards / "train-00001-of-00003.npz"
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(DamagedShardError, match=path.name):
        export_shards(shards, tmp_path / "out", ExportSettings(format=format_))
    assert [each.name for each in tmp_path.iterdir()] == ["shards"]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("counted", [0, 3, 60])
def test_an_index_that_counts_wrongly_is_no_reason_to_lose_samples(
    shards: Path, tmp_path: Path, format_: str, counted: int
) -> None:
    index = read_index(shards)
    wrong = {name: ClassCount(original=counted, augmented=0) for name in index.counts["train"]}
    changed = dataclasses.replace(index, counts={**index.counts, "train": wrong})
    (shards / "index.json").write_text(changed.to_json(), encoding="utf-8")
    with pytest.raises(DamagedShardError, match=r"train.*run `ferdata pack` again"):
        export_shards(shards, tmp_path / "out", ExportSettings(format=format_))
    assert not (tmp_path / "out").exists()


def test_a_killed_export_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    make_shards(tmp_path / "shards", {"train": numbered_samples(4000)}, shard_samples=500)
    code = (
        "import os, signal\n"
        "from fer_data.export.shards import *\n"
        "settings = ExportSettings(format='imagefolder')\n"
        "end = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "export_shards('shards', 'out', settings, on_progress=end)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    (leftover,) = tmp_path.glob(".out.*")
    assert not (leftover / "export.json").exists()
    export_shards(tmp_path / "shards", tmp_path / "out", ExportSettings(format="imagefolder"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "shards"]
    assert len(list((tmp_path / "out").rglob("*.png"))) == 4000


def test_no_foreign_library_is_loaded(shards: Path) -> None:
    code = (
        "import sys\n"
        "from fer_data.export.shards import *\n"
        "for name in FORMATS: export_shards('shards', name, ExportSettings(format=name))\n"
        "assert not {'tensorflow', 'keras', 'torch', 'sklearn', 'cv2'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=shards.parent, check=True)
    assert len(ShardReader(shards, "train")) == 40
