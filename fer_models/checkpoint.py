"""Checkpoints: all numbers of a learner and its optimizer in one NPZ file, and the history.

A plain archive without pickled objects: it opens with `numpy.load`, and is whole or not there.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.files import write_file
from fer_models.errors import DamagedRunError
from fer_models.generators import generator_states, restore_generators
from fer_models.run import HistoryRow

CHECKPOINTS_DIR = "checkpoints"
LAST_NAME = "last.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochProgress:
    """How far an epoch has been learned, and what it came to.

    Attributes:
        batches: that were learned.
        samples: that were learned.
        loss_sum: of the weighted losses of the samples.
        num_right: samples that were predicted right while it was learning.
        seconds: that it took.
    """

    batches: int = 0
    samples: int = 0
    loss_sum: float = 0.0
    num_right: float = 0.0
    seconds: float = 0.0

    @property
    def mean_loss(self) -> float:
        """Mean of the weighted loss."""
        return self.loss_sum / self.samples

    @property
    def mean_accuracy(self) -> float:
        """Share of right predictions."""
        return self.num_right / self.samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A learner as it was after an epoch, or in the middle of one.

    Attributes:
        weights: of the network, in its order, the moving averages included.
        optimizer: variables of the optimizer, in its order.
        generators: states of its random generators, in its order.
        history: the epochs so far.
        progress: of the epoch after them.
    """

    weights: tuple[NDArray[Any], ...]
    optimizer: tuple[NDArray[Any], ...]
    generators: tuple[NDArray[Any], ...]
    history: tuple[HistoryRow, ...]
    progress: EpochProgress

    @property
    def epoch(self) -> int:
        """Epochs that were finished."""
        return len(self.history)


def has_checkpoint(run_dir: Path) -> bool:
    """Whether a run was saved before, so that it goes on from there."""
    return (run_dir / CHECKPOINTS_DIR / LAST_NAME).exists()


def take_checkpoint(
    learner: Any, history: tuple[HistoryRow, ...], progress: EpochProgress
) -> Checkpoint:
    """The state of a compiled network."""
    return Checkpoint(
        weights=tuple(learner.get_weights()),
        optimizer=_to_numpy(learner.optimizer.variables),
        generators=generator_states(learner),
        history=history,
        progress=progress,
    )


def restore_checkpoint(learner: Any, checkpoint: Checkpoint, where: Path) -> None:
    """Puts a compiled network, its optimizer and generators into the state of a checkpoint.

    Raises:
        DamagedRunError: the checkpoint is of another network.
    """
    variables = (*learner.weights, *learner.optimizer.variables, *generator_states(learner))
    expected = [tuple(v.shape) for v in variables]
    values = (*checkpoint.weights, *checkpoint.optimizer, *checkpoint.generators)
    found = [a.shape for a in values]
    if expected != found:
        raise DamagedRunError(f"{where}: of another network than the settings say; train again")
    learner.set_weights(checkpoint.weights)
    for variable, value in zip(learner.optimizer.variables, checkpoint.optimizer, strict=True):
        variable.assign(value)
    restore_generators(learner, checkpoint.generators)


def _to_numpy(variables: Iterable[Any]) -> tuple[NDArray[Any], ...]:
    import keras

    return tuple(keras.ops.convert_to_numpy(variable) for variable in variables)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint in one step."""
    arrays = {f"weights/{n:04d}": array for n, array in enumerate(checkpoint.weights)}
    arrays |= {f"optimizer/{n:04d}": array for n, array in enumerate(checkpoint.optimizer)}
    arrays |= {f"generators/{n:04d}": array for n, array in enumerate(checkpoint.generators)}
    arrays["history"] = np.array(json.dumps([dataclasses.asdict(r) for r in checkpoint.history]))
    arrays["progress"] = np.array(json.dumps(dataclasses.asdict(checkpoint.progress)))
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    write_file(path, file.getvalue())


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint at `path`, or None where there is none.

    Raises:
        DamagedRunError: it cannot be read.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            parts = {
                part: tuple(file[n] for n in file.files if n.startswith(f"{part}/"))
                for part in ("weights", "optimizer", "generators")
            }
            history = json.loads(str(file["history"]))
            return Checkpoint(
                **parts,
                history=tuple(HistoryRow(**row) for row in history),
                progress=EpochProgress(**json.loads(str(file["progress"]))),
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedRunError(
            f"{path}: cannot be read ({error}); delete it to start the run anew"
        ) from None
