"""The figure of a projection: its samples by their true and by their predicted class."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fer_models.embedding_table import PIXELS, Embedded
from fer_models.projection import METHODS
from fer_models.report.figures import CLASS_COLORS, INK, LINE, MUTED, new_figure, title_axes

_SIDE = 4.6  # inches of a panel
_LEGEND = 0.55  # inches below


def draw_projections(embedded: Embedded, method: str, seed: int) -> Figure:
    """A row of two panels for each space that the method projected.

    Points are drawn as pixels in SVG too, in an order by chance, so that no class covers another.

    Args:
        embedded: what is drawn.
        method: one of `fer_models.projection.METHODS`.
        seed: of the order.
    """
    shown = [each for each in embedded.projections if each.method == method]
    figure = new_figure(2 * _SIDE, _SIDE * len(shown) + _LEGEND)
    panels = figure.subplots(len(shown), 2, squeeze=False)
    order = np.random.default_rng(seed).permutation(len(embedded.samples))
    number = f"{len(order):,} {embedded.split} samples"
    sides = {"true": embedded.samples.labels, "predicted": embedded.predicted}
    for row, projection in zip(panels, shown, strict=True):
        what = " of the pixels" if projection.space == PIXELS else ""
        for axes, (name, labels) in zip(row, sides.items(), strict=True):
            axes.scatter(
                *projection.points[order].T,
                c=[CLASS_COLORS[label % len(CLASS_COLORS)] for label in labels[order]],
                s=_point_area(len(order)),
                alpha=0.75,
                linewidths=0,
                rasterized=True,
            )
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_aspect("equal", "datalim")
            axes.margins(0.03)
            axes.spines[:].set_color(LINE)
            title_axes(axes, f"{METHODS[method]}{what}, {name} class")
            axes.set_title(number, loc="right", color=MUTED, fontsize=8, pad=10)
    figure.legend(
        handles=[_mark(number) for number in range(len(embedded.class_names))],
        labels=[name.replace("$", r"\$") for name in embedded.class_names],
        loc="outside lower center",
        ncols=min(8, len(embedded.class_names)),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handletextpad=0.2,
        columnspacing=1.4,
    )
    return figure


def _mark(number: int) -> Line2D:
    color = CLASS_COLORS[number % len(CLASS_COLORS)]
    return Line2D([], [], linestyle="", marker="o", markersize=6, color=color)


def _point_area(num_points: int) -> float:
    """In square points: as much ink for many points as for few, within reason."""
    return float(np.clip(22_000 / max(1, num_points), 1.2, 30))
