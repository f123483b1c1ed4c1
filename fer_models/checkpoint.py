"""Checkpoints: all numbers of a network and its optimizer in one NPZ file, and the history.

A plain archive without pickled objects: it opens with `numpy.load`, and is whole or not there.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.files import write_file
from fer_models.errors import DamagedRunError
from fer_models.run import HistoryRow

CHECKPOINTS_DIR = "checkpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A network as it was after an epoch.

    Attributes:
        weights: of the network, in its order, the moving averages included.
        optimizer: variables of the optimizer, in its order.
        history: the epochs so far.
    """

    weights: tuple[NDArray[Any], ...]
    optimizer: tuple[NDArray[Any], ...]
    history: tuple[HistoryRow, ...]

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)


def take_checkpoint(network: Any, history: tuple[HistoryRow, ...]) -> Checkpoint:
    """The state of a compiled network."""
    return Checkpoint(
        weights=tuple(network.get_weights()),
        optimizer=tuple(np.asarray(variable) for variable in network.optimizer.variables),
        history=history,
    )


def restore_checkpoint(network: Any, checkpoint: Checkpoint, where: Path) -> None:
    """Puts a compiled network and its optimizer into the state of a checkpoint.

    Raises:
        DamagedRunError: the checkpoint is of another network.
    """
    network.optimizer.build(network.trainable_variables)
    expected = [tuple(v.shape) for v in (*network.weights, *network.optimizer.variables)]
    found = [a.shape for a in (*checkpoint.weights, *checkpoint.optimizer)]
    if expected != found:
        raise DamagedRunError(f"{where}: of another network than the settings say; train again")
    network.set_weights(checkpoint.weights)
    for variable, value in zip(network.optimizer.variables, checkpoint.optimizer, strict=True):
        variable.assign(value)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint in one step."""
    arrays = {f"weights/{n:04d}": array for n, array in enumerate(checkpoint.weights)}
    arrays |= {f"optimizer/{n:04d}": array for n, array in enumerate(checkpoint.optimizer)}
    history = json.dumps([dataclasses.asdict(row) for row in checkpoint.history])
    file = io.BytesIO()
    np.savez(file, **arrays, history=np.array(history))  # type: ignore[arg-type]
    write_file(path, file.getvalue())


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint at `path`, or None where there is none.

    Raises:
        DamagedRunError: it cannot be read.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            history = json.loads(str(file["history"]))
            return Checkpoint(
                weights=tuple(file[n] for n in file.files if n.startswith("weights/")),
                optimizer=tuple(file[n] for n in file.files if n.startswith("optimizer/")),
                history=tuple(HistoryRow(**row) for row in history),
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedRunError(
            f"{path}: cannot be read ({error}); delete it to start the run anew"
        ) from None
