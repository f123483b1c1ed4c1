"""Sources that lead outside, or claim more than there is: refused, and never believed."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_data.errors import SourceError
from fer_data.sources.label_file import picture_path, read_rows
from fer_data.sources.sidecars import read_npy_word
from tests import miniatures
from tests.conftest import face_pixels, png_bytes
from tests.fer_data.sources.understanding import known, labels, read, write_csv_set
from tests.miniatures import save


@pytest.mark.parametrize(
    "path",
    ["../secret.png", "/etc/hostname", "a/../../secret.png", "C:\\secret.png", "..\\secret.png"],
)
def test_a_label_file_never_leads_outside_the_source(tmp_path: Path, path: str) -> None:
    save(tmp_path / "secret.png", face_pixels(9))
    table = f"path,label\na.png,happy\nb.png,sad\n{path},sad\n".encode()
    raw = write_csv_set(tmp_path / "raw", table, {"a.png": 1, "b.png": 2})
    assert picture_path(path) is None
    report = read(raw, tmp_path / "ds")
    assert report.reasons == {"outside-source": 1, "support-file": 1}
    assert report.num_samples == 2


def test_links_in_a_tar_lead_nowhere(tmp_path: Path) -> None:
    save(tmp_path / "secret.png", face_pixels(9))
    with tarfile.open(tmp_path / "raw.tar", "w") as archive:
        link = tarfile.TarInfo("a.png")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.png")
        archive.addfile(link)
        members = {
            "b.png": png_bytes(face_pixels(1)),
            "labels.csv": b"path,label\na.png,sad\nb.png,sad\n",
        }
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    report = read(tmp_path / "raw.tar", tmp_path / "ds")
    assert report.num_samples == 1
    assert report.reasons == {"not-a-file": 1, "missing-file": 1, "support-file": 1}


def test_a_compressed_tar_that_grows_beyond_all_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "raw.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("happy/a.png")
        info.size = 20_000_000
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    assert path.stat().st_size < 100_000
    with pytest.raises(SourceError, match=r"raw\.tar\.gz: grows to more than 200 times its size"):
        read(path, tmp_path / "ds")


def test_a_member_that_claims_too_much_is_rejected_unread(tmp_path: Path) -> None:
    path = tmp_path / "raw.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("happy/a.png", png_bytes(face_pixels(1)))
        archive.writestr("happy/bomb.png", png_bytes(face_pixels(2)))
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 0xFFFF_FFF0)
    path.write_bytes(data)
    report = read(path, tmp_path / "ds")
    assert (report.num_samples, report.reasons) == (1, {"too-large": 1})


def test_a_label_file_without_line_ends_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="a line of more than 131,072 characters"):
        list(read_rows(io.BytesIO(b"x" * 400_000), "labels.csv"))
    with pytest.raises(SourceError, match="is no table of lines"):
        list(read_rows(io.BytesIO(b'path,label\n"' + b"x\n" * 400_000), "labels.csv"))


def test_a_label_file_that_claims_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_data.sources.members.MAX_LABEL_FILE_BYTES", 100)
    mini = miniatures.affectnet_96(tmp_path / "raw")
    with pytest.raises(
        SourceError, match=r"raw: labels.csv has 402 bytes; expected .* at most 100"
    ):
        known(mini.raw)


def test_affectnets_own_label_files_are_never_unpickled(tmp_path: Path) -> None:
    mini = miniatures.affectnet_2021(tmp_path / "raw")
    notes = mini.raw / "val_set" / "annotations"
    np.save(notes / "0_exp.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (notes / "1_exp.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{broken")
    (notes / "2_exp.npy").unlink()
    (notes / "3_exp.npy").write_bytes(b"x" * 70_000)
    np.save(notes / "4_exp.npy", np.array(77))
    found = labels(mini.raw)
    assert [found[f"val_set/images/{n}.jpg"] for n in range(6)] == [
        "bad-label", "bad-label", "unlabelled", "bad-label", "unknown-class", "disgust",
    ]  # fmt: skip


def test_a_numpy_header_that_claims_too_much_takes_no_memory() -> None:
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(ValueError, match="expected one value"):
        read_npy_word(file.getvalue())
