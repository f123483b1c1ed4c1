"""Videos among the files: their rows, annotated copies, time lines, and constant memory."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from fer_data.errors import SettingsError
from fer_data.files import is_leftover, writing_path
from fer_models import annotated_video
from fer_models.annotated_video import _between, annotating_video
from fer_models.picture_faces import PictureSettings
from fer_models.predict import FacePrediction
from fer_models.predict_files import PredictSettings, predict_files
from fer_models.timeline import writing_timeline
from fer_models.video import Moment, is_video, read_facts, read_frames
from tests.conftest import face_pixels, png_bytes
from tests.fer_models.served import tiny_bundle
from tests.fer_models.test_video import write_video
from tests.fer_models.two_faces import truth_at, write_two_faces

NAMES = ("anger", "happiness", "neutral")


@pytest.fixture(scope="module")
def bundle_dir(tmp_path_factory, shard_writer):
    folder = tmp_path_factory.mktemp("shards")
    index = shard_writer(folder, {"train": [4]}, image_shape=(32, 32, 1))
    return tiny_bundle(tmp_path_factory.mktemp("run"), index)


@pytest.fixture
def mixed(tmp_path):
    """A folder of a picture, two seconds of video, half a video, and what is neither."""
    folder = tmp_path / "in"
    write_video(folder / "b.mp4", codec="mp4v")
    (folder / "a.png").write_bytes(png_bytes(face_pixels(1)))
    (folder / "c.png").write_bytes(png_bytes(face_pixels(2)))
    (folder / "bad.mp4").write_bytes((folder / "b.mp4").read_bytes()[:400])
    half = write_video(folder / "half.avi", num_frames=200)
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    (folder / "notes.txt").write_text("no picture")
    return folder


def predict_rows(bundle_dir, paths, **options):
    rows = []
    settings = PredictSettings(**options)
    return predict_files(bundle_dir, paths, settings, on_rows=rows.extend), rows


def seen(frame, time, *boxes, name=NAMES[0], people=None):
    faces = tuple(
        FacePrediction(class_name=name, probability=0.6, probabilities=(0.6, 0.3, 0.1), box=box)
        for box in boxes
    )
    people = range(len(faces)) if people is None else people
    return Moment(frame=frame, time=time, faces=faces, people=tuple(people))


def test_a_video_gives_a_row_a_face_a_moment(bundle_dir, mixed, caplog):
    told = []
    report = predict_files(
        bundle_dir, [mixed], PredictSettings(), on_progress=lambda *done: told.append(done)
    )
    rows = predict_rows(bundle_dir, [mixed])[1]
    by_name = {}
    for row in rows:
        by_name.setdefault(row.path.name, []).append(row)
    assert list(by_name) == ["a.png", "b.mp4", "bad.mp4", "c.png", "half.avi", "notes.txt"]
    assert [row.time for row in by_name["b.mp4"]] == pytest.approx([n / 5 for n in range(10)])
    assert {row.person for row in by_name["b.mp4"]} == {1}
    assert {row.face for row in by_name["b.mp4"]} == {1}
    (bad,) = by_name["bad.mp4"]
    assert (bad.reason, bad.time, bad.person) == ("corrupt", None, None)
    assert str(mixed) not in bad.detail
    assert 5 <= len(by_name["half.avi"]) < 100
    assert "half.avi" in caplog.text
    assert "cut off" in caplog.text
    assert by_name["notes.txt"][0].reason == "not-an-image"
    assert (by_name["a.png"][0].time, by_name["a.png"][0].person) == (None, None)
    assert (report.num_files, report.num_failed) == (6, 2)
    assert report.num_looks == 10 + len(by_name["half.avi"])
    assert report.num_faces == report.num_looks + 2
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert all(done <= total for done, total in told)
    assert told[-1][0] == report.num_looks + 4


def test_more_looks_are_more_rows(bundle_dir, tmp_path):
    path = write_video(tmp_path / "a.mp4", codec="mp4v")
    assert len(predict_rows(bundle_dir, [path], looks_per_second=100)[1]) == 20
    assert len(predict_rows(bundle_dir, [path], looks_per_second=1)[1]) == 2
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match="looks per second must be above 0"):
            PredictSettings(looks_per_second=wrong)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_form_of_the_table_has_time_and_person(bundle_dir, mixed, tmp_path, suffix):
    table = tmp_path / f"table{suffix}"
    predict_rows(bundle_dir, [mixed / "a.png", mixed / "b.mp4"], table=table)
    if suffix == ".parquet":
        rows = pq.read_table(table).to_pylist()
    elif suffix == ".jsonl":
        rows = [json.loads(line) for line in table.read_text().splitlines()]
    else:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["path", "time", "person", "face"]
    assert not rows[0]["time"]
    assert rows[0]["person"] in {None, ""}
    assert [float(row["time"]) for row in rows[1:]] == [n / 5 for n in range(10)]
    assert {int(row["person"]) for row in rows[1:]} == {1}


def test_a_video_in_an_archive_is_seen_as_outside(bundle_dir, mixed, tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(mixed / "b.mp4", "clips/b.mp4")
    outside = predict_rows(bundle_dir, [mixed / "b.mp4"])[1]
    inside = predict_rows(bundle_dir, [tmp_path / "in.zip"], annotate_dir=tmp_path / "out")[1]
    assert [row.probabilities for row in inside] == [row.probabilities for row in outside]
    assert inside[0].path == tmp_path / "in.zip" / "clips" / "b.mp4"
    assert (tmp_path / "out" / "clips" / "b.mp4").is_file()


def test_a_video_without_a_face_is_one_row(bundle_dir, tmp_path):
    path = write_video(tmp_path / "a.avi", size=(240, 160))
    asked = {"annotate_dir": tmp_path / "out", "timeline_dir": tmp_path / "out"}
    find = PictureSettings(faces="find")
    report, (row,) = predict_rows(bundle_dir, [path], pictures=find, **asked)
    assert (row.reason, row.detail, row.face) == ("no-face", "no face at any of 10 looks", None)
    assert (report.num_failed, report.num_looks) == (1, 10)
    assert not (tmp_path / "out").exists()


def test_pictures_in_the_box_of_a_video_are_no_videos():
    for brand in (b"avif", b"heic", b"mif1"):
        assert not is_video(b"\x00\x00\x00\x20ftyp" + brand + bytes(4))


def test_copies_and_time_lines_stand_beside_each_other(bundle_dir, mixed):
    out = mixed / "seen"
    outputs = {"annotate_dir": out, "timeline_dir": out, "grid": mixed.parent / "grid.png"}
    for _ in range(2):  # what an earlier call wrote is no input
        report, _ = predict_rows(bundle_dir, [mixed], **outputs)
        assert report.num_files == 6
        assert sorted(path.name for path in out.iterdir()) == [
            "a.png", "b.mp4", "b.mp4.csv", "b.mp4.png", "c.png",
            "half.avi.csv", "half.avi.png", "half.mp4",
        ]  # fmt: skip
    assert read_facts(out / "b.mp4").num_frames == 20
    assert read_facts(out / "b.mp4").fps == pytest.approx(10)
    assert (out / "b.mp4.png").read_bytes().startswith(b"\x89PNG")
    with (out / "b.mp4.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["time", "person", "class", *(f"p_{name}" for name in NAMES)]
    assert [row["time"] for row in rows[:3]] == ["0.000", "0.200", "0.400"]
    assert sum(float(rows[0][f"p_{name}"]) for name in NAMES) == pytest.approx(1, abs=1e-5)
    assert (mixed.parent / "grid.png").read_bytes().startswith(b"\x89PNG")


def test_every_frame_is_in_the_copy_and_boxes_move_between_moments(tmp_path):
    path = write_video(tmp_path / "a.mp4", codec="mp4v", size=(400, 300))
    with annotating_video(path, tmp_path / "out" / "a.mp4", NAMES) as take:
        take(seen(4, 0.4, (20, 100, 80, 80)))
        take(seen(8, 0.8, (220, 100, 80, 80)))
        assert not (tmp_path / "out" / "a.mp4").exists()
    plain, copy = (
        [frame.pixels.astype(int) for frame in read_frames(each, 100)]
        for each in (path, tmp_path / "out" / "a.mp4")
    )
    assert len(copy) == len(plain) == 20
    differ = [np.abs(a - b).max(axis=2) > 60 for a, b in zip(plain, copy, strict=True)]
    assert not any(each.any() for each in differ[:4])
    edges = [np.flatnonzero(each[150]).min() for each in differ[4:]]
    assert edges[0] == pytest.approx(20, abs=3)
    assert edges[2] == pytest.approx(120, abs=3)  # half way
    assert edges[4:] == pytest.approx([220] * 12, abs=3)


def test_people_who_leave_stay_until_the_next_look():
    first = seen(0, 0, (0, 0, 10, 10), None, (50, 0, 10, 10), people=(3, 4, 5))
    second = seen(4, 1, (100, 0, 20, 10), None, people=(3, 4))
    boxes = [face.box for face in _between(first, second, 0.5)]
    assert boxes == [(50, 0, 15, 10), None, (50, 0, 10, 10)]


def test_an_odd_or_tiny_video_can_be_annotated(tmp_path):
    for size in ((33, 21), (401, 301), (8, 8)):
        path = write_video(tmp_path / f"{size[0]}.avi", size=size)
        copy = tmp_path / f"{size[0]}.mp4"
        with annotating_video(path, copy, NAMES) as take:
            take(seen(0, 0.0, None))
        assert read_facts(copy).num_frames == 20


class Full:
    """Loses all frames but the first ones, as a full disk does."""

    def __init__(self, *arguments):
        self._writer = cv2.VideoWriter(*arguments)
        self._num_written = 0

    def write(self, image):
        self._num_written += 1
        if self._num_written < 5:
            self._writer.write(image)

    def __getattr__(self, name):
        return getattr(self._writer, name)


def interrupt(take):
    take(seen(5, 0.5, None))
    raise ValueError("enough")


def test_nothing_half_written_stands_under_the_name(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.avi", size=(400, 300))
    copy = tmp_path / "out" / "a.mp4"
    with writing_path(copy) as beside:
        assert is_leftover(beside)  # if it is killed now
    copy.unlink()
    with pytest.raises(ValueError, match="enough"), annotating_video(path, copy, NAMES) as take:
        interrupt(take)
    assert not list((tmp_path / "out").iterdir())
    monkeypatch.setattr(annotated_video, "_open_writer", Full)
    full = pytest.raises(OSError, match="of 20 frames written")
    with full as caught, annotating_video(path, copy, NAMES) as take:
        take(seen(5, 0.5, None))
    assert caught.value.filename == str(copy)
    assert not list((tmp_path / "out").iterdir())


def test_a_time_line_of_many_people_shows_those_seen_most(tmp_path):
    table, figure = tmp_path / "a.csv", tmp_path / "a.png"
    with writing_timeline("a$b$.mp4", table, figure, NAMES) as take:
        for number in range(60):
            people = [person for person in range(6) if number % (person + 1) == 0]
            boxes = [(100 * person, 0, 50, 50) for person in people]
            take(seen(number, number / 5, *boxes, people=people))
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert len(table.read_text().splitlines()) == 1 + 60 + 30 + 20 + 15 + 12 + 10
    with writing_timeline("one", table, figure, NAMES) as take:
        take(seen(0, 0.0, None))
    assert len(table.read_text().splitlines()) == 2


_MEMORY = """
import sys
from pathlib import Path
import psutil
from fer_models.predict_files import PredictSettings, predict_files

