"""The learning curves of a run, drawn beside its history when a training ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fer_data.files import write_file
from fer_models.run import HISTORY_NAME, HistoryRow, read_history

#: Where they stand in a run, as PNG and as SVG.
CURVES = (Path("figures", "curves.png"), Path("figures", "curves.svg"))


def draw_learning(history: Sequence[HistoryRow], best_epoch: int) -> dict[Path, bytes]:
    """The files of `CURVES`; none of a run without an epoch."""
    if not history:
        return {}
    from fer_models.report.figures import draw_curves, to_png_and_svg  # Matplotlib takes long

    return dict(zip(CURVES, to_png_and_svg(draw_curves(history, best_epoch)), strict=True))


def write_learning(run_dir: Path, best_epoch: int) -> None:
    """Draws the history of a run into it.

    Raises:
        DamagedRunError: the history cannot be read.
        OSError: they cannot be written.
    """
    for name, data in draw_learning(read_history(run_dir), best_epoch).items():
        write_file(run_dir / name, data)


def are_drawn(run_dir: Path) -> bool:
    """Whether they stand in a run, and are of all its epochs."""
    try:
        epochs = (run_dir / HISTORY_NAME).stat().st_mtime_ns
        return all((run_dir / name).stat().st_mtime_ns >= epochs for name in CURVES)
    except OSError:
        return False
