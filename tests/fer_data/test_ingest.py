from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from fer_data.dataset import Dataset
from fer_data.errors import (
    DatasetError,
    EmptySourceError,
    SettingsError,
    SourceError,
    TooManyRejectionsError,
)
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings, ingest, inspect_source
from fer_data.sources.opening import SourceSettings
from tests.conftest import face_pixels, png_bytes

MakeFolders = Callable[..., Path]
ALL_ALLOWED = IngestSettings(max_rejected=1.0)


def tree_digest(folder: Path) -> dict[str, str]:
    """Path → SHA-256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def ingest_quietly(raw: Path, out: Path, settings: IngestSettings = ALL_ALLOWED) -> Dataset:
    return ingest(raw, out, settings, workers=1)[0]


def test_every_file_is_a_sample_or_a_rejection(class_folders: MakeFolders, tmp_path: Path) -> None:
    raw = class_folders({"happy": 7, "sad": 5})
    (raw / "happy" / "notes.txt").write_text("not a picture")
    (raw / "happy" / ".DS_Store").write_bytes(b"\0\0")
    dataset, report = ingest(raw, tmp_path / "ds", ALL_ALLOWED, workers=1)
    files = [path for path in raw.rglob("*") if path.is_file()]
    assert report.num_files == len(files) == 14
    assert report.num_samples + report.num_rejected == report.num_files
    assert report.reasons == {"hidden": 1, "not-an-image": 1}
    listed = dataset.samples()["path"].to_pylist() + dataset.rejected()["path"].to_pylist()
    assert sorted(listed) == sorted(str(path.relative_to(raw)) for path in files)


def test_sources_are_left_as_they_were(class_folders: MakeFolders, tmp_path: Path) -> None:
    raw = class_folders({"happy": 3})
    before = tree_digest(raw)
    ingest_quietly(raw, tmp_path / "ds")
    assert tree_digest(raw) == before


def test_pixels_stand_in_the_row_of_their_sample(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    raw = class_folders({"happy": 3, "sad": 4})
    dataset = ingest_quietly(raw, tmp_path / "ds")
    for row in dataset.samples().to_pylist():
        stored = np.asarray(Image.open(raw / row["path"]))
        np.testing.assert_array_equal(dataset.pixels(row["block"])[row["row"]][..., 0], stored)
        assert row["pixel_sha256"] == hashlib.sha256(stored.tobytes()).digest()
        assert row["file_sha256"] == hashlib.sha256((raw / row["path"]).read_bytes()).digest()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "nested-zip"])
def test_an_archive_gives_the_same_bytes_as_its_folder(
    class_folders: MakeFolders, tmp_path: Path, kind: str
) -> None:
    raw = class_folders({"train/happy": 3, "train/sad": 3, "test/happy": 2})
    archive = tmp_path / f"raw.{kind.removeprefix('nested-')}"
    if kind.endswith("zip"):
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            for path in raw.rglob("*.png"):
                inside = "set/v1" if kind == "nested-zip" else "."
                opened.write(path, Path(inside) / path.relative_to(raw))
    else:
        with tarfile.open(archive, "w:gz" if kind == "tar.gz" else "w") as opened_tar:
            opened_tar.add(raw, arcname=".")
    from_folder = ingest_quietly(raw, tmp_path / "a")
    from_archive = ingest_quietly(archive, tmp_path / "b")
    assert from_archive.samples().equals(from_folder.samples())
    assert tree_digest(tmp_path / "b" / "pixels") == tree_digest(tmp_path / "a" / "pixels")


def write_dirt(raw: Path) -> dict[str, str]:
    """Adds every kind of bad file to a folder; gives path → the reason it must be rejected for."""
    folder = raw / "happy"
    picture = png_bytes(face_pixels(999))
    (folder / "corrupt.png").write_bytes(picture[:60] + b"\0\0\0\0" + picture[64:])
    (folder / "truncated.png").write_bytes(picture[: len(picture) // 2])
    (folder / "zero.png").write_bytes(b"")
    (folder / "text.png").write_text("I am a text file")
    (folder / ".hidden.png").write_bytes(picture)
    Image.new("L", (1, 1)).save(folder / "tiny.png")
    Image.new("1", (20_000, 20_000)).save(folder / "huge.png")
    (folder / "loop").symlink_to(raw, target_is_directory=True)
    (folder / "broken.png").symlink_to(raw / "nowhere.png")
    # reading this one fails even for root, as a file of another user would
    (folder / "unreadable.png").symlink_to("/proc/self/mem")
    os.mkfifo(folder / "pipe.png")
    (raw / "homeless.png").write_bytes(picture)
    return {
        "happy/corrupt.png": "corrupt",
        "happy/truncated.png": "truncated",
        "happy/zero.png": "empty",
        "happy/text.png": "not-an-image",
        "happy/.hidden.png": "hidden",
        "happy/tiny.png": "too-small",
        "happy/huge.png": "too-large",
        "happy/loop": "link-loop",
        "happy/broken.png": "unreadable",
        "happy/unreadable.png": "unreadable",
        "happy/pipe.png": "not-a-file",
        "homeless.png": "no-class",
    }


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_every_kind_of_bad_file_is_rejected_with_its_reason(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    raw = class_folders({"happy": 3, "sad": 3})
    expected = write_dirt(raw)
    (raw / "happy" / "glücklich-嬉しい.png").write_bytes(png_bytes(face_pixels(50)))
    (raw / "sad" / os.fsdecode(b"latin-\xe9.png")).write_bytes(png_bytes(face_pixels(51)))
    dataset, report = ingest(raw, tmp_path / "ds", ALL_ALLOWED, workers=1)
    rejected = dataset.rejected().to_pylist()
    assert {row["path"]: row["reason"] for row in rejected} == expected
    assert all(row["detail"] for row in rejected)
    paths = dataset.samples()["path"].to_pylist()
    assert "happy/glücklich-嬉しい.png" in paths
    assert "sad/latin-\\xe9.png" in paths
    assert report.num_samples == 8


def test_no_name_needs_to_be_utf8(class_folders: MakeFolders, tmp_path: Path) -> None:
    raw = class_folders({"happy": 2, "sad": 2}, os.fsdecode(b"b\xe4r/caf\xe9"))
    dataset = ingest_quietly(raw, tmp_path / "ds")
    assert {key.split("/")[0] for key in dataset.samples()["key"].to_pylist()} == {"caf\\xe9"}
    (record,) = Dataset.open(tmp_path / "ds").info.sources
    assert (record.name, record.paths) == ("caf\\xe9", {"path": str(raw)})
    labels = raw / os.fsdecode(b"l\xe4bel.csv")
    rows = "path,Gefühl,größe\nhappy/0000.png,Ärger,1\nhappy/0001.png,Freude,groß\n"
    labels.write_bytes(rows.encode("latin-1"))
    settings = SourceSettings(labels=labels, label_column="gef\\xfchl", name="words")
    dataset = ingest_quietly(raw, tmp_path / "ds", IngestSettings(source=settings, max_rejected=1))
    found = {r["label"]: dict(r["attributes"]) for r in dataset.samples().to_pylist()[4:]}
    folder = {"folder_label": "happiness"}
    assert found == {
        "\\xc4rger": {"gr\\xf6\\xdfe": "1", **folder},
        "freude": {"gr\\xf6\\xdfe": "gro\\xdf", **folder},
    }
    assert dataset.info.sources[1].settings["labels"] == "l\\xe4bel.csv"
    with pytest.raises(DatasetError, match="the name is not UTF-8; name another folder"):
        ingest_quietly(raw, tmp_path / os.fsdecode(b"s\xe4t"))


def test_too_many_rejections_fail_but_lose_nothing(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    raw = class_folders({"happy": 10})
    (raw / "happy" / "bad.png").write_bytes(b"")
    with pytest.raises(TooManyRejectionsError, match=r"1 of 11 files \(9.1%\).*more than 5%") as e:
        ingest(raw, tmp_path / "ds", IngestSettings(), workers=1)
    assert "1 empty" in str(e.value)
    assert "bad.png" in str(e.value)
    assert "--max-rejected" in str(e.value)
    with pytest.raises(DatasetError, match="ferdata ingest"):
        Dataset.open(tmp_path / "ds").samples()
    before = tree_digest(tmp_path / "ds" / "pixels")
    _, report = ingest(raw, tmp_path / "ds", IngestSettings(max_rejected=0.10), workers=1)
    assert report.num_blocks_done_before == 1
    assert tree_digest(tmp_path / "ds" / "pixels") == before


def test_a_source_without_samples_is_taken_out_again(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    raw = class_folders({"happy": 3, "sad": 2})
    homeless = class_folders({".": 2}, "loose")
    message = r'source "loose": no sample in 2 files: 2 no-class; the first is 0000.png'
    with pytest.raises(EmptySourceError, match=message):
        ingest_quietly(homeless, tmp_path / "ds")
    large = IngestSettings(image=ImageSettings(size=64))  # nothing speaks against another form
    first = ingest(raw, tmp_path / "ds", large, workers=1)[0]
    with pytest.raises(EmptySourceError, match=message):
        ingest_quietly(homeless, tmp_path / "ds")
    assert Dataset.open(tmp_path / "ds").info == first.info
    assert len(Dataset.open(tmp_path / "ds").samples()) == 5


def test_what_is_left_out_of_a_source_is_told_where_nothing_is_left(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    raw = class_folders({"angry": 3})
    dropped = IngestSettings(source=SourceSettings(class_map={"anger": "drop"}), max_rejected=1)
    with pytest.raises(EmptySourceError, match=r"3 dropped-class.*ask for more of it \(--map"):
        ingest(raw, tmp_path / "ds", dropped, workers=1)


def test_rejections_are_counted_for_each_source_by_its_own_limit(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    bad, good = class_folders({"happy": 4}, "bad"), class_folders({"sad": 96}, "good", 50)
    (bad / "happy" / "bad.png").write_bytes(b"")
    (bad / "happy" / ".hidden.png").write_bytes(b"")
    message = r'source "bad": 1 of 5 files \(20.0%\).* than 0.5%: 1 empty; .*begin anew remove'
    for raw in (bad, good):
        with pytest.raises(TooManyRejectionsError, match=message):
            ingest(raw, tmp_path / "ds", IngestSettings(max_rejected=0.005), workers=1)
    ingest(bad, tmp_path / "ds", IngestSettings(max_rejected=0.2), workers=1)
    _, report = ingest(good, tmp_path / "ds", IngestSettings(), workers=1)
    assert report.reasons == {"hidden": 1, "empty": 1}


def test_hidden_files_are_counted_but_hold_nothing_up(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    raw = class_folders({"happy": 2})
    for number in range(10):
        (raw / f"._{number}.png").write_bytes(b"x")
    _, report = ingest(raw, tmp_path / "ds", IngestSettings(), workers=1)
    assert report.reasons == {"hidden": 10}


def test_a_bad_file_can_stop_everything(class_folders: MakeFolders, tmp_path: Path) -> None:
    raw = class_folders({"happy": 2})
    (raw / "happy" / "bad.png").write_bytes(b"")
    with pytest.raises(SourceError, match=r"bad\.png: empty"):
        ingest_quietly(raw, tmp_path / "ds", IngestSettings(on_error="raise"))


def test_any_number_of_workers_gives_the_same_bytes(
    class_folders: MakeFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_data.ingest.BLOCK_FILES", 16)
    raw = class_folders({"happy": 30, "sad": 30, "neutral": 30})
    for workers in (1, 2):
        ingest(raw, tmp_path / f"ds{workers}", IngestSettings(), workers=workers)
    assert tree_digest(tmp_path / "ds1") == tree_digest(tmp_path / "ds2")
    assert len(list((tmp_path / "ds1" / "pixels").iterdir())) == 6


def test_only_a_changed_block_is_read_again(
    class_folders: MakeFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_data.ingest.BLOCK_FILES", 10)
    raw = class_folders({"happy": 30})
    first = ingest_quietly(raw, tmp_path / "ds")
    (raw / "happy" / "0015.png").write_bytes(png_bytes(face_pixels(777)))
    again, report = ingest(raw, tmp_path / "ds", IngestSettings(), workers=1)
    assert report.num_blocks_done_before == 2
    assert again.fingerprint("ingest") != first.fingerprint("ingest")
    np.testing.assert_array_equal(again.pixels(1)[5][..., 0], face_pixels(777))


def stop_after_one_block(raw: Path, out: Path) -> None:
    """Ingests as a run that is killed when its first block is read."""

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(raw, out, ALL_ALLOWED, workers=1, on_progress=stop)


def test_old_blocks_of_a_source_that_is_read_again_never_pass_for_new_ones(
    class_folders: MakeFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_data.ingest.BLOCK_FILES", 2)
    raw = class_folders({"happy": 6}, "m")
    ingest_quietly(raw, tmp_path / "ds")
    (raw / "happy" / "0000a.png").write_bytes(png_bytes(face_pixels(77)))
    (raw / "happy" / "0004.png").unlink()
    stop_after_one_block(raw, tmp_path / "ds")
    other = class_folders({"sad": 2}, "n", 50)
    with pytest.raises(DatasetError, match='source "m" has not been read to its end'):
        ingest_quietly(other, tmp_path / "ds")
    ingest_quietly(raw, tmp_path / "ds")
    dataset = ingest_quietly(other, tmp_path / "ds")
    found = [path.name for path in sorted(raw.rglob("*.png"))]
    listed = dataset.samples()["path"].to_pylist()
    assert [Path(path).name for path in listed] == [*found, "0000.png", "0001.png"]


def test_blocks_that_a_shrunken_source_leaves_are_not_those_of_the_next(
    class_folders: MakeFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_data.ingest.BLOCK_FILES", 2)
    raw = class_folders({"happy": 6}, "m")
    ingest_quietly(raw, tmp_path / "ds")
    for number in range(2, 6):
        (raw / "happy" / f"{number:04d}.png").unlink()
    ingest_quietly(raw, tmp_path / "ds")
    stop_after_one_block(class_folders({"sad": 4}, "n", 50), tmp_path / "ds")
    with pytest.raises(DatasetError, match='source "n" has not been read to its end'):
        ingest_quietly(raw, tmp_path / "ds")


def test_a_second_source_is_added_with_keys_of_its_own(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    ingest_quietly(class_folders({"happy": 3, "sad": 2}, "one"), tmp_path / "ds")
    dataset = ingest_quietly(class_folders({"happy": 2, "tired": 4}, "two", 100), tmp_path / "ds")
    keys = dataset.samples()["key"].to_pylist()
    assert len(set(keys)) == 11
    assert {key.split("/")[0] for key in keys} == {"one", "two"}
    assert dataset.class_names == ("happiness", "sadness", "tired")


def test_a_second_source_of_one_name_does_not_replace_the_first(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    anna, bert = (class_folders({"happy": 2}, f"{name}/faces") for name in ("anna", "bert"))
    ingest_quietly(anna, tmp_path / "ds")
    with pytest.raises(DatasetError, match=r'"faces" was read from .*anna/faces.*another --name'):
        ingest_quietly(bert, tmp_path / "ds")
    assert len(Dataset.open(tmp_path / "ds").samples()) == 2
    named = IngestSettings(source=SourceSettings(name="bert"))
    assert len(ingest_quietly(bert, tmp_path / "ds", named).samples()) == 4
    assert len(ingest_quietly(anna.parent / "." / "faces", tmp_path / "ds").samples()) == 4


def test_a_source_that_was_moved_is_known_again(class_folders: MakeFolders, tmp_path: Path) -> None:
    raw = class_folders({"happy": 2}, "old/faces")
    ingest_quietly(raw, tmp_path / "ds")
    moved = raw.rename(tmp_path / "faces")
    dataset, report = ingest(moved, tmp_path / "ds", ALL_ALLOWED, workers=1)
    assert report.num_blocks_done_before == 1
    assert [source.paths["path"] for source in dataset.info.sources] == [str(moved)]


@pytest.mark.parametrize("name", ["", " ", "two/happy"])
def test_a_name_that_keys_could_not_begin_with_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f'without "/".*received "{name}"'):
        SourceSettings(name=name)


def test_another_form_of_image_is_refused(class_folders: MakeFolders, tmp_path: Path) -> None:
    raw = class_folders({"happy": 2})
    ingest_quietly(raw, tmp_path / "ds")
    rgb = IngestSettings(image=ImageSettings(size=64, color="rgb"))
    with pytest.raises(DatasetError, match="48x48 gray, not 64x64 rgb"):
        ingest(raw, tmp_path / "ds", rgb, workers=1)


def test_a_folder_of_other_things_is_not_written_into(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    raw = class_folders({"happy": 2})
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("x")
    with pytest.raises(DatasetError, match="holds files but no data set"):
        ingest_quietly(raw, tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter1.tex"]


def test_a_kill_before_there_is_a_data_set_is_gone_on_from(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    (tmp_path / "ds").mkdir()
    (tmp_path / "ds" / ".dataset.json.4711.tmp").write_bytes(b"{")
    assert len(ingest_quietly(class_folders({"happy": 2}), tmp_path / "ds").samples()) == 2
    assert not list((tmp_path / "ds").rglob(".*"))


def test_a_data_set_does_not_stand_in_its_own_source(class_folders: MakeFolders) -> None:
    raw = class_folders({"happy": 2})
    with pytest.raises(SettingsError, match="inside its own source"):
        ingest_quietly(raw, raw / "dataset")
    assert not (raw / "dataset").exists()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("missing", None, "no such file or folder"),
        ("x.rar", b"Rar!", "cannot be read as a source; expected a folder"),
        ("x.zip", b"PK\x03\x04 broken", "cannot be read as a source"),
        ("x.tar", b"", "cannot be read as a source"),
        ("x.csv", b"", "columns are missing; expected emotion, pixels, Usage"),
        ("x.csv", b"a,b\n1,2\n", "columns are a, b; expected emotion, pixels, Usage"),
        ("x.csv", b"\xff\xfe\x00", "not a text file"),
    ],
)
def test_a_source_that_cannot_be_understood_is_one_clear_error(
    tmp_path: Path, name: str, data: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(SourceError, match=name) as caught:
        inspect_source(path, IngestSettings())
    assert message in str(caught.value)


def test_a_data_set_beside_pictures_in_a_table_is_no_part_of_them(
    class_folders: MakeFolders,
) -> None:
    raw = class_folders({"pictures": 2})
    (raw / "faces.csv").write_text("path,label\npictures/0000.png,happy\npictures/0001.png,sad\n")
    for _ in range(2):
        _, report = ingest(raw / "faces.csv", raw / "dataset", ALL_ALLOWED, workers=1)
        assert report.num_files == 3
    record, _ = inspect_source(raw / "faces.csv", ALL_ALLOWED, dataset_dir=raw / "dataset")
    assert record.num_files == 3


def test_class_folders_without_a_file_are_told(class_folders: MakeFolders, tmp_path: Path) -> None:
    raw = class_folders({"train/happy": 2, "train/sad": 2})
    _, remarks = inspect_source(raw, ALL_ALLOWED)
    for folder in ("Disgust", "fear", "notes"):
        (raw / "train" / folder).mkdir()
    assert inspect_source(raw, ALL_ALLOWED)[1] == (
        *remarks, "class folders without a file: train/Disgust, train/fear",
    )  # fmt: skip


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no picture files"):
        inspect_source(tmp_path / "empty", IngestSettings())


def test_a_named_manifest_must_fit(class_folders: MakeFolders) -> None:
    raw = class_folders({"happy": 2})
    settings = IngestSettings(source=SourceSettings(manifest="fer2013"))
    with pytest.raises(SourceError, match="not laid out as fer2013 is"):
        inspect_source(raw, settings)


def write_fer2013_csv(path: Path, images: list[np.ndarray], *, blanks: bool = False) -> None:
    order = "emotion, Usage, pixels" if blanks else "emotion,pixels,Usage"
    usages = ["Training", "PublicTest", "PrivateTest"]
    lines = [order]
    for number, image in enumerate(images):
        text = " ".join(map(str, image.ravel()))
        usage = usages[number % 3]
        cells = [str(number % 7), usage, text] if blanks else [str(number % 7), text, usage]
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("blanks", [False, True])
@pytest.mark.parametrize("in_folder", [False, True])
def test_fer2013_csv_is_read_pixel_by_pixel(tmp_path: Path, blanks: bool, in_folder: bool) -> None:
    images = [face_pixels(seed) for seed in range(9)]
    (tmp_path / "raw").mkdir()
    csv = tmp_path / "raw" / "fer2013.csv"
    write_fer2013_csv(csv, images, blanks=blanks)
    dataset = ingest_quietly(csv.parent if in_folder else csv, tmp_path / "ds")
    rows = dataset.samples().to_pylist()
    assert [row["split"] for row in rows] == ["train", "validation", "test"] * 3
    assert [row["label"] for row in rows[:3]] == ["anger", "disgust", "fear"]
    for row, image in zip(rows, images, strict=True):
        np.testing.assert_array_equal(dataset.pixels(0)[row["row"]][..., 0], image)


def test_bad_rows_of_a_csv_are_rejected_one_by_one(tmp_path: Path) -> None:
    csv = tmp_path / "fer2013.csv"
    write_fer2013_csv(csv, [face_pixels(0)])
    pixels = " ".join(["7"] * 2304)
    with csv.open("a") as file:
        file.write(f"9,{pixels},Training\n")
        file.write(f"0,{pixels} 7,Training\n")
        file.write(f"0,{pixels[:-1]}300,Training\n")
        file.write(f"0,{pixels[:-1]}x,Training\n")
        file.write("0,1 2 3\n\n\n")
    dataset = ingest_quietly(csv, tmp_path / "ds")
    reasons = [row["reason"] for row in dataset.rejected().to_pylist()]
    assert reasons == ["unknown-class", "truncated", "corrupt", "corrupt", "corrupt"]
    assert len(dataset.samples()) == 1


def test_a_cr_inside_a_row_of_a_csv_is_that_rows_trouble_alone(tmp_path: Path) -> None:
    csv = tmp_path / "fer2013.csv"
    write_fer2013_csv(csv, [face_pixels(seed) for seed in range(3)])
    lines = csv.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b" ", b"\r", 1)
    csv.write_bytes(b"\r\n".join(lines))
    dataset = ingest_quietly(csv, tmp_path / "ds")
    (bad,) = dataset.rejected().to_pylist()
    assert (bad["path"], bad["reason"]) == ("row-0000001", "corrupt")
    assert dataset.samples()["path"].to_pylist() == ["row-0000000", "row-0000002"]
    np.testing.assert_array_equal(dataset.pixels(0)[1][..., 0], face_pixels(2))


def test_a_csv_whose_lines_end_in_cr_is_read_or_refused(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    raw = class_folders({"pictures": 1})
    (raw / "faces.csv").write_bytes(b"path,label\rpictures/0000.png,happy\r")
    assert len(ingest_quietly(raw / "faces.csv", tmp_path / "ds").samples()) == 1
    csv = tmp_path / "fer2013.csv"
    write_fer2013_csv(csv, [face_pixels(0)])
    csv.write_bytes(csv.read_bytes().replace(b"\n", b"\r"))
    with pytest.raises(SourceError, match="fer2013.csv: its lines end in CR alone; expected LF"):
        inspect_source(csv, IngestSettings())


def test_large_pictures_in_a_csv_are_read(tmp_path: Path) -> None:
    manifest = tmp_path / "large.toml"
    layout = 'kind="csv-pixels"\nlabel="emotion"\npixels="pixels"\nsplit="Usage"'
    manifest.write_text(
        'name="large"\ntitle="x"\nclasses=[{name="happy",code=0}]\n'
        f"[[layouts]]\n{layout}\nheight=224\nwidth=224\n"
    )
    picture = np.full((224, 224), 200, np.uint8)
    write_fer2013_csv(tmp_path / "large.csv", [picture])
    settings = IngestSettings(source=SourceSettings(manifest=str(manifest)))
    dataset = ingest_quietly(tmp_path / "large.csv", tmp_path / "ds", settings)
    assert dataset.samples()["height"].to_pylist() == [224]


def test_a_damaged_archive_member_is_one_rejection(tmp_path: Path) -> None:
    archive = tmp_path / "raw.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for number in range(3):
            opened.writestr(f"happy/{number}.png", png_bytes(face_pixels(number)))
    data = bytearray(archive.read_bytes())
    data[data.find(b"IDAT") + 20] ^= 0xFF
    archive.write_bytes(data)
    dataset = ingest_quietly(archive, tmp_path / "ds")
    assert dataset.rejected()["reason"].to_pylist() == ["unreadable"]
    assert len(dataset.samples()) == 2


def test_a_damaged_lzma_member_is_one_rejection(tmp_path: Path) -> None:
    archive = tmp_path / "raw.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as opened:
        for number in range(2):
            opened.writestr(f"happy/{number}.png", png_bytes(face_pixels(number)))
        start = opened.infolist()[1].header_offset
    data = bytearray(archive.read_bytes())
    data[start + 50 : start + 90] = b"\xff" * 40
    archive.write_bytes(data)
    dataset = ingest_quietly(archive, tmp_path / "ds")
    assert dataset.rejected()["reason"].to_pylist() == ["unreadable"]
    assert len(dataset.samples()) == 1


@pytest.mark.parametrize(("found", "changed"), [(b"\xc3\xa9", b"\xff\xff"), (b"\x14\0", b"\x63\0")])
def test_a_damaged_list_of_members_is_one_clear_error(
    tmp_path: Path, found: bytes, changed: bytes
) -> None:
    archive = tmp_path / "raw.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("happy/é.png", png_bytes(face_pixels(0)))
    data = archive.read_bytes()
    place = data.find(found, data.rfind(b"PK\x01\x02") + 5)  # names, or the version that is needed
    archive.write_bytes(data[:place] + changed + data[place + 2 :])
    with pytest.raises(SourceError, match="raw.zip: not a readable ZIP archive"):
        inspect_source(archive, IngestSettings())


def test_an_archive_that_takes_the_place_of_another_is_read_anew(tmp_path: Path) -> None:
    for seed, name in ((1, "happy"), (2, "sad")):
        with zipfile.ZipFile(tmp_path / "new.zip", "w") as opened:
            opened.writestr(f"{name}/a.png", png_bytes(face_pixels(seed)))
        (tmp_path / "new.zip").replace(tmp_path / "raw.zip")
        dataset = ingest_quietly(tmp_path / "raw.zip", tmp_path / "ds")
        assert dataset.samples()["path"].to_pylist() == [f"{name}/a.png"]
        np.testing.assert_array_equal(dataset.pixels(0)[0][..., 0], face_pixels(seed))


def test_the_later_of_two_members_of_one_name_counts(tmp_path: Path) -> None:
    archive = tmp_path / "raw.tar"
    with tarfile.open(archive, "w") as opened:
        for seed in (1, 2):
            data = png_bytes(face_pixels(seed))
            member = tarfile.TarInfo("happy/a.png")
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
    dataset = ingest_quietly(archive, tmp_path / "ds")
    assert dataset.rejected()["reason"].to_pylist() == ["duplicate-name"]
    np.testing.assert_array_equal(dataset.pixels(0)[0][..., 0], face_pixels(2))


def test_a_damaged_block_or_info_is_one_clear_error(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    ingest_quietly(class_folders({"happy": 2}), tmp_path / "ds")
    (tmp_path / "ds" / "samples" / "block-00000.parquet").write_bytes(b"junk")
    with pytest.raises(DatasetError, match="block-00000.parquet: cannot be read"):
        Dataset.open(tmp_path / "ds").samples()
    (tmp_path / "ds" / "dataset.json").write_text('{"format": 3')
    with pytest.raises(DatasetError, match="dataset.json: not a ferkit data set"):
        Dataset.open(tmp_path / "ds")
    (tmp_path / "ds" / "dataset.json").write_bytes(b'{"format": "\xff"}')
    with pytest.raises(DatasetError, match="dataset.json: not a ferkit data set"):
        Dataset.open(tmp_path / "ds")


@pytest.mark.slow
def test_kill_at_any_moment_then_the_same_command_gives_the_same_bytes(tmp_path: Path) -> None:
    raw = tmp_path / "raw.zip"
    with zipfile.ZipFile(raw, "w") as opened:
        for seed in range(400):
            folder = ("happy", "sad", "fear")[seed % 3]
            opened.writestr(f"{folder}/{seed:05d}.png", png_bytes(face_pixels(seed, 256)))
    code = (
        "import sys, fer_data.ingest as i; from pathlib import Path; i.BLOCK_FILES = 8\n"
        "if __name__ == '__main__':\n"
        "    i.ingest(Path(sys.argv[1]), Path(sys.argv[2]), i.IngestSettings(), workers=2)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)

    def start(out: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, script, raw, tmp_path / out])

    def num_files(out: str) -> int:
        return sum(len(files) for _, _, files in os.walk(tmp_path / out))

    assert start("whole").wait() == 0
    whole, most = tree_digest(tmp_path / "whole"), num_files("whole")
    num_killed = 0
    for enough in np.random.default_rng(0).integers(0, int(0.8 * most), 10):
        process = start("killed")
        children: list[psutil.Process] = []
        while num_files("killed") <= enough and process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
            time.sleep(0.005)
        num_killed += process.poll() is None
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive, "workers outlive their coordinator"
        assert start("killed").wait() == 0
        assert tree_digest(tmp_path / "killed") == whole
        shutil.rmtree(tmp_path / "killed")
    assert num_killed >= 5
