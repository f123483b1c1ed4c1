"""How fast training is: against a bare `model.fit`, and at each size, precision and compilation.

    python tests/benchmarks/bench_train.py [FER2013.zip]

First the whole of `fer_models.train` (streaming, judging and saving after each epoch) against the
same network fitted by Keras alone on arrays in memory and judged on others; both take turns. Then
images/s of one fit on arrays for each batch size and precision, and with XLA. On a CPU few
samples and epochs; on a GPU all of them and ten epochs. KERAS_BACKEND says what is measured.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

if __name__ == "__main__":  # not in the processes that decode pictures
    import keras

    from fer_data.shards.samples import Samples
    from fer_models.devices import bfloat16_device, keep_tensorflow_on_cpu
    from fer_models.events import EpochDone, TrainEvent
    from fer_models.settings import TrainSettings
    from fer_models.train import train
    from fer_models.zoo import NetworkSpec, build_network
    from tests.benchmarks.made_data import SHARD_SAMPLES, machine, training_samples
    from tests.made_shards import make_shards

NETWORKS = ("cnn4", "emosense-8l")
BATCH_SIZES = (64, 128, 256)
PRECISIONS = ("float32", "mixed_bfloat16")
ROUNDS = 3
FEW, FEWER = 2_560, 768  # samples of an epoch on a CPU, of `train` and of a setting
NUM_VALIDATION = 512


def main() -> None:
    keep_tensorflow_on_cpu()
    device, _ = bfloat16_device()
    is_cpu = device == "the CPU"
    is_slow = is_cpu and keras.backend.backend() == "jax"  # XLA's convolutions on a CPU
    print(f"{keras.backend.backend()} on {device}; {machine()}; medians of {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = training_samples(Path(sys.argv[1]) if sys.argv[1:] else None, folder)
        few = slice(FEW // 2 if is_slow else FEW)
        against_bare_fit(samples.select(few) if is_cpu else samples, folder, is_cpu)
        for network in NETWORKS[: 1 if is_slow else None]:
            each_setting(network, samples.select(slice(FEWER)) if is_cpu else samples, is_cpu)


def against_bare_fit(samples: Samples, folder: Path, is_cpu: bool) -> None:
    epochs = 3 if is_cpu else 11
    settings = TrainSettings(
        epochs=epochs, class_weights="none", patience=0, precision="float32", save_minutes=60.0
    )
    learned, kept = (
        samples.select(slice(NUM_VALIDATION, None)),
        samples.select(slice(NUM_VALIDATION)),
    )
    splits = {"train": learned, "validation": kept}
    make_shards(folder / "shards", splits, shard_samples=SHARD_SAMPLES, name="bench")
    ours, bare, ours_cpu, bare_cpu = [], [], [], []
    for number in range(ROUNDS):
        start = time.process_time()
        ours.append(train_seconds(folder / "shards", folder / f"run{number}", settings))
        ours_cpu.append(time.process_time() - start)
        start = time.process_time()
        bare.append(bare_seconds(learned, kept, settings))
        bare_cpu.append(time.process_time() - start)
    wall = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    cpu = statistics.median(a / b for a, b in zip(ours_cpu, bare_cpu, strict=True))
    count = len(learned) * (epochs - 1)
    print(f"cnn4, {len(learned):,} samples, {epochs - 1} epochs after the first")
    for way, found in (("fer_models.train", ours), ("bare fit on arrays", bare)):
        seconds = statistics.median(found)
        print(f"  {way:24}{seconds:8.2f} s{count / seconds:10,.0f} images/s")
    print(f"  {wall:.3f}x the time of the bare fit (target at most 1.03x); {cpu:.3f}x its CPU time")


def train_seconds(shards_dir: Path, run_dir: Path, settings: TrainSettings) -> float:
    """Seconds of all epochs but the first, in which steps are compiled."""
    ends = []

    def note(event: TrainEvent) -> None:
        if isinstance(event, EpochDone):
            ends.append(time.perf_counter())

    train(shards_dir, run_dir, settings, note)
    return ends[-1] - ends[0]


def bare_seconds(learned: Samples, kept: Samples, settings: TrainSettings) -> float:
    """The same of Keras alone."""
    ends = []
    model = compiled("cnn4", learned, settings.precision)
    model.fit(
        learned.images,
        learned.labels,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        validation_data=(kept.images, kept.labels),
        validation_batch_size=256,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
        ],
    )
    return ends[-1] - ends[0]


def each_setting(network: str, samples: Samples, is_cpu: bool) -> None:
    """Prints images/s of fits on arrays whose steps are compiled before; they take turns."""
    is_jax = keras.backend.backend() == "jax"
    settings: list[tuple[int, str, bool | str]] = [
        (batch_size, precision, "auto") for batch_size in BATCH_SIZES for precision in PRECISIONS
    ]
    if keras.backend.backend() == "tensorflow":  # JAX has nothing but XLA, PyTorch none of it
        settings += [(BATCH_SIZES[0], precision, True) for precision in PRECISIONS]
    models, rates = {}, {setting: list[float]() for setting in settings}
    for number in range(1 + ROUNDS):
        for setting in settings:
            batch_size, precision, jit_compile = setting
            if not number:
                models[setting] = compiled(network, samples, precision, jit_compile)
            is_slow = is_cpu and (is_jax or jit_compile is True)  # XLA's convolutions
            few = slice(batch_size if is_slow or not number else None)  # the first round compiles
            images, labels = samples.images[few], samples.labels[few]
            start = time.perf_counter()
            models[setting].fit(images, labels, batch_size=batch_size, verbose=0)
            if number:
                rates[setting].append(len(images) / (time.perf_counter() - start))
    print(f"{network}, {len(samples):,} samples, images/s")
    for (batch_size, precision, jit_compile), found in rates.items():
        name = f"batch {batch_size}, {precision}{', XLA' if jit_compile is True else ''}"
        print(f"  {name:36}{statistics.median(found):10,.0f}", flush=True)


def compiled(
    network: str, samples: Samples, precision: str, jit_compile: bool | str = "auto"
) -> Any:
    height, width, channels = samples.images.shape[1:]
    spec = NetworkSpec(
        image_shape=(height, width, channels),
        num_classes=7,
        pixel_mean=(127.5,) * channels,
        pixel_std=(64.0,) * channels,
        precision=precision,
    )
    model = build_network(network, spec)
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit_compile
    )
    return model


if __name__ == "__main__":
    main()
