"""Speed of reading shards with NumPy, without TensorFlow: ferkit against np.load and h5py.

    python tests/benchmarks/bench_read.py [FER2013.zip]

28,709 pictures of 48x48 in shards of 2,048. Reading takes every array of every shard (pixels,
labels, keys, parents); ferkit checks each one against the length and CRC in the index, h5py checks
Adler-32 a chunk, np.load the CRC of the ZIP archive. Random access takes single pictures, each by
itself. All ways take turns; medians of the rounds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.shards.index import ShardIndex
from fer_data.shards.reader import ShardReader, read_split
from fer_data.shards.samples import Samples
from tests.benchmarks.made_data import (
    SHARD_SAMPLES,
    machine,
    pack_samples,
    repack,
    training_samples,
)

ROUNDS = 5
BATCH = 512
MANY, FEW = 2_000, 40  # single pictures, of ways that decode one or a whole shard for it
OURS, OURS_HDF5 = "ferkit, NPZ, read_split", "ferkit, HDF5, read_split"
NUMPY, GZIP = "np.load of savez_compressed", "h5py, gzip 4"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = training_samples(Path(sys.argv[1]) if sys.argv[1:] else None, folder)
        indexes = {"npz": pack_samples(samples, folder / "npz")}
        for way in (("npz", "none"), ("hdf5", "fast"), ("hdf5", "none")):
            indexes["-".join(way)] = repack(folder / "npz", folder / "-".join(way), *way)
        write_peers(samples, folder)
        print(f"{len(samples):,} samples of 48x48x1; {machine()}; medians of {ROUNDS}")
        compare_reading(samples, folder, indexes)
        compare_access(samples, folder)


def compare_reading(samples: Samples, folder: Path, indexes: dict[str, ShardIndex]) -> None:
    def ours(name: str) -> Callable[[], int]:
        return lambda: int(read_split(folder / name, indexes[name], "train").labels.sum())

    def batches() -> int:
        reader = ShardReader(folder / "npz", "train")
        return sum(int(batch.labels.sum()) for batch in reader.batches(BATCH))

    ways: dict[str, Callable[[], int]] = {
        OURS: ours("npz"),
        f"ferkit, NPZ, batches of {BATCH}": batches,
        "ferkit, NPZ, --compression none": ours("npz-none"),
        OURS_HDF5: ours("hdf5-fast"),
        "ferkit, HDF5, --compression none": ours("hdf5-none"),
        "np.load of ferkit's NPZ": lambda: sum(map(load_npz, folder.glob("npz/*.npz"))),
        NUMPY: lambda: sum(map(load_npz, folder.glob("savez/*.npz"))),
        "h5py of ferkit's HDF5": lambda: sum(map(load_hdf5, folder.glob("hdf5-fast/*.h5"))),
        GZIP: lambda: sum(map(load_hdf5, folder.glob("gzip/*.h5"))),
    }
    expected = int(samples.labels.sum())
    seconds = measure(ways, dict.fromkeys(ways, expected))
    print(f"{'reading all':44}{'MB/s':>8}{'of ' + NUMPY:>34}")
    for way, found in seconds.items():
        speed = samples.images.nbytes / 1e6 / statistics.median(found)
        print(f"  {way:42}{speed:8,.0f}{ratio(seconds[NUMPY], found):33.2f}x")
    print(f"  ferkit, HDF5 is {ratio(seconds[GZIP], seconds[OURS_HDF5]):.1f}x {GZIP}")


def compare_access(samples: Samples, folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = {number: rng.integers(len(samples), size=number) for number in (MANY, FEW)}
    reader = ShardReader(folder / "npz", "train")
    small = ShardReader(folder / "npz", "train", cache_mb=0)
    maps = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("savez/*.npy"))]
    files = {name: sorted((folder / name).glob("*.h5")) for name in ("hdf5-fast", "gzip", "one")}
    opened = {name: [h5py.File(path)["images"] for path in paths] for name, paths in files.items()}
    pickers: dict[str, tuple[int, Callable[[int], NDArray[np.uint8]]]] = {
        "ferkit, NPZ, shards kept": (MANY, lambda row: reader[row].images[0]),
        "ferkit, NPZ, one shard kept": (FEW, lambda row: small[row].images[0]),
        "np.load of ferkit's NPZ": (FEW, partial(pick_npz, sorted(folder.glob("npz/*.npz")))),
        "np.load of .npy, memory-mapped": (MANY, partial(pick, maps)),
        "h5py of ferkit's HDF5": (MANY, partial(pick, opened["hdf5-fast"])),
        "h5py, gzip 4, 64 images a chunk": (MANY, partial(pick, opened["gzip"])),
        "h5py, gzip 4, 1 image a chunk": (MANY, partial(pick, opened["one"])),
    }

    def total(number: int, picker: Callable[[int], NDArray[np.uint8]]) -> int:
        return sum(int(picker(int(row)).sum()) for row in rows[number])

    ways: dict[str, Callable[[], int]] = {
        way: partial(total, *found) for way, found in pickers.items()
    }
    sums = {number: int(samples.images[rows[number]].sum()) for number in rows}
    seconds = measure(ways, {way: sums[number] for way, (number, _) in pickers.items()})
    print(f"{'single pictures, in any order':44}{'pictures/s':>11}")
    for way, found in seconds.items():
        print(f"  {way:42}{pickers[way][0] / statistics.median(found):11,.0f}")


def write_peers(samples: Samples, folder: Path) -> None:
    """The same shards as others write them: savez_compressed, .npy, and h5py's gzip."""
    for name in ("savez", "gzip", "one"):
        (folder / name).mkdir()
    for start in range(0, len(samples), SHARD_SAMPLES):
        part = samples.select(slice(start, start + SHARD_SAMPLES))
        fields = {name: getattr(part, name) for name in ("images", "labels", "keys", "parents")}
        np.savez_compressed(folder / "savez" / f"{start:05d}.npz", **fields)
        np.save(folder / "savez" / f"{start:05d}.npy", part.images)
        for name, rows in (("gzip", 64), ("one", 1)):
            with h5py.File(folder / name / f"{start:05d}.h5", "w") as file:
                for field, array in fields.items():
                    plain = np.char.encode(array, "utf-8") if array.dtype.kind == "U" else array
                    plain = plain.astype("S1") if plain.dtype.itemsize == 0 else plain
                    chunks = (min(rows, len(part)), 48, 48, 1) if field == "images" else True
                    file.create_dataset(field, data=plain, chunks=chunks, compression="gzip")


