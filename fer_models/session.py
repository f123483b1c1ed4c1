"""A training run that is going on: epoch after epoch, each one saved before it is told of."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from fer_models.bundle import write_bundle
from fer_models.checkpoint import (
    CHECKPOINTS_DIR,
    LAST_NAME,
    Checkpoint,
    EpochProgress,
    read_checkpoint,
    restore_checkpoint,
    take_checkpoint,
    write_checkpoint,
)
from fer_models.errors import DivergedError
from fer_models.events import EpochDone, OnEvent, RunStarted
from fer_models.files import write_json
from fer_models.fitting import fit_epoch, learning_rate, make_learner
from fer_models.interrupts import interrupts
from fer_models.metrics import Metrics, measure
from fer_models.plan import TrainPlan
from fer_models.run import HistoryRow, read_record, write_history
from fer_models.stream import ShardStream
from fer_models.zoo import NetworkSpec, build_network

_SECONDS_BETWEEN_SAVES = 300.0  # in the middle of an epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """How a run ended.

    Attributes:
        run_dir: its folder.
        stopped: `"finished"`, `"no better"` (patience ran out) or `"interrupted"`.
        history: its epochs.
        best_epoch: whose weights are in the bundle, counted from 1; 0 where none was finished.
        validation: how good the bundle is on the validation split; None without one.
    """

    run_dir: Path
    stopped: str
    history: tuple[HistoryRow, ...]
    best_epoch: int
    validation: Metrics | None

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return dataclasses.asdict(self) | {"run_dir": str(self.run_dir)}


def build_planned(plan: TrainPlan, precision: str, *, blank: bool = False) -> Any:
    """The network of a plan, with the first weights of its seed.

    Args:
        plan: of the run.
        precision: Keras dtype policy.
        blank: leave the weights of a file or a download out, because others follow.
    """
    keras.utils.set_random_seed(plan.settings.seed)
    return build_network(
        plan.settings.model,
        NetworkSpec(
            image_shape=plan.index.image_shape,
            num_classes=len(plan.index.class_names),
            pixel_mean=plan.index.pixel_mean,
            pixel_std=plan.index.pixel_std,
            precision=precision,
            preset=plan.settings.preset,
            weights="none" if blank else plan.settings.weights,
        ),
    )


def best_epoch(history: tuple[HistoryRow, ...]) -> int:
    """The best epoch, counted from 1, the earliest of equals; 0 where there is none."""

    def goodness(row: HistoryRow) -> float:
        return -row.loss if row.validation_macro_f1 is None else row.validation_macro_f1

    return max(history, key=lambda row: (goodness(row), -row.epoch)).epoch if history else 0


class TrainingRun:
    """A run that is going on: its network, its streams and its history.

    Args:
        run_dir: its folder, with its settings in it.
        plan: what it will do.
        network: with its first weights.
        streams: of the train split and, where there is one, the validation split.
        on_event: told how it goes on.
    """

    def __init__(
        self,
        run_dir: Path,
        plan: TrainPlan,
        network: Any,
        streams: dict[str, ShardStream],
        on_event: OnEvent,
    ) -> None:
        self._dir = run_dir
        self._plan = plan
        self._network = network
        self._learner = make_learner(network, plan)
        self._streams = streams
        self._on_event = on_event
        self._history: tuple[HistoryRow, ...] = ()
        self._progress = EpochProgress()
        self._last_path = run_dir / CHECKPOINTS_DIR / LAST_NAME
        self._best_path = run_dir / CHECKPOINTS_DIR / "best.npz"

    def train(self) -> TrainReport:
        """Trains to the end, from where the run stands."""
        self._go_on()
        self._on_event(
            RunStarted(
                run_dir=self._dir,
                num_parameters=self._network.count_params(),
                num_samples=self._plan.index.num_samples("train"),
                num_validation=self._plan.index.num_samples("validation"),
                num_batches=self._plan.num_batches,
                epochs=self._plan.settings.epochs,
                epochs_done=len(self._history),
                notes=self._plan.notes,
            )
        )
        try:
            with interrupts() as asked_to_stop:
                stopped = self._learn(asked_to_stop)
        except KeyboardInterrupt:
            stopped = "interrupted"
        except DivergedError as error:
            self._finish("diverged")
            raise DivergedError(self._explain_divergence(error)) from None
        return self._finish(stopped)

    def _go_on(self) -> None:
        """Takes up the last checkpoint, if there is one."""
        last = read_checkpoint(self._last_path)
        if last is None:
            return
        restore_checkpoint(self._learner, last, self._last_path)
        self._history, self._progress = last.history, last.progress
        write_history(self._dir, self._history)
        if last.progress.batches or best_epoch(last.history) != last.epoch:
            return
        best = read_checkpoint(self._best_path)
        if best is None or best.epoch != last.epoch:
            write_checkpoint(self._best_path, last)  # killed between the two files

    def _learn(self, asked_to_stop: Callable[[], bool]) -> str:
        """Learns epoch after epoch; returns why it stopped."""
        patience = self._plan.settings.patience
        while len(self._history) < self._plan.settings.epochs:
            waited = len(self._history) - best_epoch(self._history)
            if patience and waited >= patience:
                return "no better"
            if asked_to_stop():
                return "interrupted"
            self._learn_batches(asked_to_stop)
            if self._progress.batches == self._plan.num_batches:
                self._end_epoch()
        return "finished"

    def _learn_batches(self, asked_to_stop: Callable[[], bool]) -> None:
        """Learns the rest of an epoch; saves in the middle of it when asked, and now and then."""
        start = time.perf_counter()

        def stop() -> bool:
            return asked_to_stop() or time.perf_counter() - start >= _SECONDS_BETWEEN_SAVES

        self._progress = fit_epoch(
            self._learner,
            self._streams["train"],
            self._plan,
            len(self._history),
            self._on_event,
            done=self._progress,
            stop=stop,
        )
        if self._progress.batches < self._plan.num_batches:
            checkpoint = take_checkpoint(self._learner, self._history, self._progress)
            write_checkpoint(self._last_path, checkpoint)

    def _end_epoch(self) -> None:
        """Judges the epoch that was learned, and saves it."""
        start = time.perf_counter()
        learned, self._progress = self._progress, EpochProgress()
        judged = self._judge(self._network)
        row = HistoryRow(
            epoch=len(self._history) + 1,
            loss=learned.mean_loss,
            accuracy=learned.mean_accuracy,
            validation_loss=judged.log_loss if judged else None,
            validation_accuracy=judged.accuracy if judged else None,
            validation_balanced_accuracy=judged.balanced_accuracy if judged else None,
            validation_macro_f1=judged.macro_f1 if judged else None,
            learning_rate=learning_rate(self._learner),
            seconds=learned.seconds + time.perf_counter() - start,
            images_per_second=learned.samples / learned.seconds,
        )
        history = (*self._history, row)
        is_best = best_epoch(history) == row.epoch
        checkpoint = take_checkpoint(self._learner, history, self._progress)
        write_checkpoint(self._last_path, checkpoint)
        if is_best:
            write_checkpoint(self._best_path, checkpoint)
        self._history = history
        write_history(self._dir, history)
        self._on_event(EpochDone(row=row, is_best=is_best))

    def _judge(self, network: Any) -> Metrics | None:
        """How good a network is on the validation split; None without one."""
        stream = self._streams.get("validation")
        if stream is None:
            return None
        with stream.explain_damage():
            probabilities = network.predict(stream.in_order(), verbose=0)
        return measure(stream.labels(), probabilities, self._plan.index.class_names)

    def _finish(self, stopped: str) -> TrainReport:
        """Writes the bundle of the best epoch, in float32 whatever it was trained in."""
        best = read_checkpoint(self._best_path)
        validation = None if best is None else self._write_bundle(best)
        return TrainReport(
            run_dir=self._dir,
            stopped=stopped,
            history=self._history,
            best_epoch=best.epoch if best is not None else 0,
            validation=validation,
        )

    def _write_bundle(self, best: Checkpoint) -> Metrics | None:
        network = build_planned(self._plan, "float32", blank=True)
        network.set_weights(best.weights)
        write_bundle(
            self._dir,
            network,
            self._plan.index,
            model=self._plan.settings.model,
            index_sha256=read_record(self._dir).index_sha256,
            epoch=best.epoch,
        )
        validation = self._judge(network)
        if validation is not None:
            write_json(self._dir / "metrics.json", {"validation": validation.to_json()})
        return validation

    def _explain_divergence(self, error: DivergedError) -> str:
        rate = self._plan.settings.learning_rate
        best = best_epoch(self._history)
        kept = f"the bundle holds epoch {best}" if best else "nothing was learned before"
        return f"{self._dir}: {error}; {kept}. Try a smaller --lr than {rate:g}"
