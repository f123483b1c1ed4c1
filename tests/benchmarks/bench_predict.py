"""Speed of `fermodel predict`: all it does against decoding and the network alone.

    python tests/benchmarks/bench_predict.py [WEIGHTS.onnx]

`cnn4` on drawn pictures: 1,000 PNG files of 48x48, faces cut out already, and 200 JPEG files of
640x480 with one face. The bare way has the files in memory: it decodes them, brings them to their
form (of the photographs: finds and aligns the faces, with YuNet's WEIGHTS where they are given,
else with the cascade on 50 of them), and calls `keras.Model.predict` once on all samples. The whole
is `predict_files` with a table as CSV: it lists and reads the files, in
portions. Both have a network that is loaded and has predicted before. They take turns; medians of
the rounds.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.errors import ImageError
from fer_data.face_weights import find_detector_weights
from fer_data.synth import SynthSettings, draw_face
from fer_models.picture_faces import PictureSettings
from fer_models.predict import Predictor
from fer_models.predict_files import PredictSettings, predict_files
from fer_models.settings import TrainSettings
from fer_models.train import train
from tests.benchmarks.bench_evaluate import made
from tests.benchmarks.made_data import SHARD_SAMPLES, machine
from tests.made_shards import make_shards

NUM_CROPPED, NUM_PHOTOS, NUM_BY_CASCADE, ROUNDS = 1_000, 200, 50, 5
BARE, WHOLE = "decode and network", "fermodel predict"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=Path, nargs="?")
    weights = find_detector_weights(parser.parse_args().weights)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = {"train": made(256, "train"), "validation": made(64, "validation")}
        make_shards(folder / "shards", few, shard_samples=SHARD_SAMPLES)
        train(folder / "shards", folder / "run", TrainSettings(epochs=1, batch_size=64))
        predictor = Predictor.load(folder / "run")
        print(f"cnn4; {machine()}; medians of {ROUNDS} rounds")
        compare(predictor, write_cropped(folder / "cropped"), PictureSettings())
        photos = write_photos(folder / "photos", NUM_PHOTOS if weights else NUM_BY_CASCADE)
        compare(predictor, photos, PictureSettings(faces="find", detector_weights=weights))


def write_cropped(folder: Path) -> list[Path]:
    settings = SynthSettings(image_size=48)
    images = (draw_face(settings, number).image[..., 0] for number in range(NUM_CROPPED))
    return [_write(folder / f"{n:04d}.png", image) for n, image in enumerate(images)]


def write_photos(folder: Path, count: int) -> list[Path]:
    """A face of 240 pixels somewhere in 640x480."""
    settings, rng, paths = SynthSettings(image_size=240, channels=3), np.random.default_rng(0), []
    for number in range(count):
        room = np.full((480, 640, 3), rng.integers(90, 200, 3), np.uint8)
        left, top = rng.integers(0, 400), rng.integers(0, 240)
        room[top : top + 240, left : left + 240] = draw_face(settings, number).image
        paths.append(_write(folder / f"{number:04d}.jpg", room))
    return paths


def compare(predictor: Predictor, paths: Sequence[Path], settings: PictureSettings) -> None:
    files = [path.read_bytes() for path in paths]
    cutter = predictor.cutter(settings)
    decoding: list[float] = []

    def bare() -> None:
        start = time.perf_counter()
        found = [each for each in cutter.cut_files(files) if not isinstance(each, ImageError)]
        cuts = [cut.pixels for samples in found for cut in samples]
        decoding.append(time.perf_counter() - start)
        predictor._network.predict(np.stack(cuts), batch_size=256, verbose=0)

    def whole() -> None:
        folder = paths[0].parent
        asked = PredictSettings(pictures=settings, table=folder.with_suffix(".csv"))
        with patch.object(Predictor, "load", lambda _: predictor):
            report = predict_files(Path(), [folder], asked)
        assert report.num_failed < 0.2 * len(paths)  # some drawn faces are not seen

    ways: dict[str, Callable[[], None]] = {BARE: bare, WHOLE: whole}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(1 + ROUNDS):
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            if number:  # the first round warms up
                times[way].append(time.perf_counter() - start)
    took = {way: statistics.median(each) for way, each in times.items()}
    ratio = statistics.median(a / b for a, b in zip(times[WHOLE], times[BARE], strict=True))
    share = statistics.median(decoding[1:]) / took[BARE]
    rate = len(files) / took[WHOLE]
    print(f"  {len(paths):,} {paths[0].parent.name}")
    print(f"    {BARE:20}{took[BARE]:6.2f} s, {1 - share:.0%} of it the network")
    print(f"    {WHOLE:20}{took[WHOLE]:6.2f} s, {rate:,.0f} pictures/s")
    print(f"    {'to the first':20}{ratio:6.2f} x (target: 1.3)")


def _write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG" if path.suffix == ".png" else "JPEG")
    path.write_bytes(file.getvalue())
    return path


if __name__ == "__main__":
    main()
