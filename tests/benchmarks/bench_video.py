"""Speed of `fermodel predict` on a video of two people, its share of each step, and its memory.

    python tests/benchmarks/bench_video.py [WEIGHTS.onnx] [--keep FOLDER]

The video is generated: 60 s of two drawn people who pass each other and change their expressions at
known times, at 640x360 and 25 frames/s, looked at five times a second. Faces are found with YuNet's
WEIGHTS, or those found as `fermodel predict` finds them; without any by the cascade, which sees
fewer. The network is a small one that learned from a few drawn faces of other people; its
classes are held against what the video shows. Memory is that of a process each, at its highest.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.face_weights import find_detector_weights
from fer_data.faces import FaceSettings
from fer_data.image import ImageSettings
from fer_data.synth import SynthSettings, describe_face
from fer_data.synth.action_units import draw_action_units
from fer_data.synth.face import render
from fer_data.synth.sketch import Pose
from fer_models.annotated_video import annotating_video
from fer_models.picture_faces import PictureSettings, SampleCutter
from fer_models.predict import Predictor
from fer_models.predict_files import PredictSettings, predict_files
from fer_models.settings import TrainSettings
from fer_models.train import train
from fer_models.video import Moment, predict_video, read_frames
from tests.benchmarks.made_data import machine
from tests.fer_models.two_faces import SHOWN, truth_at, write_two_faces
from tests.made_shards import make_samples, make_shards

SECONDS, FPS, LOOKS = 60.0, 25.0, 5.0
SHORT, LONG = 10.0, 600.0  # seconds of the videos whose memory is measured
NUM_TRAINED, NUM_VALIDATION = 420, 48
SIDE, SCALE = 200, 0.27  # of a drawn picture, and of half a head in it
CLASSES = sorted({name for each in SHOWN for name in each})
SMALL = f"{Path(__file__).with_name('small_network.py')}:build"
T = TypeVar("T")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=Path, nargs="?")
    parser.add_argument("--keep", type=Path, help="keep the video and the network here")
    options = parser.parse_args()
    weights = find_detector_weights(options.weights)
    pictures = PictureSettings(faces="find", detector_weights=weights)
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{'YuNet' if weights else 'the LBP cascade'}; {machine()}")
        video = write_two_faces(folder / "two.mp4", SECONDS, FPS)
        run_dir = train_small(folder, weights)
        moments = measure_speed(run_dir, video, pictures)
        judge(moments)
        measure_copy(video, moments)
        measure_memory(run_dir, folder, pictures)


def train_small(folder: Path, weights: Path | None) -> Path:
    """A small network on faces that were found on drawings, as they are found in the video."""
    start = time.perf_counter()
    faces = FaceSettings(detector_weights=weights)
    cutter = SampleCutter(image=ImageSettings(size=48), faces=faces)
    splits = {}
    for split, first, count in (
        ("train", 1_000, NUM_TRAINED),
        ("validation", 9_000, NUM_VALIDATION),
    ):
        drawn = [(number, draw(number)) for number in range(first, first + count)]
        found = [(number, cutter.cut_pixels([pixels])[0]) for number, pixels in drawn]
        good = [(number, each[0].pixels) for number, each in found if isinstance(each, list)]
        images = np.stack([pixels for _, pixels in good])
        labels = [number % len(CLASSES) for number, _ in good]
        keys = [f"drawn/{split}/{number}.png" for number, _ in good]
        splits[split] = make_samples(images, labels, keys)
    make_shards(folder / "shards", splits, tuple(CLASSES), shard_samples=1024)
    settings = TrainSettings(model=SMALL, epochs=20, batch_size=32, seed=0)
    train(folder / "shards", folder / "run", settings)
    print(f"a small network trained in {time.perf_counter() - start:.0f} s")
    return folder / "run"


def draw(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    facts = describe_face(SynthSettings(), number)
    rng = np.random.default_rng(number)
    emotion = CLASSES[number % len(CLASSES)]
    pose = Pose(roll=rng.normal(0, 3), scale=SCALE * rng.uniform(0.85, 1.1))
    units = draw_action_units(emotion, rng.uniform(0.7, 1), rng)
    facts = dataclasses.replace(
        facts, emotion=emotion, action_units=units, pose=pose, occlusion="none"
    )
    return render(facts, SIDE, 3)


class Clock:
    """Counts the seconds of some steps."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def during(self, values: Iterable[T], step: str) -> Iterator[T]:
        rest = iter(values)
        while (value := self.timed(step, next, rest, None)) is not None:
            yield value

    def timed(self, step: str, work: Any, *arguments: Any) -> Any:
        start = time.perf_counter()
        try:
            return work(*arguments)
        finally:
            self.seconds[step] += time.perf_counter() - start


