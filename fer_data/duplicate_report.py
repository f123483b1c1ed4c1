"""What the table of duplicates says about labels and splits: conflicts and leakage."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fer_data.errors import UnknownNameError

#: What is taken for one picture: identical pixels, or a whole family of near ones.
SAME = ("exact", "group")

CONFLICTS_SCHEMA = pa.schema(
    [
        ("number", pa.int64()),  # of the group: what the column `exact` or `group` says
        ("samples", pa.int64()),
        ("labels", pa.list_(pa.string())),  # distinct, in alphabetical order
        ("splits", pa.list_(pa.string())),  # distinct, in alphabetical order; "" for none
        ("within", pa.bool_()),  # one split gives the picture several labels
        ("across", pa.bool_()),  # a split gives it another label than another split does
    ]
)
LEAKAGE_SCHEMA = pa.schema(
    [
        ("one", pa.string()),  # split or source
        ("other", pa.string()),
        ("groups", pa.int64()),  # that have samples in both
        ("samples_one", pa.int64()),  # of `one` that have a twin in `other`
        ("samples_other", pa.int64()),  # of `other` that have a twin in `one`
    ]
)


def label_conflicts(table: pa.Table, samples: pa.Table, *, same: str = "exact") -> pa.Table:
    """Groups whose samples carry different labels, one row a group, by `CONFLICTS_SCHEMA`.

    Args:
        table: of duplicates.
        samples: with the columns `key`, `label` and `split`.
        same: "exact" for groups of identical pictures, "group" for families of near ones.

    Raises:
        UnknownNameError: `same` is neither.
    """
    numbers, rows = _members(table, samples, same)
    labels, splits = (_column(samples, name).take(rows) for name in ("label", "split"))
    codes = labels.dictionary_encode().indices.to_numpy()
    split_codes = splits.dictionary_encode().indices.to_numpy()
    conflicting = _several(numbers, codes)
    within = set(numbers[_several_together(numbers, split_codes, codes)].tolist())
    kept = np.flatnonzero(conflicting[numbers])
    found: dict[int, list[int]] = {}
    for place in kept.tolist():
        found.setdefault(int(numbers[place]), []).append(place)
    result = []
    for number, places in sorted(found.items()):
        given = {splits[place].as_py() for place in places}
        result.append(
            {
                "number": number,
                "samples": len(places),
                "labels": sorted({labels[place].as_py() for place in places}),
                "splits": sorted(given),
                "within": number in within,
                "across": len(given) > 1,
            }
        )
    return pa.Table.from_pylist(result, schema=CONFLICTS_SCHEMA)


def leakage(
    table: pa.Table, samples: pa.Table, *, between: str = "split", same: str = "exact"
) -> pa.Table:
    """Groups that stand in two splits or sources, one row a pair of them, by `LEAKAGE_SCHEMA`.

    Pairs that share nothing are left out. Samples without a split count as those of the split "".

    Args:
        table: of duplicates.
        samples: with the columns `key` and `split` or `source`.
        between: "split" or "source".
        same: "exact" for groups of identical pictures, "group" for families of near ones.

    Raises:
        UnknownNameError: `between` or `same` is something else.
    """
    if between not in ("split", "source"):
        raise UnknownNameError("side of leakage", between, ("split", "source"))
    numbers, rows = _members(table, samples, same)
    sides = _column(samples, between).take(rows).dictionary_encode()
    names = sides.dictionary.to_pylist()
    codes = sides.indices.to_numpy()
    numbers = np.unique(numbers, return_inverse=True)[1]
    shared = _several(numbers, codes)[numbers]
    numbers, codes = np.unique(numbers[shared], return_inverse=True)[1], codes[shared]
    counts = np.zeros((numbers.max(initial=-1) + 1, len(names)), np.int64)
    np.add.at(counts, (numbers, codes), 1)
    result = []
    for first, second in combinations(sorted(range(len(names)), key=names.__getitem__), 2):
        both = (counts[:, first] > 0) & (counts[:, second] > 0)
        if both.any():
            result.append(
                {
                    "one": names[first],
                    "other": names[second],
                    "groups": int(both.sum()),
                    "samples_one": int(counts[both, first].sum()),
                    "samples_other": int(counts[both, second].sum()),
                }
            )
    return pa.Table.from_pylist(result, schema=LEAKAGE_SCHEMA)


def _members(
    table: pa.Table, samples: pa.Table, same: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of each member's group, and its row among the samples."""
    if same not in SAME:
        raise UnknownNameError("kind of sameness", same, SAME)
    members = table.filter(pc.is_valid(table[same]))
    rows = pc.index_in(members["key"], value_set=samples["key"].combine_chunks())
    return members[same].to_numpy(), rows.to_numpy().astype(np.int64)


def _column(samples: pa.Table, name: str) -> pa.Array:
    return pc.fill_null(samples[name], "").combine_chunks()


def _several(numbers: NDArray[np.int64], codes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether each number, up to the largest, comes with several codes."""
    pairs = np.unique(np.stack([numbers, codes]), axis=1)
    return np.asarray(np.bincount(pairs[0], minlength=numbers.max(initial=-1) + 1) > 1)


def _several_together(
    numbers: NDArray[np.int64], splits: NDArray[np.int32], codes: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Whether each place's number comes with several codes in its own split."""
    together = numbers * (int(splits.max(initial=0)) + 1) + splits
    together = np.unique(together, return_inverse=True)[1]
    return _several(together, codes)[together]
