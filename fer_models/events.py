"""What a training run tells while it goes on; whoever calls decides how to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fer_models.run import HistoryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherAsked:
    """A teacher is about to predict the training samples, before the run starts.

    Attributes:
        teacher: folder of its run or bundle.
        num_samples: that it is asked about.
    """

    teacher: str
    num_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The first step is about to be made.

    Attributes:
        run_dir: the folder of the run.
        num_parameters: of the network.
        num_samples: of the training split.
        num_validation: of the validation split; 0 where there is none.
        num_batches: of an epoch.
        epochs: at most.
        epochs_done: before, when a run is resumed.
        notes: what was chosen for the user, and why; a sentence each.
    """

    run_dir: Path
    num_parameters: int
    num_samples: int
    num_validation: int
    num_batches: int
    epochs: int
    epochs_done: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDone:
    """A batch was learned; told a few times a second.

    Attributes:
        epoch: counted from 1.
        batch: counted from 1.
        num_batches: of the epoch.
        loss: mean of the epoch so far.
        accuracy: of the epoch so far.
        images_per_second: of the epoch so far.
    """

    epoch: int
    batch: int
    num_batches: int
    loss: float
    accuracy: float
    images_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochDone:
    """An epoch was learned, judged and saved.

    Attributes:
        row: its line of the history.
        is_best: whether it is the best so far.
    """

    row: HistoryRow
    is_best: bool


TrainEvent = TeacherAsked | RunStarted | BatchDone | EpochDone
OnEvent = Callable[[TrainEvent], None]


def ignore_event(event: TrainEvent) -> None:
    """Shows nothing."""
