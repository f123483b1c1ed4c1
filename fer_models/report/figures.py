"""The figures of a run: confusion matrix, learning, ranking and calibration.

Drawn with Matplotlib's objects, never its global state: figures can be made in any thread.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from fer_models.calibration import Calibration
from fer_models.corruptions import Damage
from fer_models.groups import Grouping
from fer_models.metrics import Metrics
from fer_models.ranking import RankCurve
from fer_models.run import HistoryRow

INK, MUTED, LINE, ACCENT, SECOND = "#1c2430", "#667085", "#e4e7ec", "#3552c8", "#d9772b"
CLASS_COLORS = (
    ACCENT, SECOND, "#1f8a5b", "#c4383a", "#8a4fc9", "#0f95a8", "#b08a00", "#7a7f87",
)  # fmt: skip
_SHADES = LinearSegmentedColormap.from_list("ferkit", ["#ffffff", "#c9d3f7", ACCENT, "#1d2f7c"])
_DPI = 160
_FIRST_STEPS, _MOST_STEPS = 100, 500  # of a curve


def draw_confusion(metrics: Metrics) -> Figure:
    """The confusion matrix: in each cell the rate of its row, and the count below."""
    names = [c.class_name for c in metrics.classes]
    counts = np.array(metrics.confusion)
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 1.6 + 0.82 * len(names)
    figure = new_figure(side + 0.6, side)
    axes = figure.add_subplot()
    edges = np.arange(len(names) + 1) - 0.5
    axes.pcolormesh(
        edges, edges, rates, cmap=_SHADES, vmin=0, vmax=1, edgecolors="white", linewidth=2
    )
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(edges[-1], edges[0])
    axes.set_aspect("equal")
    for row, column in np.ndindex(rates.shape):
        color = "white" if rates[row, column] > 0.45 else INK
        for place, text, size in (
            (row - 0.1, f"{rates[row, column]:.0%}", 9),
            (row + 0.22, f"{counts[row, column]:,}", 6.5),
        ):
            cell = axes.text(column, place, text, color=color, fontsize=size, **_CENTER)
            cell.set_in_layout(False)  # it is inside: measuring all of them takes long
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        tick.set_parse_math(False)  # a dollar sign in a class name is a dollar sign
    axes.tick_params(length=0, labelsize=9, colors=INK)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted", color=MUTED)
    axes.set_ylabel("true", color=MUTED)
    title_axes(axes, f"Confusion matrix: macro-F1 {metrics.macro_f1:.3f}", y=1)
    return figure


def draw_curves(history: Sequence[HistoryRow], best_epoch: int) -> Figure:
    """Loss, accuracy and macro-F1 by epoch, the best epoch marked."""
    figure = _fixed_figure(9.2, 3.8, columns=2)
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
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        _finish(axes, title, "epoch", "")
    return figure


def draw_ranking(curves: Mapping[str, RankCurve]) -> Figure:
    """The ROC and the precision-recall curve of each class."""
    figure = _fixed_figure(9.2, 4.4, columns=2)
    roc, precision = figure.subplots(1, 2)
    roc.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    for number, (name, curve) in enumerate(curves.items()):
        color = CLASS_COLORS[number % len(CLASS_COLORS)]
        label = name.replace("$", r"\$")  # a dollar sign in a class name is a dollar sign
        rows = _drawn_rows(len(curve.recall))
        recall = curve.recall[rows]
        rates = np.append(0, curve.false_positive_rate[rows])
        roc.plot(rates, np.append(0, recall), color=color, label=f"{label} {curve.roc_auc:.2f}")
        ap_label = f"{label} {curve.average_precision:.2f}"
        precision.plot(recall, curve.precision[rows], color=color, label=ap_label)
    precision.set_ylim(0, 1.02)
    _finish(roc, "ROC, and the area under it", "false positive rate", "recall", "lower right")
    _finish(precision, "Precision-recall, and its average", "recall", "precision", "lower left")
    return figure


def _drawn_rows(num_steps: int) -> NDArray[np.int64]:
    """The steps of a curve that are drawn: the first ones, which are steep, and so many as show."""
    first = np.arange(min(num_steps, _FIRST_STEPS))
    others = np.linspace(0, num_steps - 1, min(num_steps, _MOST_STEPS)).astype(np.int64)
    return np.union1d(first, others)


def draw_calibration(calibration: Calibration) -> Figure:
    """The reliability diagram, and below how many predictions claim how much."""
    figure = _fixed_figure(4.6, 4.8, rows=2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    bins = calibration.bins
    confidence = [each.confidence for each in bins]
    above.plot(confidence, [each.accuracy for each in bins], color=ACCENT, marker="o", markersize=4)
    below.bar(
        [each.low for each in bins],
        [each.num_samples for each in bins],
        width=[each.high - each.low for each in bins],
        align="edge",
        color=ACCENT,
        edgecolor="white",
    )
    above.set_xlim(0, 1)
    above.set_ylim(0, 1)
    _finish(above, f"Reliability: calibration error {calibration.error:.3f}", "", "accuracy")
    _finish(below, "", "confidence", "predictions")
    return figure


def draw_damages(damages: Sequence[Damage], as_is: Metrics) -> Figure:
    """Accuracy and macro-F1 as pictures get worse, a panel a corruption."""
    num_columns = 5
    num_rows = -(-len(damages) // num_columns)
    figure = new_figure(2.4 * num_columns, 2.2 * num_rows)
    panels = figure.subplots(num_rows, num_columns, sharey=True, squeeze=False).ravel()
    for axes in panels[len(damages) :]:
        axes.set_axis_off()
    for axes, damage in zip(panels, damages, strict=False):
        places = range(len(damage.strengths) + 1)
        for values, first, color, label in (
            (damage.accuracy, as_is.accuracy, ACCENT, "accuracy"),
            (damage.macro_f1, as_is.macro_f1, SECOND, "macro-F1"),
        ):
            axes.plot(places, (first, *values), color=color, marker="o", markersize=3, label=label)
        axes.set_xticks(places, ("as is", *(f"{strength:g}" for strength in damage.strengths)))
        axes.set_ylim(0, 1)
        _finish(axes, damage.name, damage.unit, "")
        if axes is not panels[0]:
            axes.get_legend().remove()
    return figure


def draw_groups(groupings: Sequence[Grouping], accuracy: float) -> Figure:
    """The accuracy of each group with its 95% interval, a panel for each thing grouped by."""
    sizes = [len(grouping.groups) for grouping in groupings]
    figure = new_figure(7.2, 0.7 * len(sizes) + 0.3 * sum(sizes))
    panels = figure.subplots(len(sizes), 1, sharex=True, squeeze=False, height_ratios=sizes)
    for axes, grouping in zip(panels[:, 0], groupings, strict=True):
        places = range(len(grouping.groups))
        found = [group.accuracy for group in grouping.groups]
        values = [each.value for each in found]
        reach = [[e.value - e.low for e in found], [e.high - e.value for e in found]]
        axes.errorbar(values, places, xerr=reach, fmt="o", color=ACCENT, markersize=5)
        axes.axvline(accuracy, color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
        names = [f"{group.name}  ({group.num_samples:,})" for group in grouping.groups]
        axes.set_yticks(places, names)
        for tick in axes.get_yticklabels():
            tick.set_parse_math(False)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        _finish(axes, "", "", "")
        title = axes.set_title(grouping.by, loc="left", color=INK, fontsize=10, fontweight="bold")
        title.set_parse_math(False)
    panels[-1, 0].set_xlabel("accuracy", color=MUTED, fontsize=9)
    return figure


def _finish(axes: Any, title: str, x_label: str, y_label: str, legend: str = "best") -> None:
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(colors=MUTED, labelsize=8, length=0)
    axes.yaxis.get_offset_text().set(size=8, color=MUTED)  # the power of ten of a large loss
    axes.set_xlabel(x_label, color=MUTED, fontsize=9)
    axes.set_ylabel(y_label, color=MUTED, fontsize=9)
    if axes.get_legend_handles_labels()[1]:
        shown = axes.legend(loc=legend, frameon=False, fontsize=8, labelcolor=INK)
        shown.set_in_layout(False)  # it is inside
    title_axes(axes, title, 1)


_CENTER: dict[str, Any] = {"ha": "center", "va": "center"}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")


def _fixed_figure(width: float, height: float, *, rows: int = 1, columns: int = 1) -> Figure:
    """An empty figure for panels whose labels are known to be short: they need not be measured."""
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    left, right, bottom, top, beside, below = 0.64, 0.15, 0.5, 0.5, 0.72, 0.3  # inches
    inner_width = (width - left - right - (columns - 1) * beside) / columns
    inner_height = (height - bottom - top - (rows - 1) * below) / rows
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=beside / inner_width,
        hspace=below / inner_height,
    )
    return figure


def title_axes(axes: Any, text: str, y: float | None = None) -> None:
    """Writes the title above the axes, at the left.

    Args:
        axes: that it is of.
        text: the title.
        y: its place in heights of the axes; None: above all that is there, which is measured anew
            in each pass of the layout and in each drawing.
    """
    axes.set_title(text, loc="left", color=INK, fontsize=11, fontweight="bold", pad=15, y=y)


def to_png(figure: Figure) -> bytes:
    """The figure as PNG."""
    return _encode_png(_draw_pixels(figure))


def to_png_and_svg(figure: Figure) -> tuple[bytes, bytes]:
    """The figure as PNG, and as SVG with text as text; the same bytes each time."""
    pixels = _draw_pixels(figure)
    figure.set_layout_engine("none")  # it is laid out
    file = io.BytesIO()
    canvas: Any = FigureCanvasSVG(figure)
    with ThreadPoolExecutor(1) as beside:
        png = beside.submit(_encode_png, pixels)  # which leaves Python to the SVG
        with rc_context({"svg.hashsalt": "ferkit", "svg.fonttype": "none"}):
            canvas.print_svg(file, metadata={"Date": None})
    return png.result(), file.getvalue()


def _draw_pixels(figure: Figure) -> NDArray[np.uint8]:
    """Its pixels (height, width, 3)."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()  # once: `savefig` draws once more to lay out
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]  # the ground is white, nothing is clear
    return np.ascontiguousarray(pixels)


def _encode_png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    image.save(file, "PNG", dpi=(_DPI, _DPI), compress_type=zlib.Z_RLE)  # a third faster
    return file.getvalue()
