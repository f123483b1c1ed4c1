"""Speed of `fermodel evaluate`: all it does against the bare forward pass of the same network.

    python tests/benchmarks/bench_evaluate.py

Networks from 16 million to 218 million multiplications a picture, on 7,178 made pictures of 48x48,
as many as FER2013's test splits hold, with 28,709 training samples beside them.
The bare pass is `keras.Model.predict` on the pictures in memory, of a network that is loaded and
has predicted before: as people type it, in Keras' batches of 32, and in the larger batches that
ferkit takes, which are quicker. The third way loads the network first, as every command must, and
Keras makes its graph anew. The whole is `evaluate`: reading the shards, loading the network,
predicting, every figure with its intervals, the charts, the pictures with their attention
maps, and all files. All take turns; medians of the rounds, in seconds of the clock and of all
processors.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.shards.index import INDEX_NAME
from fer_data.shards.samples import Samples
from fer_models.evaluate import evaluate
from fer_models.predict import _BATCH_SIZE, Predictor
from fer_models.settings import TrainSettings
from fer_models.train import train
from tests.benchmarks.made_data import NUM_SAMPLES, SHARD_SAMPLES, machine
from tests.made_shards import NAMES, make_samples, make_shards

NUM_JUDGED = 7_178
ROUNDS = {"cnn4": 5, "fer-lite": 4, "emosense-8l": 2}
TYPED, BARE = "bare pass, batches of 32", f"bare pass, batches of {_BATCH_SIZE}"
LOADED, WHOLE = "load and predict", "fermodel evaluate"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = {"train": made(256, "train"), "validation": made(64, "validation")}
        make_shards(folder / "few", few, shard_samples=SHARD_SAMPLES)
        judged = made(NUM_JUDGED, "test")
        splits = {"train": made(NUM_SAMPLES, "train"), "test": judged}
        index = make_shards(folder / "shards", splits, shard_samples=SHARD_SAMPLES)
        twins = {"test": {"train": ["noise/test/00000.png"]}}
        leakage = {"groups": 1, "samples": {"test": 1}, "twins": twins}
        index = dataclasses.replace(index, leakage=leakage)
        (folder / "shards" / INDEX_NAME).write_text(index.to_json(), encoding="utf-8")
        print(f"{NUM_JUDGED:,} samples of 48x48x1; {machine()}; medians of the rounds")
        for model, rounds in ROUNDS.items():
            settings = TrainSettings(model=model, epochs=1, batch_size=64)
            train(folder / "few", folder / model, settings)
            print(f"{model}, {rounds} rounds")
            compare(folder / model, folder / "shards", judged, rounds)


def compare(run_dir: Path, shards_dir: Path, judged: Samples, rounds: int) -> None:
    network = Predictor.load(run_dir)._network

    def typed() -> None:
        network.predict(judged.images, verbose=0)

    def bare() -> None:
        network.predict(judged.images, batch_size=_BATCH_SIZE, verbose=0)

    def loaded() -> None:
        Predictor.load(run_dir)._network.predict(judged.images, batch_size=_BATCH_SIZE, verbose=0)

    def whole() -> None:
        evaluate(run_dir, shards_dir)

    ways: dict[str, Callable[[], None]] = {TYPED: typed, BARE: bare, LOADED: loaded, WHOLE: whole}
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for number in range(1 + rounds):
        for way, run in ways.items():
            clock, processors = time.perf_counter(), time.process_time()
            run()
            took = time.perf_counter() - clock, time.process_time() - processors
            if number:  # the first round warms up
                found[way].append(took)
    print(f"{'':30}{'clock':>10}{'CPU':>10}")
    for way, times in found.items():
        print(f"  {way:28}{_median(times, 0):8.2f} s{_median(times, 1):8.2f} s")
    for other in (TYPED, BARE, LOADED):
        pairs = list(zip(found[WHOLE], found[other], strict=True))
        ratios = [statistics.median(a[n] / b[n] for a, b in pairs) for n in (0, 1)]
        print(f"  {'to the ' + other:32}{ratios[0]:8.2f} x{ratios[1]:8.2f} x")


def made(count: int, split: str) -> Samples:
    rng = np.random.default_rng(count)
    images = rng.normal(128, 50, (count, 48, 48, 1)).clip(0, 255).astype(np.uint8)
    labels = rng.integers(0, len(NAMES), count)
    return make_samples(
        images, labels.tolist(), [f"noise/{split}/{n:05d}.png" for n in range(count)]
    )


def _median(times: list[tuple[float, float]], which: int) -> float:
    return statistics.median(each[which] for each in times)


if __name__ == "__main__":
    main()
