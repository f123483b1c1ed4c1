"""What speaks for a threshold: how the loss grows around it, and the pictures on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fer_data.contact_sheet import SheetRow, draw_sheet
from fer_data.dataset import Dataset
from fer_data.filter import beyond, score_values
from fer_data.filter_settings import Rule

_FACTORS = (0.25, 0.5, 2.0, 4.0, 8.0)  # of the samples beyond the threshold
_FEW = 4  # where fewer lie beyond it, the curve is drawn for so many


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """What one threshold would drop, official test samples counted in.

    Attributes:
        threshold: of the score.
        num_beyond: samples beyond it.
        brightness: their mean grey level, 0 to 255; NaN without any.
        class_name: the class that would lose the largest share; "" where none loses any.
        class_loss: that share, 0 to 1.
        is_chosen: whether it is the threshold of the rule.
    """

    threshold: float
    num_beyond: int
    brightness: float
    class_name: str
    class_loss: float
    is_chosen: bool


def threshold_curve(dataset: Dataset, rule: Rule) -> list[CurvePoint]:
    """What the rule and thresholds around it would drop, the strictest first.

    Raises:
        MissingStageError: the score has not been measured.
    """
    values = score_values(dataset, rule.score)
    sign = 1.0 if rule.side == "above" else -1.0
    signed = np.sort(sign * values[~np.isnan(values)])[::-1]
    chosen = beyond(values, rule)
    thresholds = {_threshold(signed, len(chosen)): True}
    if not rule.is_quantile:
        thresholds = {sign * rule.threshold: True}
    for factor in _FACTORS:
        number = round(max(len(chosen), _FEW) * factor)
        if 0 < number < len(signed):
            thresholds.setdefault(_threshold(signed, number), False)
    labels = np.array(dataset.samples(["label"])["label"].to_pylist())
    brightness = score_values(dataset, "brightness")
    points = []
    for threshold, is_chosen in sorted(thresholds.items(), reverse=True):
        rows = beyond(values, replace(rule, threshold=sign * threshold, is_quantile=False))
        if not len(rows) and not is_chosen:  # many are equal, as black pictures are
            continue
        name, loss = _worst_loss(labels, rows, dataset.class_names)
        points.append(
            CurvePoint(
                threshold=sign * threshold,
                num_beyond=len(rows),
                brightness=float(brightness[rows].mean()) if len(rows) else float("nan"),
                class_name=name,
                class_loss=loss,
                is_chosen=is_chosen,
            )
        )
    return points


def _threshold(signed: NDArray[np.float64], number: int) -> float:
    """Half-way between the last of `number` samples and the next, to few digits if these do."""
    low, high = float(signed[min(number, len(signed) - 1)]), float(signed[max(number - 1, 0)])
    middle = (low + high) / 2
    for digits in range(2, 17):
        rounded = float(f"{middle:.{digits}g}")
        if low <= rounded < high:
            return rounded
    return low


def _worst_loss(
    labels: NDArray[np.str_], rows: NDArray[np.int64], class_names: Sequence[str]
) -> tuple[str, float]:
    worst, loss = "", 0.0
    for name in class_names:
        number = np.count_nonzero(labels == name)
        share = np.count_nonzero(labels[rows] == name) / number if number else 0.0
        if share > loss:
            worst, loss = name, share
    return worst, loss


def threshold_sheet(dataset: Dataset, rule: Rule, *, number: int = 24) -> bytes:
    """The pictures farthest beyond the threshold, and nearest to it on both sides, as PNG.

    Args:
        dataset: with its scores measured.
        rule: a score and its threshold.
        number: pictures of each kind.
    """
    values = score_values(dataset, rule.score)
    sign = 1.0 if rule.side == "above" else -1.0
    order = np.argsort(-sign * np.nan_to_num(values, nan=-sign * np.inf), kind="stable")
    num_beyond = len(beyond(values, rule))
    num_measured = int(np.count_nonzero(~np.isnan(values)))
    dropped, kept = order[:num_beyond], order[num_beyond:num_measured]
    samples = dataset.samples(["label"])
    labels = samples["label"].to_pylist()
    blocks, places = samples["block"].to_numpy(), samples["row"].to_numpy()
    kinds = {
        f"{rule}: the {len(dropped):,} dropped, from the farthest": dropped[:number],
        "dropped, nearest to the threshold": dropped[max(number, num_beyond - number) :][::-1],
        "kept, nearest to the threshold": kept[:number],
    }
    return draw_sheet(
        [
            SheetRow(
                title=title,
                images=dataset.images(blocks[rows].tolist(), places[rows].tolist()),
                captions=[f"{values[row]:.4g}\n{labels[row]}" for row in rows.tolist()],
            )
            for title, rows in kinds.items()
        ]
    )
