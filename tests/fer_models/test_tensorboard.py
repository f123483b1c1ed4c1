"""What TensorBoard finds of a run."""

from __future__ import annotations

import dataclasses

import pytest
import tensorflow as tf

from fer_models.run import HistoryRow, history_row
from fer_models.tensorboard import write_events


def read_events(folder):
    """(step, tag) -> value, and how often each was read."""
    from tensorflow.core.util.event_pb2 import Event

    found = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = Event.FromString(record)
            for value in event.summary.value:
                assert (event.step, value.tag) not in found
                found[event.step, value.tag] = value.simple_value
    return found


def test_each_epoch_is_there_once_whatever_was_before(tmp_path):
    blank = history_row(dict.fromkeys([f.name for f in dataclasses.fields(HistoryRow)], "1"))
    history = [dataclasses.replace(blank, epoch=n, loss=1 / n, validation_loss=2 / n)
               for n in (1, 2, 3)]  # fmt: skip
    write_events(tmp_path, history[:2])
    write_events(tmp_path, history)
    write_events(tmp_path, history)
    train, validation = (read_events(tmp_path / side) for side in ("train", "validation"))
    assert {step for step, _ in train} == {1, 2, 3}
    assert [train[n, "loss"] for n in (1, 2, 3)] == pytest.approx([1, 1 / 2, 1 / 3])
    assert [validation[n, "loss"] for n in (1, 2, 3)] == pytest.approx([2, 1, 2 / 3])
    assert {"accuracy", "learning_rate", "images_per_second"} <= {tag for _, tag in train}
    write_events(tmp_path, history[:1])  # a run that is resumed from an earlier save
    assert {step for step, _ in read_events(tmp_path / "train")} == {1}
