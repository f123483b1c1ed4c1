"""How long training waits for data: fits over ferkit's stream against batches that lie ready.

    python tests/benchmarks/bench_waiting.py [FER2013.zip]

One epoch of `model.fit` over the stream, kept in memory and not, against the same fit over batches
that lie in memory as tensors, in an order that was drawn before: what the stream takes longer is
waiting. Beside it the bare `model.fit` on arrays, which shuffles for itself. `cnn4` is the network
of the trainer; the other has one weight and looks at one pixel, so nothing hides the data. Without
a GPU decoding takes its time from the same cores as training. All ways take turns, after one round
that counts for nothing; medians of the ratios within a round. KERAS_BACKEND says what trains.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

if __name__ == "__main__":  # not in the processes that decode pictures
    import keras
    import tensorflow as tf

    from fer_data.shards.index import ShardIndex
    from fer_data.shards.samples import Samples
    from fer_models.devices import bfloat16_device, keep_tensorflow_on_cpu
    from fer_models.settings import TrainSettings
    from fer_models.stream import ShardStream, StreamSettings
    from fer_models.zoo import NetworkSpec
    from fer_models.zoo.cnn4 import build
    from tests.benchmarks.made_data import machine, pack_samples, training_samples

ROUNDS = 3
FEW = 6_144  # samples of cnn4's epoch on a CPU
READY, BARE = "batches ready in memory", "bare fit on arrays"
CACHED, UNCACHED = "ferkit, in memory", "ferkit, decoded each epoch"


def main() -> None:
    keep_tensorflow_on_cpu()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = training_samples(Path(sys.argv[1]) if sys.argv[1:] else None, folder)
        device, _ = bfloat16_device()
        few = samples.select(slice(FEW)) if device == "the CPU" else samples
        print(f"{keras.backend.backend()} on {device}; {machine()}; medians of {ROUNDS}")
        for network, part in (("one weight", samples), ("cnn4", few)):
            index = pack_samples(part, folder / network)
            compare(network, part, folder / network, index)


def compare(network: str, samples: Samples, shards_dir: Path, index: ShardIndex) -> None:
    model = cnn4(index) if network == "cnn4" else one_weight(index)
    batch_size = TrainSettings().batch_size

    def stream(cache_bytes: int) -> ShardStream:
        settings = StreamSettings(batch_size=batch_size, cache_bytes=cache_bytes)
        return ShardStream(shards_dir, index, "train", settings)

    cached, uncached = stream(2**31), stream(0)
    ready = ready_batches(samples, batch_size)
    arrays = {"x": samples.images, "y": samples.labels, "batch_size": batch_size}
    ways: dict[str, Callable[[int], dict[str, Any]]] = {
        READY: lambda _: {"x": ready, "shuffle": False},
        CACHED: lambda epoch: {"x": cached.shuffled(epoch), "shuffle": False},
        UNCACHED: lambda epoch: {"x": uncached.shuffled(epoch), "shuffle": False},
        BARE: lambda _: arrays,
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(1 + ROUNDS):
        for way, data in ways.items():
            start = time.perf_counter()
            model.fit(**data(number), verbose=0)
            if number:
                seconds[way].append(time.perf_counter() - start)
    print(f"{network}, {len(samples):,} samples{'':20}images/s{'waiting':>10}{'of bare fit':>14}")
    for way, found in seconds.items():
        rate = len(samples) / statistics.median(found)
        waiting = statistics.median(
            1 - least / took for least, took in zip(seconds[READY], found, strict=True)
        )
        bare = statistics.median(a / b for a, b in zip(found, seconds[BARE], strict=True))
        print(f"  {way:36}{rate:9,.0f}{waiting:10.1%}{bare:13.3f}x time")
    print(f"  target: {CACHED} at most 1.03x the time of the {BARE}; on a GPU waiting under 2%")


def ready_batches(samples: Samples, batch_size: int) -> Any:
    """Batches in an order drawn once, in memory as they are to be used."""
    order = np.random.default_rng(0).permutation(len(samples))
    images, labels = samples.images[order], samples.labels[order]
    full = len(samples) // batch_size
    end = full * batch_size
    shape = samples.images.shape[1:]
    with tf.device("CPU:0"):
        batches = tf.data.Dataset.from_tensor_slices(
            # (N, H, W, C) -> (num_batches, B, H, W, C)
            (images[:end].reshape(full, -1, *shape), labels[:end].reshape(full, -1))
        )
        if end < len(samples):
            rest = tf.data.Dataset.from_tensors((images[end:], labels[end:]))
            batches = batches.map(lambda *batch: batch).concatenate(rest)
    return batches.prefetch(tf.data.AUTOTUNE)


def cnn4(index: ShardIndex) -> Any:
    spec = NetworkSpec(
        image_shape=index.image_shape,
        num_classes=len(index.class_names),
        pixel_mean=index.pixel_mean,
        pixel_std=index.pixel_std,
    )
    model = build(spec)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def one_weight(index: ShardIndex) -> Any:
    """A network that costs nothing: one pixel times one weight."""

    class OnePixel(keras.Layer):
        def build(self, shape: Any) -> None:
            self.factor = self.add_weight(shape=(1,))

        def call(self, images: Any) -> Any:
            return keras.ops.cast(images[:, 0, 0, :1], "float32") * self.factor

    model = keras.Sequential([keras.Input(index.image_shape, dtype="uint8"), OnePixel()])
    model.compile("sgd", "mse")
    return model


if __name__ == "__main__":
    main()
