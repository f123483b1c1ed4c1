"""Cross-validation of a baseline on the train split."""

from __future__ import annotations

import csv
import dataclasses
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.shards.reader import Samples
from fer_models.baselines.fit import BaselineTask, Say, fit_baseline
from fer_models.baselines.groups import deal_folds
from fer_models.files import write_json, write_text
from fer_models.metrics import Metrics, measure

#: The metrics of the table.
MEASURED = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldResult:
    """One round.

    Attributes:
        num_train: samples that were learned from, copies among them.
        metrics: how good it is on the fold.
        seconds: of the fit.
    """

    num_train: int
    metrics: Metrics
    seconds: float


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """All rounds.

    Attributes:
        rounds: one a fold.
    """

    rounds: tuple[FoldResult, ...]

    def values(self, name: str) -> NDArray[np.float64]:
        """A metric of every round, shape (num_folds,)."""
        return np.array([getattr(each.metrics, name) for each in self.rounds])

    def mean(self, name: str) -> float:
        """Mean of a metric over the rounds."""
        return float(self.values(name).mean())

    def deviation(self, name: str) -> float:
        """Standard deviation of a metric over the rounds, of a sample (n - 1)."""
        return float(self.values(name).std(ddof=1))

    def rows(self) -> list[tuple[str, int, int, float, float, float, float, float]]:
        """A row a round: number, learned from, judged, the metrics, seconds."""
        return [
            (
                str(number),
                each.num_train,
                each.metrics.num_samples,
                *(float(getattr(each.metrics, name)) for name in MEASURED),
                each.seconds,
            )  # type: ignore[misc]
            for number, each in enumerate(self.rounds, 1)
        ]

    def to_json(self) -> dict[str, Any]:
        """The cross-validation as JSON values."""
        return {
            "rounds": [dataclasses.asdict(each) for each in self.rounds],
            "mean": {name: self.mean(name) for name in MEASURED},
            "standard_deviation": {name: self.deviation(name) for name in MEASURED},
        }


def cross_validate(
    task: BaselineTask,
    samples: Samples,
    values: NDArray[Any],
    class_names: Sequence[str],
    say: Say,
) -> CrossValidation:
    """Judges a baseline on each fold of the samples, learned from the other folds alone.

    Args:
        task: what it is fitted for; `settings.folds` says how many folds.
        samples: of the train split.
        values: what the projection is fitted on, (num_samples, ...), row by row of `samples`.
        class_names: in the order of the labels.
        say: told how it goes on.

    Raises:
        SettingsError: a class has fewer groups than there are folds.
    """
    rounds = []
    for number, fold in enumerate(deal_folds(samples, task.settings.folds, task.settings.seed), 1):
        say(
            f"Fold {number} of {task.settings.folds}: learns from {len(fold.train):,} samples, "
            f"judges {len(fold.judged):,}."
        )
        start = time.perf_counter()
        fitted = fit_baseline(task, samples.select(fold.train), values[fold.train], None, say)
        seconds = time.perf_counter() - start
        probabilities = fitted.predict(values[fold.judged])
        metrics = measure(samples.labels[fold.judged], probabilities, class_names)
        say(f"Fold {number}: accuracy {metrics.accuracy:.4f}, macro-F1 {metrics.macro_f1:.4f}.")
        rounds.append(FoldResult(num_train=len(fold.train), metrics=metrics, seconds=seconds))
    return CrossValidation(tuple(rounds))


def write_folds(run_dir: Path, folds: CrossValidation) -> None:
    """Writes `folds.csv`, the table, and `folds.json`, with all metrics of every round."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["fold", "train_samples", "judged_samples", *MEASURED, "seconds"])
    for row in folds.rows():
        writer.writerow([f"{value:.6f}" if isinstance(value, float) else value for value in row])
    for name, of in (("mean", folds.mean), ("standard deviation", folds.deviation)):
        writer.writerow([name, "", "", *(f"{of(metric):.6f}" for metric in MEASURED), ""])
    write_text(run_dir / "folds.csv", text.getvalue())
    write_json(run_dir / "folds.json", folds.to_json())
