"""Learning curves as points of an SVG drawing, which the page colours to its theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fer_models.run import HistoryRow

WIDTH, HEIGHT = 460, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 12, 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a chart.

    Attributes:
        label: what it shows.
        style: CSS class: `"training"`, `"validation"` or `"second"`.
        points: the text of an SVG polyline's `points`.
        last: its last value.
    """

    label: str
    style: str
    points: str
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart, in units of its `WIDTH` x `HEIGHT` drawing.

    Attributes:
        title: what it shows.
        lines: its lines.
        y_ticks: (place, text) of the horizontal lines.
        x_ticks: (place, text) below.
        best_x: place of the best epoch.
        best_epoch: its number.
    """

    title: str
    lines: tuple[Line, ...]
    y_ticks: tuple[tuple[float, str], ...]
    x_ticks: tuple[tuple[float, str], ...]
    best_x: float
    best_epoch: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def learning_charts(history: Sequence[HistoryRow], best_epoch: int) -> list[Chart]:
    """The charts of loss, and of accuracy and macro-F1; none without epochs."""
    if not history:
        return []
    loss = (
        ("loss", "training", "training"),
        ("validation_loss", "validation", "validation"),
    )
    accuracy = (
        ("accuracy", "training accuracy", "training"),
        ("validation_accuracy", "validation accuracy", "validation"),
        ("validation_macro_f1", "validation macro-F1", "second"),
    )
    return [
        _chart("Loss", loss, history, best_epoch, bottom=None),
        _chart("Accuracy and macro-F1", accuracy, history, best_epoch, bottom=0.0),
    ]


def _chart(
    title: str,
    lines: Sequence[tuple[str, str, str]],
    history: Sequence[HistoryRow],
    best_epoch: int,
    bottom: float | None,
) -> Chart:
    series = {
        name: [(row.epoch, y) for row in history if (y := getattr(row, name)) is not None]
        for name, _, _ in lines
    }
    values = [y for points in series.values() for _, y in points]
    ticks = nice_ticks(min(values) if bottom is None else bottom, max(values))
    low, high = ticks[0], ticks[-1]
    last_epoch = history[-1].epoch

    def x_place(epoch: float) -> float:
        share = (epoch - 1) / (last_epoch - 1) if last_epoch > 1 else 0.5
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y_place(value: float) -> float:
        share = (value - low) / (high - low)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    step = max(1, math.ceil(last_epoch / 8))
    return Chart(
        title=title,
        lines=tuple(
            Line(
                label=label,
                style=style,
                points=" ".join(f"{x_place(x)},{y_place(y)}" for x, y in series[name]),
                last=series[name][-1][1],
            )
            for name, label, style in lines
            if series[name]
        ),
        y_ticks=tuple((y_place(tick), f"{tick:g}") for tick in ticks),
        x_ticks=tuple((x_place(n), str(n)) for n in range(1, last_epoch + 1, step)),
        best_x=x_place(best_epoch),
        best_epoch=best_epoch,
    )


def nice_ticks(low: float, high: float) -> list[float]:
    """Three to eight round numbers from at most `low` to at least `high`.

    Example:
        >>> nice_ticks(0.0, 0.63), nice_ticks(1.21, 2.4)
        ([0.0, 0.2, 0.4, 0.6, 0.8], [1.0, 1.5, 2.0, 2.5])
    """
    span = max(high - low, 1e-6)
    rough = 10.0 ** math.floor(math.log10(span / 3))
    step = next(rough * factor for factor in (1, 2, 5, 10) if span / (rough * factor) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 2) + 1)]