most = [0, 0]

def look(done, total):
    now = psutil.Process().memory_info().rss
    most[done > 4] = max(most[done > 4], now)  # by then all is loaded

run_dir, video, out = map(Path, sys.argv[1:])
outputs = {"annotate_dir": out, "timeline_dir": out, "table": out / "table.csv"}
predict_files(run_dir, [video], PredictSettings(looks_per_second=1.0, **outputs), on_progress=look)
print(most[1])
"""


def test_memory_does_not_grow_with_the_length_of_a_video(bundle_dir, tmp_path):
    """Ten minutes of these frames are 155 MB."""
    most = []
    for seconds in (10, 600):
        path = write_video(
            tmp_path / f"{seconds}.avi", num_frames=2 * seconds, fps=2.0, size=(240, 180)
        )
        arguments = [str(bundle_dir), str(path), str(tmp_path / "out")]
        done = subprocess.run(
            [sys.executable, "-c", _MEMORY, *arguments], capture_output=True, text=True, check=True
        )
        most.append(int(done.stdout))
    assert most[1] - most[0] < 30e6


def fermodel(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "fermodel", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_the_command_tells_of_people_and_ends_quietly_when_interrupted(bundle_dir, tmp_path):
    path = write_video(tmp_path / "a.mp4", codec="mp4v")
    options = ("predict", bundle_dir, "a.mp4", "--looks", "2")
    said, wrong = fermodel(*options, cwd=tmp_path).communicate(timeout=120)
    assert "People in videos" in said, wrong
    assert "0:00 to 0:01.5" in said
    assert "4 faces on 1 of 1 files, 4 looks at videos" in said
    printed = fermodel(*options, "--csv", cwd=tmp_path).communicate(timeout=120)[0].splitlines()
    assert printed[0].startswith("path,time,person,face,left,")
    assert [line.split(",")[1] for line in printed[1:]] == ["0", "0.5", "1", "1.5"]
    path = write_video(tmp_path / "long.avi", num_frames=20_000)
    outputs = ("--out", "t.csv", "--annotate", "out", "--csv")
    # as in a terminal, also where a shell runs the tests in the background
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    started = fermodel("predict", bundle_dir, path, *outputs, cwd=tmp_path, **heard)
    assert started.stdout.readline()
    started.send_signal(signal.SIGINT)
    said, wrong = started.communicate(timeout=60)
    assert wrong.strip().splitlines()[-1].startswith("Error: interrupted")
    assert "Traceback" not in wrong
    assert not (tmp_path / "t.csv").exists()
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.realdata
def test_two_people_are_found_and_followed(bundle_dir, tmp_path, real_data_dir):
    weights = real_data_dir / "yunet_n_640_640.onnx"
    if not weights.is_file():
        pytest.skip(f"no {weights}")
    path = write_two_faces(tmp_path / "two.mp4", 20.0, fps=10.0)
    pictures = PictureSettings(faces="find", detector_weights=weights)
    rows = predict_rows(bundle_dir, [path], pictures=pictures, looks_per_second=2.0)[1]
    moments = sorted({row.time for row in rows})
    assert moments == pytest.approx([n / 2 for n in range(40)])
    owners, num_good = {}, 0
    for time in moments:
        boxes = {row.person: row.box for row in rows if row.time == time}
        found = {
            number: person
            for number, truth in enumerate(truth_at(time))
            for person, box in boxes.items()
            if overlap(box, truth.box) > 0.5
        }
        num_good += len(found) == len(boxes) == 2
        for number, person in found.items():
            owners.setdefault(number, set()).add(person)
    assert num_good >= 0.95 * len(moments)
    assert sorted(map(len, owners.values())) == [1, 1]
    assert owners[0] != owners[1]


def overlap(first, second):
    """Intersection over union."""
    corners = [
        max(0.0, min(a + c, b + d) - max(a, b))
        for a, b, c, d in zip(first[:2], second[:2], first[2:], second[2:], strict=True)
    ]
    shared = corners[0] * corners[1]
    return shared / (first[2] * first[3] + second[2] * second[3] - shared)
