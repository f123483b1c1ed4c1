"""Speed and memory of inspect: against its kernels alone, and at a million samples.

    python tests/benchmarks/bench_inspect.py [FER2013.zip] [NUMBER OF SAMPLES]

The kernels are those that cannot be left out: the PCA fitted and every sample rebuilt from it,
every sample hashed, and, told apart, every sample's singular values, which relFCs and the effective
rank need and which take as long as the other two. Inspect measures all scores, finds all twins, and
writes the report. Samples are those of fer2013.zip where its path is given, else generated ones;
the large set is generated.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fer_data.dataset import SAMPLES_SCHEMA, Dataset, DatasetInfo, SourceRecord
from fer_data.detail_pca import fit_pca, reconstruction_errors
from fer_data.files import write_array
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings, ingest
from fer_data.luma import gray_levels
from fer_data.near_pictures import hash_blocks
from fer_data.relfcs import component_shares
from fer_data.tables import write_table
from fer_data.threads import map_in_threads

ROUNDS = 3
LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
BLOCK = 512
INSPECT = (
    "import sys, time; from pathlib import Path\n"
    "from fer_data.dataset import Dataset\n"
    "from fer_data.inspection import inspect_dataset\n"
    "from fer_data.pipeline import Runner\n"
    "from fer_data.report.page import render_inspection\n"
    "if __name__ == '__main__':\n"
    "    start = time.perf_counter()\n"
    "    dataset = Runner().measure(Dataset.open(sys.argv[1]))\n"
    "    measured = time.perf_counter()\n"
    "    page = render_inspection(dataset, inspect_dataset(dataset))\n"
    "    end = time.perf_counter()\n"
    "    status = dict(l.split(':', 1) for l in open('/proc/self/status') if ':' in l)\n"
    "    megabytes = int(status['VmHWM'].split()[0]) // 1024\n"
    "    print(measured - start, end - measured, len(page), megabytes)\n"
)


def main() -> None:
    source = next((Path(word) for word in sys.argv[1:] if not word.isdecimal()), None)
    number = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 1_000_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "measure.py"
        script.write_text(INSPECT)
        if source is not None:
            dataset = ingest(source, folder / "small", IngestSettings())[0]
        else:
            dataset = write_dataset(folder / "small", 30_000)
        kernels, singular, all_of_it = [], [], []
        for _ in range(ROUNDS):
            kernels.append(timed(lambda: run_kernels(dataset)))
            singular.append(timed(lambda: run_singular_values(dataset)))
            forget(dataset)
            measured, shown, size, _ = run(script, dataset.dir)
            all_of_it.append(measured + shown)
        best, three = min(all_of_it), min(kernels) + min(singular)
        print(f"\n{len(dataset.samples(['key'])):,} samples, best of {ROUNDS}")
        print(f"  PCA and hashes alone  {min(kernels):6.1f} s")
        print(f"  singular values alone {min(singular):6.1f} s")
        print(f"  inspect               {best:6.1f} s; report of {size / 1e6:.1f} MB")
        print(
            f"  target: at most 1.5x the kernels ({best / three:.2f}x of all three, "
            f"{best / min(kernels):.2f}x of PCA and hashes)"
        )
        large = write_dataset(folder / "large", number)
        measured, shown, size, megabytes = run(script, large.dir)
        print(f"\n{number:,} generated samples")
        print(f"  measured in {measured:,.0f} s, described in {shown:.0f} s")
        print(f"  report of {size / 1e6:.1f} MB")
        print(f"  target: peak memory under 1,000 MB ({megabytes:,.0f} MB)")


def run(script: Path, dataset_dir: Path) -> tuple[float, float, int, float]:
    """Seconds to measure and to describe, bytes of the report, and peak memory in MB."""
    command = [sys.executable, str(script), str(dataset_dir)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(printed[0]), float(printed[1]), int(printed[2]), float(printed[3])


def run_kernels(dataset: Dataset) -> None:
    def blocks() -> Iterator[NDArray[np.uint8]]:
        return (dataset.pixels(block).reshape(-1, size) for block in range(dataset.num_blocks))

    size = int(np.prod(dataset.image_shape))
    pca = fit_pca(blocks, size, components=10)
    for block in range(dataset.num_blocks):
        reconstruction_errors(pca, dataset.pixels(block).reshape(-1, size))
    lengths = np.array([len(dataset.pixels(block)) for block in range(dataset.num_blocks)])
    paths = [dataset.block_path("pixels", block) for block in range(dataset.num_blocks)]
    hash_blocks(paths, lengths)


def run_singular_values(dataset: Dataset) -> None:
    paths = [dataset.block_path("pixels", block) for block in range(dataset.num_blocks)]
    deque(map_in_threads(singular_values, paths), maxlen=0)


def singular_values(path: Path) -> None:
    images = np.load(path)
    component_shares(images, gray_levels(images))


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def forget(dataset: Dataset) -> None:
    for stage in ("quality", "duplicates"):
        if stage in Dataset.open(dataset.dir).info.stages:
            Dataset.open(dataset.dir).withdraw(stage)


def write_dataset(folder: Path, number: int) -> Dataset:
    """A data set of smooth noise, each with a light of its own; one in fifty is a twin."""
    num_blocks = -(-number // BLOCK)
    info = DatasetInfo(
        image=ImageSettings(),
        class_names=LABELS,
        sources=(
            SourceRecord(
                name="made", kind="folder", manifest="folders", num_files=number, first_block=0,
                num_blocks=num_blocks, class_names=list(LABELS), settings={},
            ),
        ),
    )  # fmt: skip
    dataset = Dataset(folder, info)
    rng = np.random.default_rng(0)
    places = np.linspace(0, 7, 48)[:, None] - np.arange(8)
    enlarge = np.clip(1 - np.abs(places), 0, None)  # (48, 8): linear interpolation
    for block in range(num_blocks):
        size = min(BLOCK, number - block * BLOCK)
        coarse = rng.normal(128, 50, (size, 8, 8)) + rng.normal(0, 20, (size, 1, 1))
        images = enlarge @ coarse @ enlarge.T + rng.normal(0, 4, (size, 48, 48))
        levels = np.clip(images, 0, 255).astype(np.uint8)[..., None]
        levels[::50] = levels[0]
        write_array(dataset.block_path("pixels", block), levels)
        rows: list[dict[str, object]] = [
            {
                "key": f"made/{block:05d}/{row:03d}.png", "source": "made",
                "path": f"{block:05d}/{row:03d}.png", "label": LABELS[(block + row) % 7],
                "split": "validation" if row % 10 == 9 else "train",
                "file_sha256": bytes(32), "height": 48, "width": 48, "attributes": [],
                "votes": None, "pixel_sha256": (block * BLOCK + row * (row % 50 > 0)).to_bytes(32),
            }
            for row in range(size)
        ]  # fmt: skip
        table = pa.Table.from_pylist(rows, schema=SAMPLES_SCHEMA)
        write_table(dataset.block_path("samples", block), table)
        write_table(dataset.block_path("rejected", block), rejected_schema().empty_table())
    return dataset.publish("ingest", None, settings={}, counts={}, inputs=[], digest="made")


def rejected_schema() -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in ("source", "path", "reason", "detail")])


if __name__ == "__main__":
    main()
