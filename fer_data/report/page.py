"""The HTML report of a data set: one page that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.filter import score_values
from fer_data.inspection import Inspection, ScoreFacts
from fer_data.report.commands import as_typed
from fer_data.report.findings import find_trouble
from fer_data.report.pictures import Picture, PictureBook
from fer_data.scores import SCORES, Score
from fer_data.version import ferkit_version

_NUM_PICTURES = 24
_NUM_FAMILIES, _FAMILY_MEMBERS = 10, 8
_NUM_EXTREMES = 12
_NUM_BINS = 60
_CHART_WIDTH, _CHART_HEIGHT = 600, 90


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSection:
    """What the page says of one score.

    Attributes:
        name: of the score.
        about: what it is.
        facts: its numbers.
        bars: (left, top, width, height) of the histogram's bars, square roots of the counts.
        low: pictures at the low end.
        high: pictures at the high end.
    """

    name: str
    about: Score
    facts: ScoreFacts
    bars: tuple[tuple[float, float, float, float], ...]
    low: list[Picture]
    high: list[Picture]


def render_inspection(dataset: Dataset, inspection: Inspection) -> str:
    """The page, as UTF-8 HTML; every name and key in it is escaped.

    Args:
        dataset: with its scores and duplicates measured.
        inspection: of it.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": _percent, "number": _number}
    text = resources.files("fer_data.report").joinpath("inspection.html.jinja").read_text("utf-8")
    book = PictureBook(dataset)
    blank = np.flatnonzero(score_values(dataset, "flat_share") == 1.0)
    return environment.from_string(text).render(
        name=dataset.dir.resolve().name,
        inspection=inspection,
        image_shape=dataset.image_shape,
        findings=[
            (finding, as_typed(finding.command, dataset.dir))
            for finding in find_trouble(inspection)
        ],
        classes=_class_rows(inspection),
        losses=_loss_rows(inspection),
        filter_rules=[str(rule) for rule in inspection.filter_settings.rules],
        undo=as_typed("ferdata filter --none", dataset.dir),
        apply=as_typed(inspection.filter_command, dataset.dir),
        leaks=book.leaks(_NUM_PICTURES),
        conflicts=book.conflicts(_NUM_PICTURES),
        blank=book.with_labels(blank[:_NUM_PICTURES].tolist()),
        families=book.near_families(_NUM_FAMILIES, _FAMILY_MEMBERS),
        mean_faces=book.mean_faces(),
        scores=[_score_section(dataset, book, n, facts) for n, facts in inspection.scores.items()],
        chart=(_CHART_WIDTH, _CHART_HEIGHT),
        class_names=[n for n in dataset.class_names if n in inspection.brightness_kept],
        heat=_heat(inspection),
        version=ferkit_version(),
    )


def _class_rows(inspection: Inspection) -> list[dict[str, Any]]:
    """Samples of each class in each split, and what share of the largest class that is."""
    splits = list(inspection.splits)
    names = list(next(iter(inspection.splits.values()), {}))
    totals = {name: sum(inspection.splits[s][name] for s in splits) for name in names}
    most = max(totals.values(), default=0) or 1
    return [
        {
            "name": name,
            "counts": [inspection.splits[split][name] for split in splits],
            "total": totals[name],
            "shares": [inspection.splits[split][name] / most for split in splits],
        }
        for name in names
    ]


def _loss_rows(inspection: Inspection) -> list[dict[str, Any]]:
    """What the filter takes of each class, and how bright that is."""
    rows = []
    for name, (before, dropped) in inspection.filter_report.classes.items():
        rows.append(
            {
                "name": name,
                "before": before,
                "dropped": dropped,
                "loss": dropped / before if before else 0.0,
                "kept_brightness": inspection.brightness_kept.get(name),
                "dropped_brightness": inspection.brightness_dropped.get(name),
            }
        )
    return rows


def _score_section(
    dataset: Dataset, book: PictureBook, name: str, facts: ScoreFacts
) -> ScoreSection:
    values = score_values(dataset, name)
    low, high = book.scored(values, _NUM_EXTREMES)
    return ScoreSection(
        name=name, about=SCORES[name], facts=facts, bars=_bars(values), low=low, high=high
    )


def _bars(values: NDArray[np.float64]) -> tuple[tuple[float, float, float, float], ...]:
    """A histogram between the 0.1% and the 99.9% quantile; outliers stand in the outer bars."""
    low, high = np.quantile(values, [0.001, 0.999])
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, _ = np.histogram(np.clip(values, low, high), _NUM_BINS, (low, high))
    heights = np.sqrt(counts / counts.max()) * _CHART_HEIGHT
    width = _CHART_WIDTH / _NUM_BINS
    return tuple(
        (round(place * width, 2), round(_CHART_HEIGHT - height, 2), width - 1, round(height, 2))
        for place, height in enumerate(heights.tolist())
        if height
    )


def _heat(inspection: Inspection) -> dict[str, dict[str, float]]:
    """Score → class → how far its mean lies from that of all classes, in units of their spread."""
    heat: dict[str, dict[str, float]] = {}
    for name, facts in inspection.scores.items():
        means = np.array(list(facts.class_means.values()))
        spread = float(np.abs(means - means.mean()).max()) or 1.0
        heat[name] = {
            label: (mean - float(means.mean())) / spread
            for label, mean in facts.class_means.items()
        }
    return heat


def _percent(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}%}"


def _number(value: Any) -> str:
    """A number as people read it.

    Example:
        >>> _number(32298), _number(0.123456), _number({"fer2013": 3})
        ('32,298', '0.1235', 'fer2013 3')
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_number(part)}" for name, part in value.items())
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
