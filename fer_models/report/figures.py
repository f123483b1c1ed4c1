"""The figures of a run as PNG: the confusion matrix and the learning curves.

Drawn with Matplotlib's objects, never its global state: figures can be made in any thread.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fer_models.metrics import Metrics
from fer_models.run import HistoryRow

INK, MUTED, LINE, ACCENT, SECOND = "#1c2430", "#667085", "#e4e7ec", "#3552c8", "#d9772b"
_SHADES = LinearSegmentedColormap.from_list("ferkit", ["#ffffff", "#c9d3f7", ACCENT, "#1d2f7c"])
_DPI = 160


def draw_confusion(metrics: Metrics) -> bytes:
    """The confusion matrix as PNG: in each cell the rate of its row, and the count below."""
    names = [c.class_name for c in metrics.classes]
    counts = np.array(metrics.confusion)
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 1.6 + 0.82 * len(names)
    figure = new_figure(side + 0.6, side)
    axes = figure.add_subplot()
    axes.imshow(rates, cmap=_SHADES, vmin=0, vmax=1)
    for row, column in np.ndindex(rates.shape):
        color = "white" if rates[row, column] > 0.45 else INK
        axes.text(
            column, row - 0.1, f"{rates[row, column]:.0%}", color=color, fontsize=9, **_CENTER
        )
        axes.text(
            column, row + 0.22, f"{counts[row, column]:,}", color=color, fontsize=6.5, **_CENTER
        )
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        tick.set_parse_math(False)  # a dollar sign in a class name is a dollar sign
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0, labelsize=9, colors=INK)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted", color=MUTED)
    axes.set_ylabel("true", color=MUTED)
    title_axes(axes, f"Confusion matrix: macro-F1 {metrics.macro_f1:.3f}")
    return to_png(figure)


def draw_curves(history: Sequence[HistoryRow], best_epoch: int) -> bytes:
    """Loss, accuracy and macro-F1 by epoch as PNG, the best epoch marked."""
    figure = new_figure(9.2, 3.8)
    panels = {
        "Loss": (("loss", "training", MUTED), ("validation_loss", "validation", ACCENT)),
        "Accuracy and macro-F1": (
            ("accuracy", "training accuracy", MUTED),
            ("validation_accuracy", "validation accuracy", ACCENT),
            ("validation_macro_f1", "validation macro-F1", SECOND),
        ),
    }
    for number, (title, lines) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, 2, number)
        for name, label, color in lines:
            points = [(row.epoch, getattr(row, name)) for row in history]
            points = [(x, y) for x, y in points if y is not None]
            if points:
                marker = "o" if len(points) == 1 else None
                axes.plot(*zip(*points, strict=True), color=color, label=label, marker=marker)
        axes.axvline(best_epoch, color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
        axes.annotate(
            f"best: {best_epoch}",
            (best_epoch, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -10),
            textcoords="offset points",
            fontsize=8,
            color=MUTED,
        )
        axes.grid(axis="y", color=LINE, linewidth=0.8)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(LINE)
        axes.tick_params(colors=MUTED, labelsize=8, length=0)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.set_xlabel("epoch", color=MUTED, fontsize=9)
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
        title_axes(axes, title)
    return to_png(figure)


_CENTER: dict[str, Any] = {"ha": "center", "va": "center"}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def title_axes(axes: Any, text: str) -> None:
    """Writes the title above the axes, at the left."""
    axes.set_title(text, loc="left", color=INK, fontsize=11, fontweight="bold", pad=10)


def to_png(figure: Figure) -> bytes:
    """The figure as PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
