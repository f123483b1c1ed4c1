"""The figure and the page of a comparison; the page needs nothing from outside."""

from __future__ import annotations

from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined

from fer_data.version import ferkit_version
from fer_models.comparison import TITLES, Comparison, show_difference
from fer_models.intervals import MEASURED, Interval
from fer_models.report.figures import ACCENT, LINE, MUTED, new_figure, title_axes, to_png


def draw_comparison(comparison: Comparison) -> bytes:
    """Each metric of each network with its 95% interval, and chance, as PNG."""
    rows = comparison.rows
    figure = new_figure(10.5, 1.4 + 0.42 * len(rows))
    for number, metric in enumerate(MEASURED, 1):
        axes = figure.add_subplot(1, len(MEASURED), number)
        for place, row in enumerate(rows):
            found = row.figures[metric]
            axes.plot([found.low, found.high], [place, place], color=ACCENT, linewidth=2.4)
            axes.plot([found.value], [place], color=ACCENT, marker="o", markersize=6)
        axes.axvline(comparison.chance[metric], color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
        names = [row.name for row in rows] if number == 1 else [""] * len(rows)
        axes.set_yticks(range(len(rows)), names)
        for tick in axes.get_yticklabels():
            tick.set_parse_math(False)  # a dollar sign in a name is a dollar sign
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(axis="x", color=LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(LINE)
        axes.tick_params(colors=MUTED, labelsize=9, length=0)
        title_axes(axes, TITLES[metric])
    return to_png(figure)


def render_comparison(comparison: Comparison) -> str:
    """The page, as UTF-8 HTML; every name in it is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    text = resources.files("fer_models.report").joinpath("comparison.html.jinja").read_text("utf-8")
    spans = {metric: _span(comparison, metric) for metric in MEASURED}
    return environment.from_string(text).render(
        comparison=comparison,
        metrics=[(metric, TITLES[metric]) for metric in MEASURED],
        spans=spans,
        places={
            metric: [_places(row.figures[metric], spans[metric]) for row in comparison.rows]
            for metric in MEASURED
        },
        chances={metric: _place(comparison.chance[metric], spans[metric]) for metric in MEASURED},
        difference=show_difference,
        tested=[row for row in comparison.rows if row.mcnemar is not None],
        version=ferkit_version(),
    )


def _span(comparison: Comparison, metric: str) -> tuple[float, float]:
    """From where to where a metric is drawn, in tenths: all intervals and chance are inside."""
    figures = [row.figures[metric] for row in comparison.rows]
    low = min(comparison.chance[metric], *(found.low for found in figures), 1.0)
    high = max(comparison.chance[metric], *(found.high for found in figures), 0.0)
    return max(0.0, int(low * 10) / 10), min(1.0, int(high * 10 + 1) / 10)


def _place(value: float, span: tuple[float, float]) -> float:
    """Where a value stands, per cent of the width."""
    return round(100 * (value - span[0]) / max(span[1] - span[0], 1e-9), 2)


def _places(found: Interval, span: tuple[float, float]) -> dict[str, Any]:
    low, high = _place(found.low, span), _place(found.high, span)
    return {
        "low": low,
        "width": round(max(high - low, 0.4), 2),
        "value": _place(found.value, span),
        "text": f"{found.value:.3f}",
        "bounds": f"{found.low:.3f} to {found.high:.3f}",
    }
