"""The history of a run as TensorBoard reads it, written without TensorBoard.

A file an epoch and a side, so that a run that is resumed has each epoch once.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_models.run import HistoryRow

TENSORBOARD_DIR = "tensorboard"
_VALIDATION = "validation_"


def write_events(folder: Path, history: Sequence[HistoryRow]) -> None:
    """Writes the epochs that are not there yet, and takes away those that are not of the history.

    Args:
        folder: gets `train` and `validation`, whose curves TensorBoard draws in one figure.
        history: the epochs so far.
    """
    wanted = set()
    for row in history:
        for side, values in _sides(row).items():
            path = folder / side / f"events.out.tfevents.{row.epoch:010d}.ferkit"
            wanted.add(path)
            if values and not path.exists():
                _write_scalars(path, row.epoch, values)
    for path in folder.glob("*/events.out.tfevents.*.ferkit*"):
        if path not in wanted:
            path.unlink()


def _sides(row: HistoryRow) -> dict[str, dict[str, float]]:
    """What was measured in training and in validation, each by its own name."""
    values = {n: float(v) for n, v in dataclasses.asdict(row).items() if v is not None}
    del values["epoch"]
    return {
        "train": {n: v for n, v in values.items() if not n.startswith(_VALIDATION)},
        "validation": {
            n.removeprefix(_VALIDATION): v for n, v in values.items() if n.startswith(_VALIDATION)
        },
    }


def _write_scalars(path: Path, step: int, values: Mapping[str, float]) -> None:
    """Writes one event file in one step."""
    import tensorflow as tf
    from tensorflow.core.util.event_pb2 import Event

    def event(**fields: Any) -> bytes:
        data: bytes = Event(wall_time=time.time(), **fields).SerializeToString()
        return data

    scalars = [{"tag": tag, "simple_value": value} for tag, value in values.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".tmp")
    with tf.io.TFRecordWriter(str(beside)) as writer:
        writer.write(event(file_version="brain.Event:2"))
        writer.write(event(step=step, summary={"value": scalars}))
    beside.replace(path)
