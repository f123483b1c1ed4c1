"""Every way to name pictures: folders, patterns, archives, lists; each file once, read when due."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_data.errors import ImageError, SourceError
from fer_data.image import ImageSettings
from fer_models.errors import MissingPicturesError
from fer_models.file_portions import read_portions
from fer_models.picture_faces import SampleCutter
from fer_models.picture_files import STDIN, PictureFile, open_pictures
from tests.conftest import face_pixels, png_bytes

FACE = png_bytes(face_pixels(1))


def write(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FACE)


def opened(*paths, **options):
    """The files that paths give, and the bytes of each."""
    with open_pictures([Path(path) for path in paths], **options) as files:
        return {str(file.path): file.read() for file in files}


def test_folders_files_and_patterns_give_each_file_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["a/1.png", "a/b/2.jpg", "a/b/3.jpg", "c.png", "odd[1].jpg"]
    write(*map(Path, names), Path("a/.hidden.png"), Path("a/.git/x.png"), Path("a/out/made.png"))
    found = opened("a", "c.png", "a/1.png", "odd[1].jpg", left_out=[Path("a/out")])
    assert list(found) == names
    assert set(found.values()) == {FACE}
    assert list(opened("a/b/*.jpg", "*.png")) == ["a/b/2.jpg", "a/b/3.jpg", "c.png"]
    assert list(opened("a/**/*.jpg")) == ["a/b/2.jpg", "a/b/3.jpg"]
    assert list(opened("?")) == ["a/1.png", "a/b/2.jpg", "a/b/3.jpg", "a/out/made.png"]
    with pytest.raises(MissingPicturesError, match=r"x/\*.png: matches no file; expected pictures"):
        opened("x/*.png")


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".data"])
def test_archives_are_read_where_they_stand(tmp_path, suffix):
    archive = tmp_path / f"faces{suffix}"
    members = {
        "a.png": FACE,
        "deep/ä.png": FACE[:-9],
        "../../escape.png": FACE,
        "/etc/absolute.png": FACE,
        ".DS_Store": b"",
        "__MACOSX/a.png": b"",
        "notes.txt": b"notes",
    }
    if suffix in (".zip", ".data"):
        with zipfile.ZipFile(archive, "w") as opened_zip:
            for name, data in members.items():
                opened_zip.writestr(name, data)
    else:
        with tarfile.open(archive, f"w:{suffix[5:]}") as opened_tar:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                opened_tar.addfile(info, io.BytesIO(data))
    before = set(tmp_path.iterdir())
    assert opened(archive) == {
        f"{archive}/a.png": FACE,
        f"{archive}/deep/ä.png": FACE[:-9],
        f"{archive}/escape.png": FACE,
        f"{archive}/etc/absolute.png": FACE,
        f"{archive}/notes.txt": b"notes",
    }
    assert set(tmp_path.iterdir()) == before


def test_damaged_archives_and_members_are_told(tmp_path):
    archive = tmp_path / "faces.zip"
    with zipfile.ZipFile(archive, "w") as opened_zip:
        opened_zip.writestr("a.png", FACE)
        opened_zip.writestr("b.png", FACE)
    data = bytearray(archive.read_bytes())
    data[60] ^= 255  # within the first picture
    archive.write_bytes(data)
    with open_pictures([archive]) as (first, second):
        with pytest.raises(ImageError, match="unreadable: archive member"):
            first.read()
        assert second.read() == FACE
    archive.write_bytes(data.replace(b"PK\1\2", b"PK\0\0"))
    with pytest.raises(SourceError, match="not a readable ZIP archive"), open_pictures([archive]):
        pass


def test_a_link_or_a_huge_file_in_an_archive_is_not_read(tmp_path):
    archive = tmp_path / "faces.tar"
    with tarfile.open(archive, "w") as opened_tar:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        opened_tar.addfile(link)
    with open_pictures([archive]) as (file,), pytest.raises(ImageError, match="a link or device"):
        file.read()
    huge = tmp_path / "huge.png"
    with huge.open("wb") as opened_file:
        opened_file.truncate(2**27 + 1)
    with pytest.raises(ImageError, match=r"too-large: 134,217,729 bytes"):
        PictureFile(huge, tmp_path).read()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
def test_a_list_on_standard_input_may_name_what_is_not_there(tmp_path, monkeypatch, end):
    names = [tmp_path / "a b.png", tmp_path / "folder" / "ü.png"]
    write(*names)
    lines = [str(names[0]), str(tmp_path / "gone.png"), "", str(names[1].parent)]
    text = end.join(lines).encode() + end.encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    with open_pictures([STDIN]) as (first, gone, second):
        assert (first.path, second.path) == tuple(names)
        with pytest.raises(ImageError, match="unreadable: No such file or directory"):
            gone.read()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    with pytest.raises(MissingPicturesError, match="-: no files"), open_pictures([STDIN]):
        pass


class Reader:
    """Counts how many files were read, and pretends to predict."""

    def __init__(self) -> None:
        self.num_read = 0

    def files(self, num_files, size):
        reader = self

        class Read(PictureFile):
            def read(self):
                reader.num_read += 1
                return FACE.ljust(size, b"\0")

        return (Read(Path(f"{number}.png"), Path()) for number in range(num_files))


@pytest.mark.parametrize(("size", "portion"), [(0, 256), (2**21, 16)])
def test_files_are_read_as_they_are_needed(size, portion):
    reader = Reader()
    found = read_portions(reader.files(300, size))
    assert reader.num_read == 0
    assert len(next(found)) == reader.num_read == portion
    assert portion + sum(map(len, found)) == reader.num_read == 300


def test_portions_change_nothing(tmp_path):
    pictures = [png_bytes(face_pixels(seed, 120)) for seed in range(60)] + [b"", b"none"]
    cutter = SampleCutter(image=ImageSettings())
    together = cutter.cut_files(pictures)
    for data, found in zip(pictures, together, strict=True):
        (alone,) = cutter.cut_files([data])
        if isinstance(found, ImageError):
            assert (found.reason, found.detail) == (alone.reason, alone.detail)
        else:
            np.testing.assert_array_equal(found[0].pixels, alone[0].pixels)
