"""Speed and memory of ingest: ferkit against a notebook's loop, scikit-image and bare decoding.

    python tests/benchmarks/bench_ingest.py [FER2013.zip]

The notebook's loop is the one course projects use: listdir, imread, cvtColor, resize, / 255, array.
The limit reads and decodes the same files with OpenCV on as many processes, does nothing else, and
is measured twice: with processes that stand ready, and with those it has to start, as ingest has.
Faces are those of fer2013.zip where its path is given, else generated ones, each several times;
photos are generated colour JPEGs of 350x350, read as 96x96. All ways take turns, so that a slow
minute hits all alike.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

if __name__ == "__main__":  # not in the processes that only decode
    import skimage.io
    import skimage.transform

    from fer_data.executors import default_workers
    from fer_data.image import ImageSettings
    from fer_data.ingest import IngestSettings, ingest
    from fer_data.synth import SynthSettings, draw_face, write_faces

ROUNDS = 3
NUM_FACES, COPIES = 4000, 8
NUM_PHOTOS = 6000
READY = "decode only, processes ready"
LIMIT = "decode only, processes started"
OURS = "ferdata ingest, all processes"
LOOP = "notebook loop"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if sys.argv[1:]:
            zipfile.ZipFile(sys.argv[1]).extractall(folder / "faces")
        else:
            write_faces(folder / "faces", SynthSettings(num_samples=NUM_FACES))
            for path in list((folder / "faces").rglob("*.png")):
                for copy in range(1, COPIES):
                    shutil.copyfile(path, path.with_stem(f"{path.stem}-{copy}"))
        compare("faces", folder / "faces", folder / "ds", ImageSettings(), 3.5)
        write_photos(folder / "photos")
        compare("photos", folder / "photos", folder / "ds", ImageSettings(size=96, color="rgb"), 6)
        measure_memory(folder)


def compare(
    what: str, raw: Path, dataset_dir: Path, image: ImageSettings, loop_target: float
) -> None:
    workers = default_workers()
    paths = sorted(p for p in raw.rglob("*") if p.suffix in (".png", ".jpg"))
    seconds: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for way, took in measure(raw, dataset_dir, paths, image, workers).items():
            seconds.setdefault(way, []).append(took)
    best = {way: min(times) for way, times in seconds.items()}
    print(f"\n{what}: {len(paths):,} pictures, {workers} processes, best of {ROUNDS}")
    for way, took in best.items():
        rate, ratio = len(paths) / took, best[LOOP] / took
        print(f"  {way:32} {rate:9,.0f} images/s  {ratio:5.1f}x the loop")
    print(
        f"  targets: >= 85% of bare decoding (started {best[LIMIT] / best[OURS]:.0%}, ready "
        f"{best[READY] / best[OURS]:.0%}), >= {loop_target}x the loop "
        f"({best[LOOP] / best[OURS]:.1f}x; bare decoding {best[LOOP] / best[LIMIT]:.1f}x)"
    )


def measure(
    raw: Path, dataset_dir: Path, paths: Sequence[Path], image: ImageSettings, workers: int
) -> dict[str, float]:
    times = {
        LOOP: timed(lambda: notebook_loop(paths, image)),
        "skimage.io and resize": timed(lambda: skimage_loop(paths[: len(paths) // 10], image)) * 10,
    }
    start = time.perf_counter()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(decode, [()] * workers, [0] * workers))
        times[READY] = timed(lambda: decode_all(pool, paths, image))
    times[LIMIT] = time.perf_counter() - start
    settings = IngestSettings(image=image)
    for way, number in (("ferdata ingest, one process", 1), (OURS, workers)):
        shutil.rmtree(dataset_dir, ignore_errors=True)
        start = time.perf_counter()
        ingest(raw, dataset_dir, settings, workers=number)
        times[way] = time.perf_counter() - start
    return times


def notebook_loop(paths: Sequence[Path], image: ImageSettings) -> np.ndarray:
    code = cv2.COLOR_BGR2GRAY if image.color == "gray" else cv2.COLOR_BGR2RGB
    images = []
    for path in paths:
        read: Any = cv2.imread(str(path))
        pixels = cv2.cvtColor(read, code)
        images.append(cv2.resize(pixels, (image.size, image.size)) / 255.0)
    return np.array(images)


def skimage_loop(paths: Sequence[Path], image: ImageSettings) -> np.ndarray:
    size = (image.size, image.size)
    return np.array([skimage.transform.resize(skimage.io.imread(path), size) for path in paths])


def decode_all(pool: ProcessPoolExecutor, paths: Sequence[Path], image: ImageSettings) -> None:
    flag = cv2.IMREAD_GRAYSCALE if image.color == "gray" else cv2.IMREAD_COLOR
    parts = [paths[start : start + 512] for start in range(0, len(paths), 512)]
    list(pool.map(partial(decode, flag=flag), parts))


def decode(paths: Sequence[Path], flag: int) -> None:
    for path in paths:
        cv2.imdecode(np.fromfile(path, np.uint8), flag)


def write_photos(folder: Path) -> None:
    """Colour JPEGs of 350x350 with the noise of a camera, 27 kB each."""
    settings = SynthSettings(num_samples=40, image_size=350, channels=3)
    faces = [draw_face(settings, index) for index in range(40)]
    rng = np.random.default_rng(0)
    for number in range(NUM_PHOTOS):
        face = faces[number % len(faces)]
        noisy = face.image + rng.integers(-4, 5, face.image.shape)
        path = folder / face.emotion / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.clip(noisy, 0, 255).astype(np.uint8)[..., ::-1]
        cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])


def measure_memory(folder: Path) -> None:
    """Peak memory of the coordinator at 10,000 and 100,000 files, each run in a new process."""
    print("\npeak memory of the coordinator")
    data = cv2.imencode(".png", np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8))[1]
    for number in (10_000, 100_000):
        raw = folder / f"raw{number}"
        for index in range(number):
            path = raw / ("happy", "sad")[index % 2] / f"{index:07d}.png"
            if index < 2:
                path.parent.mkdir(parents=True)
            path.write_bytes(data.tobytes())
        code = (
            "import sys; from pathlib import Path\n"
            "from fer_data.ingest import IngestSettings, ingest\n"
            "if __name__ == '__main__':\n"
            "    ingest(Path(sys.argv[1]), Path(sys.argv[2]), IngestSettings())\n"
            "    status = dict(l.split(':', 1) for l in open('/proc/self/status') if ':' in l)\n"
            "    print(int(status['VmHWM'].split()[0]) // 1024)\n"
        )
        script = folder / "run.py"
        script.write_text(code)
        command = [sys.executable, str(script), str(raw), str(folder / f"memory{number}")]
        peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        print(f"  {number:9,} files  {peak:>5} MB")


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
