"""Fitting: training samples in, a fitted baseline out."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_data.shards.reader import Samples
from fer_models.baselines.fitted import FittedBaseline, extract
from fer_models.baselines.fitting import ClassifierTask
from fer_models.baselines.groups import find_groups
from fer_models.baselines.projection import fit_projection
from fer_models.settings import TrainSettings
from fer_models.zoo import find_network

#: Told how it goes on, a sentence at a time.
Say = Callable[[str], None]


def say_nothing(sentence: str) -> None:
    """Shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineTask:
    """What a baseline is fitted for.

    Attributes:
        settings: of the training.
        num_classes: probabilities it gives.
        class_weights: weight of each class, float32 of shape (num_classes,); None for all alike.
    """

    settings: TrainSettings
    num_classes: int
    class_weights: NDArray[np.float32] | None


def make_extractor(settings: TrainSettings, image_shape: tuple[int, int, int]) -> Any:
    """The `keras.Model` that comes before the projection; None for a baseline without one."""
    module = importlib.import_module(find_network(settings.model).module)
    build = getattr(module, "build_extractor", None)
    return None if build is None else build(image_shape, settings.weights, settings.seed)


def fit_baseline(
    task: BaselineTask, samples: Samples, values: NDArray[Any], extractor: Any, say: Say
) -> FittedBaseline:
    """The baseline fitted on all of `samples`, and on nothing else.

    Args:
        task: what it is fitted for.
        samples: training samples.
        values: what `extractor` makes of their pixels: (num_samples, ...).
        extractor: `keras.Model`, or None where the pixels are the values.
        say: told how it goes on.

    Raises:
        SettingsError: the samples are of one class only.
    """
    settings = task.settings
    present, labels = np.unique(samples.labels, return_inverse=True)
    if len(present) < 2:
        raise SettingsError(
            f"the training samples are of {len(present)} class; {settings.model} tells classes "
            "apart and needs two or more"
        )
    start = time.perf_counter()
    projection, notes = fit_projection(values, settings.components, settings.seed)
    features = projection(values)
    say(f"{len(values):,} samples projected in {time.perf_counter() - start:.1f} s.")
    weights = None if task.class_weights is None else task.class_weights[present].astype(np.float64)
    job = ClassifierTask(
        features=features,
        labels=labels.astype(np.int64),
        groups=find_groups(samples),
        class_weights=weights,
        settings=settings,
        notes=notes,
    )
    start = time.perf_counter()
    classifier = importlib.import_module(find_network(settings.model).module).fit(job)
    for note in job.notes:
        say(note)
    say(f"{settings.model} fitted in {time.perf_counter() - start:.1f} s.")
    return FittedBaseline(
        num_classes=task.num_classes,
        present=present,
        projection=projection,
        classifier=classifier,
        extractor=extractor,
    )


def draw_samples(labels: NDArray[np.int64], limit: int, seed: int) -> NDArray[np.int64]:
    """The rows of `limit` samples, of each class its share; all where there are no more.

    Args:
        labels: int array of shape (num_samples,).
        limit: how many; 0 for all.
        seed: of the choice.

    Returns:
        int64 array of rows, in order.

    Example:
        >>> rows = draw_samples(np.array([0] * 30 + [1] * 10), 4, seed=0)
        >>> np.array([0] * 30 + [1] * 10)[rows].tolist()
        [0, 0, 0, 1]
    """
    if not limit or len(labels) <= limit:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.sort(np.argsort(place, kind="stable")[:limit])


__all__ = [
    "BaselineTask",
    "Say",
    "draw_samples",
    "extract",
    "fit_baseline",
    "make_extractor",
    "say_nothing",
]
