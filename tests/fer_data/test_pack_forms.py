"""The layout and dtype of the images change how they are stored, and nothing else."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data.balance import BalanceSettings, balance
from fer_data.data_card import data_card
from fer_data.dataset import Dataset
from fer_data.errors import DamagedShardError, MissingPluginError, SettingsError, UnknownNameError
from fer_data.pack import FORMATS, PackSettings, pack
from fer_data.shards.codecs import CODECS
from fer_data.shards.index import INDEX_NAME, read_index
from fer_data.shards.pixels import DTYPES, LAYOUTS
from fer_data.shards.reader import ShardReader
from fer_data.shards.torch_dataset import TorchDataset
from fer_data.shards.verify import verify_shards
from tests.edited_index import resealed
from tests.fer_data.conftest import MakeDataset
from tests.fer_data.shards.test_codecs import needs_plugin
from tests.fer_data.test_verify import rewrite

COUNTS = {"train": {"anger": 40, "disgust": 9}, "validation": {"anger": 12, "disgust": 3}}
FORMS = list(itertools.product(FORMATS, LAYOUTS, DTYPES))
FLOATS = PackSettings(layout="flat", dtype="float32", shard_samples=30)


@pytest.fixture
def balanced(make_dataset: MakeDataset) -> Dataset:
    return balance(make_dataset(COUNTS), BalanceSettings(to="max"))[0]


def packed(dataset: Dataset, folder: Path, settings: PackSettings) -> Path:
    pack(dataset, folder, settings, workers=1)
    return folder


@pytest.mark.parametrize(("format_", "layout", "dtype"), FORMS)
def test_every_form_is_described_and_read_alike(
    balanced: Dataset, tmp_path: Path, format_: str, layout: str, dtype: str
) -> None:
    usual = packed(balanced, tmp_path / "usual", PackSettings(shard_samples=30))
    settings = PackSettings(format=format_, layout=layout, dtype=dtype, shard_samples=30)
    folder = packed(balanced, tmp_path / "form", settings)
    assert verify_shards(folder).problems == ()
    index, usual_index = read_index(folder), read_index(usual)
    for name in ("counts", "class_weights", "pixel_mean", "pixel_std", "leakage", "image_shape"):
        assert getattr(index, name) == getattr(usual_index, name)
    assert index.lineage["pack"]["settings"]["layout"] == layout
    assert index.lineage["pack"]["settings"]["dtype"] == dtype
    shape = (24, 24, 1) if layout == "nhwc" else (24 * 24,)
    for shard in index.shards:
        assert shard.arrays["images"].dtype == DTYPES[dtype]
        assert shard.arrays["images"].shape == (shard.num_samples, *shape)
    form, plain = (TorchDataset(each, "train", dtype="float32")[3] for each in (folder, usual))
    np.testing.assert_array_equal(form[0], plain[0])


def test_the_same_form_gives_the_same_bytes_and_another_one_other_shards(
    balanced: Dataset, tmp_path: Path
) -> None:
    folder = packed(balanced, tmp_path / "shards", FLOATS)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = pack(balanced, folder, FLOATS, workers=1)[1]
    assert (again.num_made, again.num_found) == (0, len(again.index.shards))
    pack(balanced, tmp_path / "other", FLOATS, workers=2)
    assert {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()} == files
    for change in ({"layout": "nhwc"}, {"dtype": "uint8"}):
        settings = dataclasses.replace(FLOATS, **change)
        assert pack(balanced, folder, settings, workers=1)[1].num_found == 0
        assert verify_shards(folder).problems == ()


def test_the_size_of_a_shard_is_that_of_its_pixels_as_stored() -> None:
    shape = (48, 48, 1)
    assert PackSettings().most_samples(shape) == 2048
    assert PackSettings(dtype="float32").most_samples(shape) == 16_000_000 // (4 * 48 * 48)
    assert PackSettings(shard_mb=1, dtype="float32").most_samples(shape) == 108
    assert PackSettings(shard_mb=1, layout="flat").most_samples(shape) == 434


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda a: a * np.float32(0.999), "values are no n/255, for example"),
        (lambda a: np.where(a == a[2, 7], np.float32(np.nan), a), "for example nan in image"),
        (lambda a: a.astype("<f8"), "<f8 (15, 576); expected |u1 (15, 576)"),
        (lambda a: a[:, :575], "<f4 (15, 575); expected <f4 (15, 576)"),
        (lambda a: a.reshape(15, 24, 24), "expected <f4 (15, 24, 24, 1)"),
    ],
)
def test_what_is_no_pixel_is_found(
    balanced: Dataset,
    tmp_path: Path,
    change: Callable[[NDArray[np.float32]], NDArray[Any]],
    expected: str,
) -> None:
    folder = packed(balanced, tmp_path / "shards", FLOATS)
    file = "validation-00000-of-00001.npz"
    rewrite(folder, file, lambda arrays: {"images": change(arrays["images"])})
    found = verify_shards(folder).problems
    assert [(problem.file, problem.array) for problem in found] == [(file, "images")]
    assert expected in found[0].what
    with pytest.raises(DamagedShardError, match=f"{file}: images: "):
        ShardReader(folder, "validation").read()


def test_shards_of_several_forms_are_found(balanced: Dataset, tmp_path: Path) -> None:
    folder = packed(balanced, tmp_path / "shards", dataclasses.replace(FLOATS, layout="nhwc"))
    rows = packed(balanced, tmp_path / "rows", FLOATS)
    file = "validation-00000-of-00001.npz"
    shutil.copy(rows / file, folder / file)
    index, other = read_index(folder), {shard.file: shard for shard in read_index(rows).shards}
    shards = tuple(other[s.file] if s.file == file else s for s in index.shards)
    (folder / INDEX_NAME).write_text(dataclasses.replace(index, shards=shards).to_json())
    (problem,) = verify_shards(folder).problems
    assert problem.file == INDEX_NAME
    assert re.search(r"several forms \(<f4 \(24, 24, 1\) in 3, <f4 \(576,\) in 1\)", problem.what)


@pytest.mark.parametrize(("format_", "layout", "dtype"), FORMS)
def test_the_example_in_the_card_runs_and_says_the_form(
    balanced: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    format_: str,
    layout: str,
    dtype: str,
) -> None:
    settings = PackSettings(format=format_, layout=layout, dtype=dtype, compression="none")
    text = data_card(read_index(packed(balanced, tmp_path / "shards", settings)), {})
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    monkeypatch.chdir(tmp_path / "shards")
    values: dict[str, Any] = {}
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # one line is enough
        exec(code[1], values)
    images = values["images"]
    said = re.search(r"# (\w+) \((n[^)]*)\)", text)
    assert said is not None
    assert said[1] == images.dtype.name
    assert said[2] == ", ".join(map(str, ("n", *images.shape[1:])))
    assert values["names"].count("disgust") == values["names"].count("anger")
    values["shard"].close()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layout": "nchw"}, 'unknown layout "nchw"; expected one of nhwc, flat'),
        ({"dtype": "float16"}, 'unknown dtype "float16"; expected one of uint8, float32'),
        ({"compression": "gzip"}, "expected one of none, fast, small, zstd, lz4, bitshuffle-lz4"),
    ],
)
def test_unknown_names_are_refused(fields: dict[str, str], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        PackSettings(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_are_for_hdf5_where_they_are(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=f'"{codec}" is for the format hdf5; npz has none, fas'):
        PackSettings(compression=codec)
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda _: False)
    with pytest.raises(MissingPluginError, match=f'"{codec}" needs hdf5plugin, which is not'):
        PackSettings(compression=codec, format="hdf5")


@needs_plugin
@pytest.mark.parametrize("codec", CODECS)
def test_codecs_hold_the_same_in_the_same_bytes_always(
    balanced: Dataset, tmp_path: Path, codec: str
) -> None:
    settings = PackSettings(format="hdf5", compression=codec, dtype="float32", shard_samples=30)
    one = packed(balanced, tmp_path / "one", settings)
    pack(balanced, tmp_path / "other", settings, workers=2)
    files = {path.name: path.read_bytes() for path in one.iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()} == files
    assert verify_shards(one).problems == ()
    assert {e.compression for e in read_index(one).shards[0].arrays.values()} == {codec}
    usual = packed(balanced, tmp_path / "usual", PackSettings(shard_samples=30))
    found, expected = ShardReader(one, "train").read(), ShardReader(usual, "train").read()
    np.testing.assert_array_equal(found.images, expected.images)
    assert found.keys.tolist() == expected.keys.tolist()


@needs_plugin
def test_every_changed_byte_of_a_codecs_shard_is_found(balanced: Dataset, tmp_path: Path) -> None:
    settings = PackSettings(format="hdf5", compression="bitshuffle-lz4", shard_samples=50)
    folder = packed(balanced, tmp_path / "shards", settings)
    shard = folder / read_index(folder).shards[0].file
    whole = shard.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 40).tolist():
        wrong = bytearray(whole)
        wrong[place] ^= 1 << place % 8
        shard.write_bytes(wrong)
        assert [problem.file for problem in verify_shards(folder).problems] == [shard.name], place
    shard.unlink()
    assert [problem.file for problem in verify_shards(folder).problems] == [shard.name]


def test_reading_without_the_codec_is_one_clear_error(
    balanced: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = packed(balanced, tmp_path / "shards", PackSettings(format="hdf5"))
    text = (folder / INDEX_NAME).read_text(encoding="utf-8").replace('"zlib"', '"zstd"')
    (folder / INDEX_NAME).write_text(resealed(text), encoding="utf-8")
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda _: False)
    missing = r"train-00000-of-00001.h5: compression \"zstd\" needs hdf5plugin"
    with pytest.raises(MissingPluginError, match=missing):
        ShardReader(folder, "train").read()
    with pytest.raises(MissingPluginError, match=missing):
        verify_shards(folder)