def load_npz(path: Path) -> int:
    with np.load(path, allow_pickle=False) as shard:
        arrays = {name: shard[name] for name in shard.files}
    return int(arrays["labels"].sum())


def load_hdf5(path: Path) -> int:
    with h5py.File(path) as file:
        arrays = {name: file[name][()] for name in file}
    return int(arrays["labels"].sum())


def pick(shards: list[NDArray[np.uint8]], row: int) -> NDArray[np.uint8]:
    return shards[row // SHARD_SAMPLES][row % SHARD_SAMPLES]


def pick_npz(paths: list[Path], row: int) -> NDArray[np.uint8]:
    with np.load(paths[row // SHARD_SAMPLES], allow_pickle=False) as shard:
        image: NDArray[np.uint8] = shard["images"][row % SHARD_SAMPLES]
    return image


def measure(ways: dict[str, Callable[[], int]], expected: dict[str, int]) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one that counts for nothing."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(1 + ROUNDS):
        for way, run in ways.items():
            start = time.perf_counter()
            found = run()
            took = time.perf_counter() - start
            if found != expected[way]:
                raise SystemExit(f"{way}: gave {found}, expected {expected[way]}")
            if number:
                seconds[way].append(took)
    return seconds


def ratio(slow: list[float], fast: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


if __name__ == "__main__":
    main()
