"""Videos: the moments that are looked at, who is who, and files that are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_data.errors import SettingsError
from fer_models.errors import VideoError
from fer_models.tracks import Tracker
from fer_models.video import is_video, predict_video, read_facts, read_frames

SIZE = (64, 48)


def write_video(path, num_frames=20, fps=10.0, codec="MJPG", size=SIZE):
    """Frames whose brightness says their number: frame n is 10 + 10 n."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, size)
    assert writer.isOpened()
    for number in range(num_frames):
        writer.write(np.full((size[1], size[0], 3), 10 + 10 * (number % 24), np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "MJPG"), ("a.mp4", "mp4v"), ("a.mkv", "MJPG")]
)
def test_each_look_is_at_its_own_frame(tmp_path, name, codec):
    path = write_video(tmp_path / name, codec=codec)
    facts = read_facts(path)
    assert (facts.width, facts.height, facts.num_frames) == (*SIZE, 20)
    assert facts.fps == pytest.approx(10)
    assert facts.seconds == pytest.approx(2)
    frames = list(read_frames(path, looks_per_second=5))
    assert [frame.number for frame in frames] == list(range(0, 20, 2))
    for frame in frames:
        assert frame.time == pytest.approx(frame.number / 10)
        assert frame.pixels.shape == (SIZE[1], SIZE[0], 3)
        assert frame.pixels.mean() == pytest.approx(10 + 10 * frame.number, abs=4)


@pytest.mark.parametrize(
    ("looks", "numbers"),
    [(100, list(range(20))), (10, list(range(20))), (3, [0, 3, 7, 10, 13, 17]), (0.5, [0])],
)
def test_looks_are_as_far_apart_as_asked(tmp_path, looks, numbers):
    path = write_video(tmp_path / "a.avi")
    assert [frame.number for frame in read_frames(path, looks)] == numbers


def test_colors_are_red_green_blue(tmp_path):
    path = tmp_path / "red.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, SIZE)
    writer.write(np.full((SIZE[1], SIZE[0], 3), (0, 0, 255), np.uint8))  # BGR
    writer.release()
    (frame,) = read_frames(path)
    assert frame.pixels.reshape(-1, 3).mean(axis=0) == pytest.approx([255, 0, 0], abs=4)


def test_what_is_no_video_is_refused_by_what_it_is(tmp_path):
    for name, data, words in (
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"a face, described in words", "is no video; expected MP4"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "is no video"),
        ("list.avi", b"ffconcat version 1.0\nfile /etc/passwd\n", "is no video"),
        ("picture.avi", cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes(), "no video"),
        ("cut.mp4", b"\x00\x00\x00\x20ftypisom" + bytes(40), "damaged"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(VideoError, match=words) as caught:
            read_facts(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        read_facts(tmp_path / "missing.mp4")
    with pytest.raises(SettingsError, match="above 0"):
        next(read_frames(write_video(tmp_path / "a.avi"), 0))


def test_a_video_that_is_cut_off_gives_what_is_left(tmp_path):
    path = write_video(tmp_path / "a.avi", num_frames=200)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    numbers = [frame.number for frame in read_frames(path, 10)]
    assert numbers == list(range(len(numbers)))
    assert 10 <= len(numbers) < 200


def test_any_head_is_told_without_an_error():
    rng = np.random.default_rng(0)
    assert not any(is_video(rng.bytes(size)) for size in range(17))


class Seeing:
    """Says of each frame how bright it is, and how many frames it was given at once."""

    def __init__(self):
        self.batches = []

    def predict_samples(self, pictures):
        from fer_models.predict import FacePrediction, PicturePrediction

        self.batches.append(len(pictures))
        return [
            PicturePrediction(
                faces=(
                    FacePrediction(
                        class_name="x", probability=1.0, probabilities=(float(p.mean()),)
                    ),
                )
            )
            for p in pictures
        ]

    def cut_pixels(self, pictures):
        return pictures


def test_moments_come_in_order_and_few_frames_are_held(tmp_path):
    path = write_video(tmp_path / "a.avi", num_frames=50)
    held, read = [0], [0]

    def counted():
        for frame in read_frames(path, 10):
            held[0] += 1
            read[0] += 1
            yield frame

    seeing = Seeing()
    told = []
    for moment in predict_video(seeing, seeing, counted(), lambda *done: told.append(done)):
        assert read[0] - moment.frame <= 16
        assert moment.people == (1,)
        assert moment.faces[0].probabilities[0] == pytest.approx(
            10 + 10 * (moment.frame % 24), abs=4
        )
    assert read[0] == 50
    assert seeing.batches == [16, 16, 16, 2]
    assert told[-1] == (50, 0)


def test_people_keep_their_numbers_while_they_move_and_pause():
    tracker = Tracker()
    for step in range(40):
        left, right = (10 + 5 * step, 0, 50, 50), (400 - 5 * step, 80, 60, 60)
        boxes = [right, left] if step % 2 else [left, right]
        if step in {10, 11, 12}:  # turned away for a moment
            boxes = [left]
        people = tracker.follow(step / 10, boxes)
        expected = {(1, left), (2, right)} if len(boxes) == 2 else {(1, left)}
        if step:
            assert set(zip(people, boxes, strict=True)) == expected
    assert tracker.follow(10.0, [left]) == [3]  # long after: someone new


def test_the_nearest_box_wins():
    tracker = Tracker()
    tracker.follow(0.0, [(0, 0, 10, 10), (8, 0, 10, 10)])
    assert tracker.follow(0.1, [(7, 0, 10, 10), (1, 0, 10, 10)]) == [2, 1]
    assert tracker.follow(0.2, [None]) == [3]
    assert tracker.follow(0.3, [None]) == [3]
