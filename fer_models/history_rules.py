"""What the epochs so far say: which was the best, and when the learning rate drops."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fer_models.run import HistoryRow
from fer_models.settings import TrainSettings


def goodness(row: HistoryRow) -> float:
    """How good an epoch is: its validation macro-F1, or minus its loss without validation."""
    return -row.loss if row.validation_macro_f1 is None else row.validation_macro_f1


def best_epoch(history: Sequence[HistoryRow], *, keep_last: bool = False) -> int:
    """The best epoch, counted from 1, the earliest of equals; 0 where there is none.

    Args:
        history: the epochs so far.
        keep_last: take the last one for the best.
    """
    if keep_last:
        return len(history)
    return max(history, key=lambda row: (goodness(row), -row.epoch)).epoch if history else 0


def plateau_factor(history: Sequence[HistoryRow], settings: TrainSettings) -> float:
    """What the rate of the next epoch is multiplied by.

    Each time `drop_every` epochs in a row have brought no better one, the rate drops, and as many
    are waited for again.

    Args:
        history: the epochs so far.
        settings: of the run; 1 for any schedule but plateau.
    """
    if settings.schedule != "plateau":
        return 1.0
    factor, best, waited = 1.0, -math.inf, 0
    for row in history:
        waited += 1
        if goodness(row) > best:
            best, waited = goodness(row), 0
        elif waited == settings.drop_every:
            factor, waited = factor * settings.drop, 0
    return factor
