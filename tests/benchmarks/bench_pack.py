"""Speed and size of packing: ferkit against numpy.savez_compressed and h5py's gzip.

    python tests/benchmarks/bench_pack.py [FER2013.zip]

Two tables: one shard encoded in memory (the codec), and a whole data set packed to disk (gather,
copies, codec, checksums, fsync) against a loop of numpy.savez_compressed over the same arrays.
With the path of fer2013.zip the pixels are real; without, made up, which compress otherwise.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.balance import BalanceSettings, balance
from fer_data.dataset import Dataset
from fer_data.executors import default_workers
from fer_data.ingest import IngestSettings, ingest
from fer_data.pack import PackSettings, pack
from fer_data.pipeline import Runner
from fer_data.shards.deflate import COMPRESSIONS
from fer_data.shards.hdf5 import CHUNK_IMAGES, encode_hdf5
from fer_data.shards.index import read_index
from fer_data.shards.npz import encode_npz
from fer_data.shards.reader import read_split
from fer_data.split import SplitSettings
from tests.fer_data.conftest import build_dataset

ROUNDS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = prepare(folder / "ds", [Path(path) for path in sys.argv[1:]])
        shards = folder / "shards"
        workers = default_workers()
        ways: dict[str, Callable[[], object]] = {
            "pack, 1 process": lambda: pack_anew(dataset, shards, 1),
            f"pack, {workers} processes": lambda: pack_anew(dataset, shards, workers),
        }
        packed = {way: best_of(2, call) for way, call in ways.items()}
        index = read_index(shards)
        arrays = [vars_of(shards / shard.file) for shard in index.shards]
        raw = sum(array["images"].nbytes for array in arrays)
        compare_codecs(arrays[0])
        compare_hdf5(shards / index.shards[0].file)
        start = time.perf_counter()
        peer = sum(len(savez(shard)) for shard in arrays)
        seconds = time.perf_counter() - start
        whole = sum(shard.bytes for shard in index.shards)
        copies = int((read_split(shards, index, "train").parents != "").sum())
        print(f"\na data set: {raw / 1e6:.1f} MB of pixels, {copies:,} copies to make")
        print(f"  {'savez_compressed':20} {seconds:6.2f} s  {raw / 1e6 / seconds:6.0f} MB/s  1.0x")
        for way, took in packed.items():
            speed = raw / 1e6 / took
            print(f"  {way:20} {took:6.2f} s  {speed:6.0f} MB/s  {seconds / took:.1f}x")
        print(f"  size {whole / peer:.3f} of savez_compressed, {whole / raw:.3f} of raw")


def compare_codecs(arrays: dict[str, np.ndarray]) -> None:
    raw = sum(array.nbytes for array in arrays.values())
    peer, peer_size = best_of(2, lambda: savez(arrays)), len(savez(arrays))
    print(f"one shard, {raw / 1e6:.1f} MB, in memory")
    print(f"  savez_compressed  {raw / 1e6 / peer:6.0f} MB/s  {peer_size / raw:.3f} of raw")
    took, size = {}, {}
    for way in COMPRESSIONS:
        took[way] = best_of(ROUNDS, lambda way=way: encode_npz(arrays, way))
        size[way] = len(encode_npz(arrays, way).data)
        speed, share = raw / 1e6 / took[way], size[way] / raw
        print(f"  encode_npz, {way:5} {speed:6.0f} MB/s  {share:.3f} of raw")
    print(f"  targets of fast: >= 7x as fast ({peer / took['fast']:.1f}x), <= 1.03x as large "
          f"({size['fast'] / peer_size:.3f}x); of small: <= 1x as large "
          f"({size['small'] / peer_size:.3f}x)")  # fmt: skip


def compare_hdf5(path: Path) -> None:
    arrays = vars_of(path)
    raw = sum(array.nbytes for array in arrays.values())
    peer, peer_size = best_of(2, lambda: h5py_gzip(arrays)), len(h5py_gzip(arrays))
    ours, size = best_of(ROUNDS, lambda: encode_hdf5(arrays)), len(encode_hdf5(arrays).data)
    workers = default_workers()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
        paths = [path] * workers * 8
        list(processes.map(encode_again, paths))  # they have started, and read it
        together = best_of(ROUNDS, lambda: list(processes.map(encode_again, paths))) / len(paths)
    print(f"  h5py gzip-4       {raw / 1e6 / peer:6.0f} MB/s  {peer_size / raw:.3f} of raw")
    print(f"  encode_hdf5, fast {raw / 1e6 / ours:6.0f} MB/s  {size / raw:.3f} of raw")
    print(f"  {workers} processes       {raw / 1e6 / together:6.0f} MB/s")
    print(
        f"  target: >= 7x as fast ({peer / together:.1f}x on all processes, as pack writes them; "
        f"{peer / ours:.1f}x on one)"
    )


def h5py_gzip(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in arrays.items():
            plain = np.char.encode(array, "utf-8") if array.dtype.kind == "U" else array
            plain = plain.astype("S1") if plain.dtype.itemsize == 0 else plain
            rows = CHUNK_IMAGES if name == "images" else len(plain)
            chunks = (min(rows, len(plain)), *plain.shape[1:])
            file.create_dataset(name, data=plain, chunks=chunks, compression="gzip")
    return buffer.getvalue()


def prepare(dataset_dir: Path, sources: list[Path]) -> Dataset:
    if sources:
        dataset, _ = ingest(sources[0], dataset_dir, IngestSettings())
        dataset, _ = Runner().split(dataset, SplitSettings())
        settings = BalanceSettings(targets={"disgust": None})
    else:
        counts = {"train": {"anger": 3000, "disgust": 400}, "validation": {"anger": 400}}
        dataset = build_dataset(dataset_dir, counts, size=48)
        settings = BalanceSettings(targets={"disgust": 3000})
    return balance(dataset, settings)[0]


def pack_anew(dataset: Dataset, shards: Path, workers: int) -> None:
    shutil.rmtree(shards, ignore_errors=True)
    pack(dataset, shards, PackSettings(), workers=workers)


def encode_again(path: Path) -> int:
    return len(encode_hdf5(vars_of(path)).data)


@cache
def vars_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as npz:
        return dict(npz)


def savez(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def best_of(rounds: int, way: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        way()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
