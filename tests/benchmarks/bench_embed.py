"""Time of embedding 28,709 pictures of 48x48, step by step, and of UMAP's own neighbour search.

    python tests/benchmarks/bench_embed.py [FER2013.zip]

The network is `cnn4-sched` with random weights, which takes as long as a trained one. UMAP searches
its neighbours by approximation; ours are exact, and found before. Each way of UMAP runs once, in a
process of its own, so that both compile what they need; seconds are those of a clock, and of the
processor behind them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_models.projection import _load_umap, project
from tests.benchmarks.made_data import machine, pack_samples, training_samples

LIMIT = 180.0  # seconds of PCA and UMAP together


def main() -> None:
    from fer_models.embed import EmbedSettings, embed_split
    from fer_models.settings import TrainSettings
    from fer_models.train import train

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = training_samples(Path(sys.argv[1]) if sys.argv[1:] else None, folder)
        pack_samples(samples, folder / "shards")
        train(folder / "shards", folder / "run", TrainSettings(model="cnn4-sched", epochs=0))
        print(f"{len(samples):,} samples of 48x48x1; {machine()}")
        settings = EmbedSettings(split="train", methods=("pca", "umap"))
        report, seconds = timed(
            "all: PCA, UMAP, figures, page", embed_split, folder / "run", None, settings
        )
        print(f"  target at most {LIMIT:.0f} s: {seconds:.0f} s")
        values = report.embedded.embeddings
        for way in (ours, by_umap):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                pool.submit(way, values).result()


def ours(values: Any) -> None:
    timed("UMAP, exact neighbours (ferkit)", project, "umap", values, 0)


def by_umap(values: Any) -> None:
    umap = _load_umap().UMAP(random_state=0, n_jobs=1)
    timed("UMAP, its own neighbours", umap.fit_transform, np.asarray(values))


def timed(what: str, work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    clock, processor = time.perf_counter(), time.process_time()
    result = work(*arguments)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    print(f"  {what:34}{clock:8.1f} s{processor:8.1f} s of the processor", flush=True)
    return result, clock


if __name__ == "__main__":
    main()
