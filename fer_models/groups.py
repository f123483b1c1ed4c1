"""Whether predictions are as good in the dark as in the light: accuracy by groups of samples.

Numbers are cut into groups of as many samples; words are a group each. Intervals are Wilson's,
which hold for small groups.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.face_pose import face_poses
from fer_data.face_weights import WEIGHTS_VARIABLE, find_detector_weights
from fer_data.image_scores import image_scores
from fer_data.shards.reader import Samples
from fer_models.intervals import Interval, wilson_interval
from fer_models.metrics import measure

SOURCE = "source"
POSES = ("yaw", "roll")
SIZE = "size"
FEW_SAMPLES = 30
_NUM_BINS = 5
_MOST_GROUPS = 20
_UNKNOWN, _OTHERS = "unknown", "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Samples that are alike, and how good the predictions on them are.

    Attributes:
        name: what they have in common.
        num_samples: how many.
        accuracy: with its 95% interval.
        balanced_accuracy: mean recall of the classes that have samples in the group.
        macro_f1: mean F1 of them.
        is_small: too few to say much: under `FEW_SAMPLES`.
    """

    name: str
    num_samples: int
    accuracy: Interval
    balanced_accuracy: float
    macro_f1: float
    is_small: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """All samples, by one thing.

    Attributes:
        by: what they are grouped by.
        groups: from low to high, or the largest first; those of unknown value last.
    """

    by: str
    groups: tuple[Group, ...]

    def to_json(self) -> dict[str, Any]:
        """The groups as JSON values."""
        return dataclasses.asdict(self)


def read_attributes(path: Path, keys: NDArray[np.str_]) -> dict[str, NDArray[Any]]:
    """The columns of a table, for the samples of some keys.

    Args:
        path: CSV or Parquet file with a column `key` and others, such as `quality.parquet`, or a
            folder of Parquet files, such as `samples` of a data set, whose attributes are taken,
            or the data set itself.
        keys: of the samples.

    Returns:
        By column: float64 array of shape (num_samples,) with NaN where the table says nothing, or
        an array of strings with `"unknown"` there.

    Raises:
        SettingsError: the file is no such table, names a key twice, or none of the samples.
    """
    if (path / "samples").is_dir():
        path /= "samples"
    table = _read_table(path)
    if "key" not in table.column_names:
        raise SettingsError(
            f"{path}: no column key among {', '.join(table.column_names)}; expected a table with "
            "the key of each sample"
        )
    rows = {str(key): row for row, key in enumerate(table["key"].to_pylist())}
    if len(rows) < len(table):
        raise SettingsError(f"{path}: a key stands there twice; expected one row a sample")
    places = np.array([rows.get(str(key), -1) for key in keys])
    if (places < 0).all():
        raise SettingsError(f"{path}: names none of the {len(keys):,} samples that are judged")
    found: dict[str, NDArray[Any]] = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_map(column.type):  # the attributes and votes of a data set's samples
            found |= _map_columns(column, places)
        elif name != "key":
            found[name] = _column(column, places)
    return found


def _read_table(path: Path) -> pa.Table:
    from pyarrow import csv, parquet

    try:
        if path.suffix.lower() == ".csv":
            return csv.read_csv(path)
        return parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        words = str(error).splitlines()[0] if path.exists() else "no such file"
        raise SettingsError(
            f"{path}: expected a CSV or Parquet table with a column key; {words}"
        ) from None


