"""Speed of `ferdata export` against the loops that people write for it.

    python tests/benchmarks/bench_export.py [FER2013.zip]

10,000 pictures of 48x48 out of shards into each format, on one process, with fsync and checksums on
our side and without them on the other: one file a picture with Pillow, a CSV line by str.join, tar
members with Pillow and tarfile, tf.train.Example with TensorFlow's own encoder and writer, Parquet
with Pillow and pyarrow. The loops find the pixels in memory; ferkit reads and checks the shards.
Best of the rounds, in which all take turns.
"""

from __future__ import annotations

import csv
import io
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

if __name__ == "__main__":  # not in the processes that decode pictures
    import tensorflow as tf

    from fer_data.export.shards import FORMATS, ExportSettings, export_shards
    from fer_data.shards.samples import Samples
    from tests.benchmarks.made_data import machine, pack_samples, training_samples

ROUNDS = 3
NUM_SAMPLES = 10_000


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = training_samples(Path(sys.argv[1]) if sys.argv[1:] else None, folder)
        samples = samples.select(slice(NUM_SAMPLES))
        pack_samples(samples, folder / "shards")
        print(f"{len(samples):,} samples of 48x48x1; {machine()}; best of {ROUNDS}")
        print(f"{'images/s':14}{'ferkit':>18}{'loop':>16}{'ratio':>8}{'bytes':>8}")
        for form in FORMATS:
            ours, theirs = measure(form, samples, folder)
            sizes = [size_of(folder / part) for part in ("ours", "theirs")]
            print(
                f"  {form:12}{len(samples) / ours:18,.0f}{len(samples) / theirs:16,.0f}"
                f"{theirs / ours:7.1f}x{sizes[0] / sizes[1]:7.2f}x"
            )


def measure(form: str, samples: Samples, folder: Path) -> tuple[float, float]:
    """Seconds of ours and of the loop."""
    settings = ExportSettings(format=form)
    ways: dict[str, Callable[[Path], object]] = {
        "ours": lambda out: export_shards(folder / "shards", out, settings),
        "theirs": partial(LOOPS[form], samples),
    }
    best = {}
    for _ in range(ROUNDS):
        for way, write in ways.items():
            shutil.rmtree(folder / way, ignore_errors=True)
            if way == "theirs":
                (folder / way).mkdir()
            start = time.perf_counter()
            write(folder / way)
            took = time.perf_counter() - start
            best[way] = min(took, best.get(way, took))
    return best["ours"], best["theirs"]


def loop_imagefolder(samples: Samples, out: Path) -> None:
    for number, (image, label) in enumerate(zip(samples.images, samples.labels, strict=True)):
        folder = out / "train" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{number}.png")


def loop_csv(samples: Samples, out: Path) -> None:
    with (out / "all.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("emotion", "pixels", "Usage"))
        for image, label in zip(samples.images, samples.labels, strict=True):
            rows.writerow((label, " ".join(map(str, image.ravel())), "Training"))


def loop_webdataset(samples: Samples, out: Path) -> None:
    with tarfile.open(out / "train.tar", "w") as tar:
        for number, (image, label) in enumerate(zip(samples.images, samples.labels, strict=True)):
            for ending, data in (("png", png(image)), ("cls", str(label).encode())):
                info = tarfile.TarInfo(f"{number}.{ending}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def loop_tfrecord(samples: Samples, out: Path) -> None:
    train = tf.train
    with tf.io.TFRecordWriter(str(out / "train.tfrecord")) as file:
        for image, label in zip(samples.images, samples.labels, strict=True):
            data = train.BytesList(value=[tf.io.encode_png(image).numpy()])
            features = {
                "image/encoded": train.Feature(bytes_list=data),
                "image/class/label": train.Feature(int64_list=train.Int64List(value=[label])),
            }
            example = train.Example(features=train.Features(feature=features))
            file.write(example.SerializeToString())


def loop_parquet(samples: Samples, out: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"image": {"bytes": png(image), "path": None}, "label": int(label)}
        for image, label in zip(samples.images, samples.labels, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows), out / "train.parquet")


def png(image: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0]).save(buffer, "PNG")
    return buffer.getvalue()


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


LOOPS = {
    "imagefolder": loop_imagefolder,
    "csv": loop_csv,
    "webdataset": loop_webdataset,
    "tfrecord": loop_tfrecord,
    "parquet": loop_parquet,
}

if __name__ == "__main__":
    main()