class Timed:
    """A cutter and a predictor whose seconds are counted."""

    def __init__(self, clock: Clock, cutter: SampleCutter, predictor: Predictor) -> None:
        self._clock, self._cutter, self._predictor = clock, cutter, predictor

    def cut_pixels(self, pictures: Any) -> Any:
        return self._clock.timed("detection", self._cutter.cut_pixels, pictures)

    def predict_samples(self, samples: Any) -> Any:
        return self._clock.timed("network", self._predictor.predict_samples, samples)


def measure_speed(run_dir: Path, video: Path, pictures: PictureSettings) -> list[Moment]:
    predictor = Predictor.load(run_dir)
    cutter = predictor.cutter(pictures)
    first = read_frames(video, LOOKS)  # networks and detectors are laid out by what they see first
    list(predict_video(predictor, cutter, [next(first) for _ in range(16)]))
    clock = Clock()
    timed: Any = Timed(clock, cutter, predictor)
    start = time.perf_counter()
    moments = list(predict_video(timed, timed, clock.during(read_frames(video, LOOKS), "decoding")))
    took = time.perf_counter() - start
    num_frames = round(SECONDS * FPS)
    print(f"a video of {SECONDS:.0f} s, {num_frames:,} frames, {len(moments)} looks: {took:.1f} s")
    print(f"  {num_frames / took:,.0f} frames/s, {len(moments) / took:.1f} looks/s")
    shares = {name: clock.seconds[name] / took for name in ("decoding", "detection", "network")}
    shares["the rest"] = 1 - sum(shares.values())
    print("  " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    return moments


def judge(moments: list[Moment]) -> None:
    """Boxes, people and classes against what the video shows."""
    num_faces = num_found = num_right = num_same = 0
    owners: dict[int, int] = {}
    for moment in moments:
        for number, truth in enumerate(truth_at(moment.time)):
            num_faces += 1
            for person, face in zip(moment.people, moment.faces, strict=True):
                if face.box is None or overlap(face.box, truth.box) < 0.5:
                    continue
                num_found += 1
                num_same += owners.setdefault(person, number) == number
                num_right += face.class_name == truth.emotion
                break
    print(f"  boxes that overlap by half or more: {num_found / num_faces:.1%} of {num_faces}")
    print(f"  people keep their numbers: {num_same / max(1, num_found):.1%}, {len(owners)} numbers")
    print(f"  classes that are right: {num_right / max(1, num_found):.1%}")


def overlap(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """Intersection over union."""
    from fer_models.tracks import _overlap

    return _overlap(first, second)  # type: ignore[arg-type]


def measure_copy(video: Path, moments: list[Moment]) -> None:
    start = time.perf_counter()
    with annotating_video(video, video.parent / "copy.mp4", CLASSES) as take:
        for moment in moments:
            take(moment)
    took = time.perf_counter() - start
    print(f"an annotated copy beside it: {took:.1f} s, {SECONDS * FPS / took:,.0f} frames/s")


def measure_memory(run_dir: Path, folder: Path, pictures: PictureSettings) -> None:
    """In processes of their own, with all that can be written."""
    print("memory at its highest; 320x180, 2 frames/s, a look every four seconds, all outputs")
    highest = []
    for seconds in (SHORT, LONG):
        video = write_two_faces(folder / f"{seconds:.0f}.mp4", seconds, 2.0, (320, 180))
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            highest.append(pool.submit(highest_memory, run_dir, video, pictures).result())
        print(f"  {seconds:4.0f} s {highest[-1]:7.0f} MB")
    print(f"  {highest[1] - highest[0]:+.0f} MB from {SHORT:.0f} s to {LONG:.0f} s")


def highest_memory(run_dir: Path, video: Path, pictures: PictureSettings) -> float:
    """Megabytes, from the first look on."""
    folder = video.parent / "seen"
    settings = PredictSettings(
        pictures=pictures,
        looks_per_second=0.25,
        table=video.with_suffix(".csv"),
        annotate_dir=folder,
        timeline_dir=folder,
        grid=video.with_suffix(".png"),
    )
    found: list[float] = []
    process = psutil.Process()
    predict_files(
        run_dir, [video], settings,
        on_progress=lambda *_: found.append(process.memory_info().rss / 1e6),
    )  # fmt: skip
    return max(found)


if __name__ == "__main__":
    main()
