"""Charts as points of an SVG drawing, which the page colours to its theme."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fer_models.calibration import Calibration
from fer_models.corruptions import Damage
from fer_models.metrics import Metrics
from fer_models.ranking import RankCurve
from fer_models.run import HistoryRow

WIDTH, HEIGHT = 460, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 12, 26
_TENTHS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
_MOST_POINTS = 200  # of a drawn line
_LARGEST_DOT = 9.0  # radius

#: (label, CSS class, points) of a line before it has its place.
_Series = tuple[str, str, Sequence[tuple[float, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a chart.

    Attributes:
        label: what it shows; empty for one that is not in the legend.
        style: its CSS class.
        points: the text of an SVG polyline's `points`.
    """

    label: str
    style: str
    points: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart, in units of its `WIDTH` x `HEIGHT` drawing.

    Attributes:
        title: what it shows.
        about: what stands below and at the left, in words.
        lines: its lines.
        y_ticks: (place, text) of the horizontal lines.
        x_ticks: (place, text) below.
        mark_x: place of a vertical line; None for none.
        dots: (x, y, radius).
    """

    title: str
    about: str
    lines: tuple[Line, ...]
    y_ticks: tuple[tuple[float, str], ...]
    x_ticks: tuple[tuple[float, str], ...]
    mark_x: float | None = None
    dots: tuple[tuple[float, float, float], ...] = ()
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
        _by_epoch("Loss", loss, history, best_epoch, bottom=None),
        _by_epoch("Accuracy and macro-F1", accuracy, history, best_epoch, bottom=0.0),
    ]


def ranking_charts(curves: Mapping[str, RankCurve], class_names: Sequence[str]) -> list[Chart]:
    """The ROC and the precision-recall curves, a line a class; none where nothing ranks."""
    if not curves:
        return []
    styles = {name: f"class{number % 8}" for number, name in enumerate(class_names)}
    roc: list[_Series] = [("", "reference", [(0.0, 0.0), (1.0, 1.0)])]
    precision: list[_Series] = []
    for name, curve in curves.items():
        rates = [(0.0, 0.0), *zip(curve.false_positive_rate, curve.recall, strict=True)]
        roc.append((f"{name} {curve.roc_auc:.2f}", styles[name], rates))
        found = list(zip(curve.recall, curve.precision, strict=True))
        precision.append((f"{name} {curve.average_precision:.2f}", styles[name], found))
    return [
        _of_shares("ROC, and the area under it", "recall by false positive rate", roc),
        _of_shares("Precision-recall, and its average", "precision by recall", precision),
    ]


def calibration_chart(calibration: Calibration) -> Chart:
    """The reliability diagram: a dot a bin, its area by the predictions in it."""
    points = [(each.confidence, each.accuracy) for each in calibration.bins]
    most = max(each.num_samples for each in calibration.bins)
    return _of_shares(
        f"Reliability: calibration error {calibration.error:.3f}",
        "accuracy by confidence",
        [
            ("as sure as right", "reference", [(0.0, 0.0), (1.0, 1.0)]),
            ("predictions", "validation", points),
        ],
        dots=[
            (*point, _LARGEST_DOT * math.sqrt(each.num_samples / most))
            for point, each in zip(points, calibration.bins, strict=True)
        ],
    )


def damage_charts(damages: Sequence[Damage], as_is: Metrics) -> list[Chart]:
    """Accuracy and macro-F1 as pictures get worse, a chart a corruption."""
    charts = []
    for damage in damages:
        accuracy = list(enumerate((as_is.accuracy, *damage.accuracy)))
        macro_f1 = list(enumerate((as_is.macro_f1, *damage.macro_f1)))
        names = ("as is", *(f"{strength:g}" for strength in damage.strengths))
        charts.append(
            _chart(
                damage.name,
                damage.unit,
                [("accuracy", "validation", accuracy), ("macro-F1", "second", macro_f1)],
                x_ticks=[(float(place), name) for place, name in enumerate(names)],
                y_ticks=_TENTHS,
                x_range=(0.0, len(names) - 1.0),
            )
        )
    return charts


def _by_epoch(
    title: str,
    lines: tuple[tuple[str, str, str], ...],
    history: Sequence[HistoryRow],
    best_epoch: int,
    bottom: float | None,
) -> Chart:
    series: list[_Series] = [
        (label, style, [(r.epoch, y) for r in history if (y := getattr(r, name)) is not None])
        for name, label, style in lines
    ]
    values = [y for _, _, points in series for _, y in points]
    last_epoch = history[-1].epoch
    step = max(1, math.ceil(last_epoch / 8))
    return _chart(
        title,
        "by epoch",
        series,
        x_ticks=[(float(epoch), str(epoch)) for epoch in range(1, last_epoch + 1, step)],
        y_ticks=nice_ticks(min(values) if bottom is None else bottom, max(values)),
        x_range=(1.0, last_epoch) if last_epoch > 1 else (0.5, 1.5),
        mark=best_epoch,
    )


def _of_shares(
    title: str,
    about: str,
    series: Sequence[_Series],
    dots: Sequence[tuple[float, float, float]] = (),
) -> Chart:
    x_ticks = [(tick, f"{tick:g}") for tick in _TENTHS]
    return _chart(
        title, about, series, x_ticks=x_ticks, y_ticks=_TENTHS, x_range=(0.0, 1.0), dots=dots
    )


def _chart(
    title: str,
    about: str,
    series: Sequence[_Series],
    *,
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[float],
    x_range: tuple[float, float],
    mark: float | None = None,
    dots: Sequence[tuple[float, float, float]] = (),
) -> Chart:
    left, right = x_range
    low, high = y_ticks[0], y_ticks[-1]

    def x_place(x: float) -> float:
        return round(_LEFT + (x - left) / (right - left) * (WIDTH - _LEFT - _RIGHT), 1)

    def y_place(y: float) -> float:
        return round(HEIGHT - _BOTTOM - (y - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM), 1)

    return Chart(
        title=title,
        about=about,
        lines=tuple(
            Line(
                label=label,
                style=style,
                points=" ".join(f"{x_place(x)},{y_place(y)}" for x, y in _thin(points)),
            )
            for label, style, points in series
            if points
        ),
        y_ticks=tuple((y_place(tick), f"{tick:g}") for tick in y_ticks),
        x_ticks=tuple((x_place(tick), text) for tick, text in x_ticks),
        mark_x=None if mark is None else x_place(mark),
        dots=tuple((x_place(x), y_place(y), round(radius, 1)) for x, y, radius in dots),
    )


def _thin(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """So many points as can be told apart, the first and the last among them."""
    if len(points) <= _MOST_POINTS:
        return points
    return [points[row] for row in np.linspace(0, len(points) - 1, _MOST_POINTS).astype(int)]


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
