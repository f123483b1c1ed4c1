"""What fuzzing found, and that it can go on from the seeds."""

from __future__ import annotations

import gc
import gzip
import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile

from fer_data.errors import ImageError, ManifestError, SourceError
from fer_data.image import COLORS, ImageSettings, prepare_images
from fer_data.manifest import load_manifest
from fer_data.sources.archive import is_tar
from tests.conftest import face_pixels
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_what_is_near_are_read(target: str) -> None:
    seeds, read = TARGETS[target]
    for seed in seeds():
        for data in (seed, seed[: len(seed) // 2], seed[:40] + seed[41:], seed + seed):
            read(data)


def test_a_zip_member_without_a_name_is_no_directory() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("happy/a.png", b"")
    data = file.getvalue().replace(b"happy/a.png", b"\0" + b"x" * 10)  # a name ends at a zero
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == [""]
    TARGETS["archives"][1](b"\0" + data)


def test_a_compressed_tar_that_ends_in_its_first_block_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "faces.tar.gz"
    archive.write_bytes(gzip.compress(bytes(100))[:-4])
    with pytest.raises(SourceError, match="not a readable tar archive"):
        is_tar(archive)
    TARGETS["archives"][1](b"\2" + archive.read_bytes())


@pytest.mark.parametrize("color", COLORS)
def test_a_damaged_picture_leaves_nothing_in_memory(color: str) -> None:
    file = io.BytesIO()
    Image.fromarray(face_pixels(1, 64)).save(file, "WEBP")
    damaged = file.getvalue()[:60] + b"\xff" * 1000
    gc.collect()
    gc.disable()
    try:
        (found,) = prepare_images([damaged], ImageSettings(color=color))
        assert isinstance(found, ImageError)
        assert found.__traceback__ is found.__context__ is None
        assert [each for each in gc.get_objects() if isinstance(each, WebPImageFile)] == []
    finally:
        gc.enable()


def test_a_layout_whose_kind_is_no_word_is_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "own.toml"
    manifest.write_text('[[layouts]]\nkind = ["folders", "table"]\n')
    with pytest.raises(ManifestError, match=r"layout kind is .*expected one of"):
        load_manifest(str(manifest))


@pytest.mark.parametrize(
    "label",
    ["{base[t]}.npy", "{base.real}.npy", "{base:>9999999999}.npy", "{base!r}", "{base", "{}"],
)
def test_a_template_of_more_than_names_is_refused(tmp_path: Path, label: str) -> None:
    manifest = tmp_path / "own.toml"
    manifest.write_text(
        f"[[layouts]]\nkind = 'sidecars'\npattern = '(?P<base>.*)[.]jpg'\nlabel = '{label}'\n"
    )
    with pytest.raises(ManifestError, match=r"cannot be filled; expected some of \{base\}"):
        load_manifest(str(manifest))


def test_an_index_with_a_place_beyond_all_files_is_refused() -> None:
    text = next(TARGETS["shards"][0]()).decode()
    assert '"header_bytes": 128' in text
    TARGETS["shards"][1](text.replace('"header_bytes": 128', f'"header_bytes": {10**30}').encode())
