"""How a training run is shown: a bar on a terminal, a line an epoch everywhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

import click

from fer_models.events import BatchDone, EpochDone, RunStarted, TeacherAsked, TrainEvent


class TrainProgress:
    """Shows the events of a run on standard error; used as a context and as a callback."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._epochs = 0

    def __enter__(self) -> TrainProgress:
        """Starts the bar, on a terminal."""
        if sys.stderr.isatty():
            self._bar = _make_bar()
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: TrainEvent) -> None:
        """Shows an event."""
        if isinstance(event, RunStarted):
            self._epochs = event.epochs
            for line in _describe_start(event):
                self.say(line)
        elif isinstance(event, TeacherAsked):
            self.say(f"Asking {event.teacher} about {event.num_samples:,} training samples.")
        elif isinstance(event, EpochDone):
            self.say(_describe_epoch(event, self._epochs))
        elif self._bar is not None:
            self._move(event)

    def say(self, line: str) -> None:
        """Shows a line above the bar."""
        if self._bar is None:
            click.echo(line, err=True)
        else:
            self._bar.console.print(line, highlight=False, markup=False)

    def _move(self, event: BatchDone) -> None:
        what = f"Epoch {event.epoch}/{self._epochs}"
        if self._task is None:
            self._task = self._bar.add_task(what, total=event.num_batches, figures="")
        if event.batch < self._bar.tasks[0].completed:
            self._bar.reset(self._task)
        self._bar.update(
            self._task,
            description=what,
            completed=event.batch,
            total=event.num_batches,
            figures=(
                f"loss {event.loss:.4f}  accuracy {event.accuracy:.3f}  "
                f"{event.images_per_second:,.0f} images/s"
            ),
        )


def _make_bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
        expand=True,
    )


def _describe_start(event: RunStarted) -> list[str]:
    lines = [
        f"{event.num_samples:,} training samples, {event.num_validation:,} to validate on, "
        f"{event.num_parameters:,} parameters, up to {event.epochs} epochs. Run: {event.run_dir}",
        *event.notes,
    ]
    if event.epochs_done:
        lines.append(f"Going on after epoch {event.epochs_done}.")
    return lines


def _describe_epoch(event: EpochDone, epochs: int) -> str:
    row = event.row
    width = len(str(epochs))
    line = f"Epoch {row.epoch:>{width}}/{epochs}  loss {row.loss:.4f}  accuracy {row.accuracy:.3f}"
    if row.validation_macro_f1 is not None:
        line += (
            f"  validation: loss {row.validation_loss:.4f}  accuracy {row.validation_accuracy:.3f}"
            f"  macro-F1 {row.validation_macro_f1:.3f}"
        )
    line += f"  {row.seconds:.0f} s  {row.images_per_second:,.0f} images/s"
    return line + ("  best" if event.is_best else "")
