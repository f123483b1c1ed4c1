"""Whether two runs came to the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_models.checkpoint import read_checkpoint


def assert_same_run(first: Path, second: Path) -> None:
    """Two run folders whose last states agree to what sums in another order may differ by."""
    ours, theirs = (read_checkpoint(run / "checkpoints" / "last.npz") for run in (first, second))
    assert ours is not None
    assert theirs is not None
    assert ours.progress == theirs.progress
    for part in ("weights", "optimizer", "generators"):
        for one, other in zip(getattr(ours, part), getattr(theirs, part), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert len(ours.history) == len(theirs.history)
    for one, other in zip(ours.history, theirs.history, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
        assert one.accuracy == pytest.approx(other.accuracy, rel=1e-5)
        if one.validation_macro_f1 is None:
            assert other.validation_macro_f1 is None
        else:
            assert one.validation_macro_f1 == pytest.approx(other.validation_macro_f1, rel=1e-5)
        assert one.learning_rate == other.learning_rate
