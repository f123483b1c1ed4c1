"""A training run that is going on: epoch after epoch, each one saved before it is told of."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

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
from fer_models.history_rules import best_epoch, plateau_factor
from fer_models.image_growth import GrowingSide, side_of_epoch
from fer_models.interrupts import interrupts
from fer_models.judging import judge
from fer_models.learning_curves import write_learning
from fer_models.metrics import Metrics
from fer_models.optimizers import PlannedRate, averaged_weights
from fer_models.plan import TrainPlan
from fer_models.run import HistoryRow, read_record, write_history
from fer_models.run_report import TrainReport
from fer_models.stream import ShardStream
from fer_models.targets import Targets
from fer_models.tensorboard import TENSORBOARD_DIR, write_events
from fer_models.zoo import NetworkSpec, build_network


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


class TrainingRun:
    """A run that is going on: its network, its streams and its history.

    Args:
        run_dir: its folder, with its settings in it.
        plan: what it will do.
        network: with its first weights.
        streams: `"train"`: of what is learned from; `"validation"`: of what is judged on, if any.
        targets: of what is learned from, as `fer_models.targets.make_targets` gives them.
        on_event: told how it goes on.
    """

    def __init__(
        self,
        run_dir: Path,
        plan: TrainPlan,
        network: Any,
        streams: dict[str, ShardStream],
        targets: Targets,
        on_event: OnEvent,
    ) -> None:
        self._dir = run_dir
        self._plan = plan
        self._network = network
        self._history: tuple[HistoryRow, ...] = ()
        self._progress = EpochProgress()
        self._rate = PlannedRate(plan.settings, plan.num_batches)
        self._side = GrowingSide(self._side_now())
        self._learner = make_learner(network, plan, self._rate, self._side)
        self._streams = streams
        self._targets = targets
        self._on_event = on_event
        self._last_path = run_dir / CHECKPOINTS_DIR / LAST_NAME
        self._best_path = run_dir / CHECKPOINTS_DIR / "best.npz"

    def train(self) -> TrainReport:
        """Trains to the end, from where the run stands."""
        self._go_on()
        self._on_event(
            RunStarted(
                run_dir=self._dir,
                num_parameters=self._network.count_params(),
                num_samples=self._plan.num_samples,
                num_validation=self._plan.num_validation,
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
        self._write_history()
        if last.progress.batches or self._best_epoch(last.history) != last.epoch:
            return
        best = read_checkpoint(self._best_path)
        if best is None or best.epoch != last.epoch:
            self._write_best(last)  # killed between the two files

    def _learn(self, asked_to_stop: Callable[[], bool]) -> str:
        """Learns epoch after epoch; returns why it stopped."""
        patience = self._plan.settings.patience
        if self._plan.settings.epochs == 0:
            return "built"
        while len(self._history) < self._plan.settings.epochs:
            waited = len(self._history) - self._best_epoch(self._history)
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
        self._follow_plan()

        def stop() -> bool:
            minutes = (time.perf_counter() - start) / 60.0
            return asked_to_stop() or minutes >= self._plan.settings.save_minutes

        self._progress = fit_epoch(
            self._learner,
            self._streams["train"],
            self._plan,
            self._targets,
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
        with averaged_weights(self._learner, self._plan.settings):
            judged = self._judge(self._network)
        if judged is not None and not math.isfinite(judged.log_loss):
            raise DivergedError(
                f"the validation loss became {judged.log_loss} in epoch {len(self._history) + 1}"
            )
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
        is_best = self._best_epoch(history) == row.epoch
        checkpoint = take_checkpoint(self._learner, history, self._progress)
        write_checkpoint(self._last_path, checkpoint)
        if is_best:
            self._write_best(checkpoint)
        self._history = history
        self._write_history()
        told = is_best and not self._plan.settings.with_validation  # then each is, until the next
        self._on_event(EpochDone(row=row, is_best=told))

    def _best_epoch(self, history: Sequence[HistoryRow]) -> int:
        return best_epoch(history, keep_last=self._plan.settings.with_validation)

    def _side_now(self) -> int:
        """The side of the images that the next epoch learns from."""
        plan = self._plan
        return side_of_epoch(plan.settings, len(self._history), plan.index.image_shape[0])

    def _follow_plan(self) -> None:
        """Sets the rate and the side of an epoch; steps that are compiled hold the old ones."""
        factor, side = plateau_factor(self._history, self._plan.settings), self._side_now()
        if (factor, side) != (self._rate.factor, self._side.now):
            self._rate.factor, self._side.now = factor, side
            self._learner.make_train_function(force=True)

    def _write_best(self, checkpoint: Checkpoint) -> None:
        """Saves the best epoch as it was judged: with the average of the weights, if there is."""
        with averaged_weights(self._learner, self._plan.settings):
            best = dataclasses.replace(checkpoint, weights=tuple(self._learner.get_weights()))
        write_checkpoint(self._best_path, best)

    def _write_history(self) -> None:
        write_history(self._dir, self._history)
        if self._plan.settings.tensorboard:
            write_events(self._dir / TENSORBOARD_DIR, self._history)

    def _judge(self, network: Any) -> Metrics | None:
        """How good a network is on the validation split; None without one."""
        stream = self._streams.get("validation")
        if stream is None:
            return None
        return judge(network, stream, self._plan)

    def _finish(self, stopped: str) -> TrainReport:
        """Writes curves and the bundle of the best epoch, in float32 whatever it learned in."""
        best = read_checkpoint(self._best_path)
        validation = None
        if best is not None:
            validation = self._write_bundle(best.weights, best.epoch)
        elif stopped == "built":
            self._write_bundle(self._network.get_weights(), 0)
        if best is not None:
            write_learning(self._dir, best.epoch)
        return TrainReport(
            run_dir=self._dir,
            stopped=stopped,
            history=self._history,
            best_epoch=best.epoch if best is not None else 0,
            validation=validation,
        )

    def _write_bundle(self, weights: Sequence[NDArray[Any]], epoch: int) -> Metrics | None:
        network = build_planned(self._plan, "float32", blank=True)
        network.set_weights(weights)
        write_bundle(
            self._dir,
            network,
            self._plan.index,
            model=self._plan.settings.model,
            index_sha256=read_record(self._dir).index_sha256,
            epoch=epoch,
            splits=self._plan.settings.train_splits,
        )
        validation = self._judge(network) if epoch else None
        if validation is not None:
            write_json(self._dir / "metrics.json", {"validation": validation.to_json()})
        return validation

    def _explain_divergence(self, error: DivergedError) -> str:
        rate = self._plan.settings.learning_rate
        best = self._best_epoch(self._history)
        kept = f"the bundle holds epoch {best}" if best else "nothing was learned before"
        return f"{self._dir}: {error}; {kept}. Try a smaller --lr than {rate:g}"