def _map_columns(maps: Any, places: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    rows = [dict(each or ()) for each in maps.to_pylist()]
    names = sorted({name for row in rows for name in row})
    columns = {}
    for name in names:
        column = pa.array([row.get(name) for row in rows], maps.type.item_type)
        with contextlib.suppress(pa.ArrowInvalid):  # words
            column = column.cast(pa.float64())
        columns[name] = _column(column, places)
    return columns


def _column(column: Any, places: NDArray[np.int64]) -> NDArray[Any]:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = np.append(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.nan)
        return values[places]
    words = [_UNKNOWN if value in {None, ""} else str(value) for value in column.to_pylist()]
    return np.array([*words, _UNKNOWN], dtype=np.str_)[places]


def find_values(
    by: Sequence[str], samples: Samples, attributes: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """What each sample is grouped by.

    Args:
        by: `"source"`, scores of the pixels as `ferdata inspect` measures them, such as
            `"brightness"`, `"yaw"` and `"roll"` as the face detector sees them, or columns of
            `attributes`, which come first; `"size"` is the shorter side where they have width and
            height.
        samples: that are judged.
        attributes: as `read_attributes` gives them.

    Raises:
        UnknownNameError: a name is none of these.
        SettingsError: a pose is asked for, and there are no weights of the face detector.
    """
    sources = np.array([str(key).split("/", 1)[0] for key in samples.keys])
    known: dict[str, NDArray[Any]] = {SOURCE: sources, **attributes}
    if SIZE not in known and {"width", "height"} <= set(known):
        known[SIZE] = np.minimum(known["width"], known["height"])
    if not set(by) <= {*known, *POSES}:
        known = {**image_scores(samples.images), **known}
    for name in by:
        if name not in {*known, *POSES}:
            raise UnknownNameError("group", name, (*known, *POSES))
    if set(by) & set(POSES) - set(known):
        known = {**_measure_poses(samples), **known}
    return {name: known[name] for name in by}


def _measure_poses(samples: Samples) -> dict[str, NDArray[np.float64]]:
    weights = find_detector_weights()
    if weights is None:
        raise SettingsError(
            "yaw and roll need the weights of the face detector, and there are none in the cache; "
            "fetch them with `ferdata inspect --download-detector`, or name their file in "
            f"${WEIGHTS_VARIABLE}"
        )
    return face_poses(samples.images, weights)


def group_samples(
    by: str,
    values: NDArray[Any],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    class_names: Sequence[str],
) -> Grouping:
    """How good predictions are in each group.

    Args:
        by: what the values are.
        values: of each sample: floats, cut into five groups of as many, or strings.
        labels: int array of shape (num_samples,), rows of `class_names`.
        probabilities: array of shape (num_samples, num_classes).
        class_names: names in the order of the columns.
    """
    parts = _by_number(values) if values.dtype.kind == "f" else _by_word(values)
    groups = []
    for name, members in parts:
        found = measure(labels[members], probabilities[members], class_names)
        num_right = round(found.accuracy * found.num_samples)
        groups.append(
            Group(
                name=name,
                num_samples=found.num_samples,
                accuracy=wilson_interval(num_right, found.num_samples),
                balanced_accuracy=found.balanced_accuracy,
                macro_f1=found.macro_f1,
                is_small=found.num_samples < FEW_SAMPLES,
            )
        )
    return Grouping(by=by, groups=tuple(groups))


def _by_number(values: NDArray[np.float64]) -> list[tuple[str, NDArray[np.bool_]]]:
    known = np.isfinite(values)
    different = np.unique(values[known])
    if len(different) <= _NUM_BINS:
        parts = [(_short(value), values == value) for value in different]
    else:
        shares = np.arange(1, _NUM_BINS) / _NUM_BINS
        # ends are values that occur, so that equal values stay together
        ends = np.unique(np.quantile(values[known], shares, method="inverted_cdf"))
        bins = np.searchsorted(ends, values, side="left")
        parts = []
        for number in np.unique(bins[known]):
            members = known & (bins == number)
            low, high = _short(values[members].min()), _short(values[members].max())
            parts.append((low if low == high else f"{low} to {high}", members))
    if not known.all():
        parts.append((_UNKNOWN, ~known))
    return parts


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _by_word(values: NDArray[np.str_]) -> list[tuple[str, NDArray[np.bool_]]]:
    names, counts = np.unique(values, return_counts=True)
    order = [str(names[row]) for row in np.argsort(-counts, kind="stable")]
    order.sort(key=lambda name: name == _UNKNOWN)
    if len(order) <= _MOST_GROUPS:
        return [(name, values == name) for name in order]
    shown = order[: _MOST_GROUPS - 1]
    parts = [(name, values == name) for name in shown]
    return [*parts, (_OTHERS, ~np.isin(values, shown))]
