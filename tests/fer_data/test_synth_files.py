"""Laws of the written set: the ledger is the truth, same settings same bytes."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fer_data.errors import SettingsError
from fer_data.ingest import IngestSettings, inspect_source
from fer_data.synth import (
    KINDS,
    LEDGER_COLUMNS,
    LEDGER_NAME,
    SynthSettings,
    draw_face,
    write_faces,
)
from fer_data.synth.files import count_dirt, plan_files
from fer_data.synth.writer import MARKER_NAME

DIRTY = SynthSettings(num_samples=160, dirt=0.3, splits=True, seed=5)
Row = dict[str, str]


@pytest.fixture(scope="module")
def dirty_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out_dir = tmp_path_factory.mktemp("synth") / "dirty"
    write_faces(out_dir, DIRTY)
    return out_dir


def read_ledger(out_dir: Path) -> list[Row]:
    with (out_dir / LEDGER_NAME).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rows_of(out_dir: Path, kind: str) -> list[Row]:
    rows = [row for row in read_ledger(out_dir) if row["kind"] == kind]
    assert rows
    return rows


def hashes(out_dir: Path) -> dict[str, str]:
    return {
        path.relative_to(out_dir).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out_dir.rglob("*"))
        if path.is_file()
    }


def pixels(path: Path) -> NDArray[np.float64]:
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((48, 48)), dtype=np.float64)


def test_ledger_accounts_for_every_file(dirty_dir: Path) -> None:
    paths = [row["path"] for row in read_ledger(dirty_dir)]
    assert len(set(paths)) == len(paths)
    assert {*paths, LEDGER_NAME, MARKER_NAME} == set(hashes(dirty_dir))


def test_the_ledger_is_not_taken_for_a_label_file(dirty_dir: Path, tmp_path: Path) -> None:
    source, _ = inspect_source(dirty_dir, IngestSettings())
    assert source.manifest == "folders"


def test_ledger_row_agrees_with_the_path(dirty_dir: Path) -> None:
    for row in read_ledger(dirty_dir):
        assert tuple(row) == LEDGER_COLUMNS
        assert row["path"].startswith(f"{row['split']}/{row['folder_class']}/")
        assert row["kind"] in KINDS


def test_every_kind_of_dirt_appears(dirty_dir: Path) -> None:
    assert {row["kind"] for row in read_ledger(dirty_dir)} == set(KINDS)


def test_report_counts_what_was_written(tmp_path: Path) -> None:
    synth = SynthSettings(num_samples=40, dirt=0.1)
    report = write_faces(tmp_path / "set", synth)
    rows = read_ledger(tmp_path / "set")
    assert report.ledger_path == tmp_path / "set" / LEDGER_NAME
    assert report.num_files == report.num_written == len(rows)
    assert sum(report.class_counts.values()) == 40
    assert sum(report.kind_counts.values()) == len(rows)
    assert set(report.kind_counts) == set(KINDS) - {"leaking"}


@pytest.mark.parametrize("kind", ["duplicate", "leaking", "conflicting-label"])
def test_copies_are_byte_identical(dirty_dir: Path, kind: str) -> None:
    for row in rows_of(dirty_dir, kind):
        copy, source = dirty_dir / row["path"], dirty_dir / row["source_path"]
        assert copy.read_bytes() == source.read_bytes()


def test_copies_stand_where_their_kind_says(dirty_dir: Path) -> None:
    by_path = {row["path"]: row for row in read_ledger(dirty_dir)}
    for row in by_path.values():
        if not row["source_path"]:
            continue
        source = by_path[row["source_path"]]
        assert source["kind"] == "clean"
        assert (row["split"] != source["split"]) == (row["kind"] == "leaking")
        conflicting = row["kind"] == "conflicting-label"
        assert (row["folder_class"] != source["folder_class"]) == conflicting
        assert row["true_emotion"] == source["true_emotion"] == source["folder_class"]
        assert row["identity"] == source["identity"]


def test_near_duplicates_are_close_but_not_identical(dirty_dir: Path) -> None:
    rows = rows_of(dirty_dir, "near-duplicate")
    assert len(rows) >= 4
    for row in rows:
        copy, source = dirty_dir / row["path"], dirty_dir / row["source_path"]
        assert copy.read_bytes() != source.read_bytes()
        difference = np.abs(pixels(copy) - pixels(source)).mean()
        assert 0 < difference < 16, row
        assert np.corrcoef(pixels(copy).ravel(), pixels(source).ravel())[0, 1] > 0.8, row


def test_blank_is_uniform_and_black_is_zero(dirty_dir: Path) -> None:
    for row in rows_of(dirty_dir, "blank"):
        image = pixels(dirty_dir / row["path"])
        assert image.min() == image.max() > 0
    for row in rows_of(dirty_dir, "black"):
        assert pixels(dirty_dir / row["path"]).max() == 0


def test_truncated_files_start_well_and_fail_to_decode(dirty_dir: Path) -> None:
    for row in rows_of(dirty_dir, "truncated"):
        path = dirty_dir / row["path"]
        assert path.read_bytes()[:2] in (b"\x89P", b"\xff\xd8")
        with pytest.raises(OSError, match=r"truncated|cannot identify|broken"):
            pixels(path)


def test_zero_byte_wrong_type_and_hidden_are_no_pictures(dirty_dir: Path) -> None:
    assert {(dirty_dir / r["path"]).stat().st_size for r in rows_of(dirty_dir, "zero-byte")} == {0}
    for row in rows_of(dirty_dir, "wrong-type") + rows_of(dirty_dir, "hidden"):
        with pytest.raises(OSError, match="cannot identify"):
            pixels(dirty_dir / row["path"])
    assert all(Path(row["path"]).name.startswith(".") for row in rows_of(dirty_dir, "hidden"))


def test_files_without_a_face_have_no_emotion(dirty_dir: Path) -> None:
    for row in read_ledger(dirty_dir):
        faceless = row["kind"] in (
            "blank", "black", "non-face", "zero-byte", "wrong-type", "hidden",
        )  # fmt: skip
        assert (row["true_emotion"] == "") == faceless == (row["identity"] == "")


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize("num_samples", [200, 6000])
@pytest.mark.parametrize("dirt", [0.05, 0.5])
def test_unreadable_files_stay_under_five_percent(
    splits: bool, num_samples: int, dirt: float
) -> None:
    synth = SynthSettings(num_samples=num_samples, dirt=dirt, splits=splits)
    counts = count_dirt(synth)
    assert min(counts.values()) >= 1
    unreadable = counts["truncated"] + counts["zero-byte"] + counts["wrong-type"]
    assert unreadable < 0.05 * len(plan_files(synth))
    assert sum(counts.values()) == max(round(dirt * num_samples), len(counts))


def test_without_dirt_all_files_are_clean_faces() -> None:
    files = plan_files(SynthSettings(num_samples=100))
    assert {file.kind for file in files} == {"clean"}
    assert {file.path.count("/") for file in files} == {1}


def test_same_settings_give_the_same_bytes(tmp_path: Path, dirty_dir: Path) -> None:
    write_faces(tmp_path / "again", DIRTY)
    assert hashes(tmp_path / "again") == hashes(dirty_dir)


def test_interrupted_writing_is_completed_with_the_same_bytes(
    tmp_path: Path, dirty_dir: Path
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 100:
            raise KeyboardInterrupt

    out_dir = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        write_faces(out_dir, DIRTY, on_progress=stop)
    assert not (out_dir / LEDGER_NAME).exists()
    report = write_faces(out_dir, DIRTY)
    assert report.num_written == report.num_files - 100
    assert hashes(out_dir) == hashes(dirty_dir)
    assert write_faces(out_dir, DIRTY).num_written == 0


def test_progress_counts_up_to_all_files(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_faces(tmp_path, SynthSettings(num_samples=9), on_progress=lambda *p: seen.append(p))
    assert seen == [(k, 9) for k in range(1, 10)]


def test_a_folder_of_someone_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SettingsError, match="is not empty and was not written by synth"):
        write_faces(tmp_path, SynthSettings(num_samples=3))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_set_of_other_settings_is_refused_and_left_alone(tmp_path: Path) -> None:
    write_faces(tmp_path, SynthSettings(num_samples=3))
    before = hashes(tmp_path)
    with pytest.raises(SettingsError, match=r"other settings \(seed 0, now 1\)"):
        write_faces(tmp_path, SynthSettings(num_samples=3, seed=1))
    assert hashes(tmp_path) == before


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(SettingsError, match="is a file; expected a folder"):
        write_faces(tmp_path / "out", SynthSettings(num_samples=3))


@pytest.mark.parametrize("channels", [1, 3])
def test_clean_files_decode_to_the_drawn_faces(tmp_path: Path, channels: int) -> None:
    synth = SynthSettings(num_samples=12, channels=channels, dirt=0.5, splits=True)
    write_faces(tmp_path, synth)
    for index, row in enumerate(rows_of(tmp_path, "clean")):
        with Image.open(tmp_path / row["path"]) as image:
            decoded = np.asarray(image).reshape(48, 48, channels)
        face = draw_face(synth, index)
        np.testing.assert_array_equal(decoded, face.image)
        assert row["true_emotion"] == face.emotion
