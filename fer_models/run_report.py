"""How a training run ended."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_models.metrics import Metrics
from fer_models.run import HistoryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """How a run ended.

    Attributes:
        run_dir: its folder.
        stopped: `"finished"`, `"no better"` (patience ran out), `"built"` (no epoch was asked
            for) or `"interrupted"`.
        history: its epochs.
        best_epoch: whose weights are in the bundle, counted from 1: the last one of a run
            `with_validation`; 0 where none was finished, and the bundle, if the network was only
            built, holds its first weights.
        validation: how good the bundle is on the validation split; None without one.
    """

    run_dir: Path
    stopped: str
    history: tuple[HistoryRow, ...]
    best_epoch: int
    validation: Metrics | None

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return dataclasses.asdict(self) | {"run_dir": str(self.run_dir)}
