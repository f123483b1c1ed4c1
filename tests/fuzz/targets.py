"""What readers make of bytes that nobody wrote, a target each, and what each begins with.

A reader may raise nothing that ferkit does not raise on purpose.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import json
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from fer_data.errors import FerDataError, ImageError
from fer_data.image import COLORS, ImageSettings, prepare_images
from fer_data.manifest import load_manifest, manifest_dir
from fer_data.operations_file import find_operations
from fer_data.recipe import read_recipe
from fer_data.shards.index import INDEX_NAME, read_index
from fer_data.shards.reader import Samples, read_split
from fer_data.shards.verify import verify_shards
from fer_data.sources import opening
from fer_data.sources.opening import SourceSettings
from tests import miniatures
from tests.conftest import face_pixels, png_bytes
from tests.edited_index import resealed
from tests.made_shards import make_samples, make_shards

Seeds = Callable[[], Iterator[bytes]]
#: Where files stand that are read; in memory where that is possible.
_work = Path(
    tempfile.mkdtemp(prefix="ferkit-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
)
atexit.register(shutil.rmtree, _work)
_load_once = functools.cache(load_manifest)  # a tenth of a second for all of them
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz")


def picture_seeds() -> Iterator[bytes]:
    """A small picture in each format."""
    for name in ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM"):
        file = io.BytesIO()
        Image.fromarray(face_pixels(1, 16)).save(file, name)
        yield file.getvalue()


def read_pictures(data: bytes) -> None:
    """Every picture becomes pixels of the form that was asked for, or an error with a reason."""
    for color in COLORS:
        settings = ImageSettings(size=24, color=color)
        (found,) = prepare_images([data], settings)
        if isinstance(found, ImageError):
            assert found.reason
        else:
            assert found.pixels.shape == settings.image_shape
            assert found.pixels.dtype == np.uint8


def archive_seeds() -> Iterator[bytes]:
    """A class of two pictures in each kind of archive, the kind first."""
    members = {f"happy/{n}.png": png_bytes(face_pixels(n, 8)) for n in range(2)}
    members["labels.csv"] = b"path,label\nhappy/0.png,joy\n"
    for number, suffix in enumerate(_ARCHIVES):
        file = io.BytesIO()
        if suffix == ".zip":
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, data in members.items():
                    archive.writestr(name, data)
        else:
            with tarfile.open(fileobj=file, mode=f"w:{suffix.removeprefix('.tar')[1:]}") as packed:
                for name, data in members.items():
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    packed.addfile(info, io.BytesIO(data))
        yield bytes([number]) + file.getvalue()


def read_archives(data: bytes) -> None:
    """Every member becomes a sample or a rejection, and none is read beyond its claim."""
    if data:
        _read_source(f"raw{_ARCHIVES[data[0] % len(_ARCHIVES)]}", data[1:])


def csv_seeds() -> Iterator[bytes]:
    """Tables of pixels and of paths, as they are published."""
    for number, make in enumerate((miniatures.fer2013_csv, miniatures.icml_face_data)):
        raw = make(_work / f"csv{number}").raw
        for path in [raw] if raw.is_file() else sorted(raw.rglob("*.csv")):
            yield path.read_bytes()[:20_000]
    yield b"path,label\na.png,happy\nb.png,sad\n"
    yield b"emotion,pixels,Usage\n0,1 2 3 4,Training\n6,255 0 0 255,PublicTest\n"


def read_csv(data: bytes) -> None:
    """Every row becomes a sample or a rejection."""
    _read_source("fer2013.csv", data)


def _read_source(name: str, data: bytes) -> None:
    path = _work / name
    path.write_bytes(data)
    with (
        mock.patch.object(opening, "load_manifest", _load_once),
        contextlib.suppress(FerDataError),
        opening.open_source(path, SourceSettings()) as source,
    ):
        num_read = sum(1 for block in source.blocks(512) for _ in block.read())
        assert num_read == source.num_files


def manifest_seeds() -> Iterator[bytes]:
    """The manifests and recipes that ferkit ships."""
    recipes = Path(__file__).parents[2] / "docs" / "recipes"
    for path in (*manifest_dir().glob("*.toml"), *recipes.glob("*.toml")):
        yield path.read_bytes()
    yield b'[[operations]]\nname = "rotate"\nprobability = 0.5\n'


def read_manifests(data: bytes) -> None:
    """A text is a manifest, a recipe, a list of operations, or refused as each of them."""
    path = _work / "own.toml"
    path.write_bytes(data)
    for read in (load_manifest, lambda name: read_recipe(Path(name)), find_operations):
        with contextlib.suppress(FerDataError):
            read(str(path))


def shard_seeds() -> Iterator[bytes]:
    """An index, and a shard of it; which of both first."""
    folder = _shards()
    yield b"i" + (folder / INDEX_NAME).read_bytes()
    for shard in read_index(folder).shards:
        yield b"s" + (folder / shard.file).read_bytes()


def read_shards(data: bytes) -> None:
    """What is read of shards is what was written, or an error; and `verify` never fails."""
    folder = _work / "damaged"
    shutil.copytree(_shards(), folder, dirs_exist_ok=True)
    if data[:1] == b"i":
        text = data[1:]
        with contextlib.suppress(ValueError, AttributeError, TypeError, RecursionError):
            text = resealed(text.decode()).encode()  # or nothing would get past its own digest
        (folder / INDEX_NAME).write_bytes(text)
    else:
        (folder / read_index(_shards()).shards[0].file).write_bytes(data[1:])
    with contextlib.suppress(FerDataError):
        verify_shards(folder)
    with contextlib.suppress(FerDataError):
        index = read_index(folder)
        json.dumps(index.to_json())
        for split in index.splits:
            samples = read_split(folder, index, split)
            if data[:1] == b"s":
                assert np.array_equal(samples.images, _made(split).images)


def _made(split: str) -> Samples:
    number = 4 if split == "train" else 2
    rng = np.random.default_rng(number)
    images = rng.integers(0, 256, (number, 6, 6, 1), dtype=np.uint8)
    return make_samples(
        images, [n % 2 for n in range(number)], [f"{split}/{n}" for n in range(number)]
    )


def _shards() -> Path:
    folder = _work / "shards"
    if not folder.exists():
        splits = {split: _made(split) for split in ("train", "test")}
        make_shards(folder, splits, ("a", "b"), shard_samples=3)
    return folder


#: Name → what it begins with, and what is to hold of all bytes.
TARGETS: dict[str, tuple[Seeds, Callable[[bytes], None]]] = {
    "pictures": (picture_seeds, read_pictures),
    "archives": (archive_seeds, read_archives),
    "csv": (csv_seeds, read_csv),
    "manifests": (manifest_seeds, read_manifests),
    "shards": (shard_seeds, read_shards),
}
