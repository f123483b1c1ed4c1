"""Checkpoints are read as numbers and text, whatever is in them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from fer_models.checkpoint import read_checkpoint
from fer_models.errors import DamagedRunError


class Hostile:
    """What makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("name", ["weights/0", "history", "progress"])
def test_pickles_are_never_loaded(tmp_path, name):
    marker, path = tmp_path / "opened", tmp_path / "last.npz"
    arrays = {"history": np.array("[]"), "progress": np.array("{}")}
    arrays[name] = np.array(Hostile(marker), object)
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, **arrays)
    path.write_bytes(file.getvalue())
    np.load(path, allow_pickle=True)[name]
    assert marker.exists()  # it is hostile
    marker.unlink()
    with pytest.raises(DamagedRunError, match=r"last\.npz: cannot be read"):
        read_checkpoint(path)
    assert not marker.exists()
