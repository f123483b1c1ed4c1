"""What stands in several splits though it belongs together; refused unless officially so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fer_data.errors import LeakageError
from fer_data.shards.index import SPLITS
from fer_data.split_groups import DUPLICATES, SampleGroups

Numbers = NDArray[np.int64]


def find_leakage(kept: pa.Table, groups: SampleGroups) -> dict[str, Any]:
    """How many groups the official splits put into several splits, as the shard index has it.

    Args:
        kept: columns `key`, `split` (as the source gives it) and `placed`.
        groups: of these samples, as the split was asked to join them.

    Raises:
        LeakageError: a group stands in a split in which its source puts none of it.
    """
    placed = pc.index_in(kept["placed"], value_set=pa.array(SPLITS)).to_numpy().astype(np.int64)
    official = pc.fill_null(pc.equal(kept["split"], kept["placed"]), False).to_numpy()
    identical = groups.codes["identical"]
    wrong = _is_wrong(identical, placed, official)
    if wrong.any():
        pair = _pair(kept, identical, wrong[identical], placed)
        raise LeakageError(
            f"{wrong.sum()} images stand in two splits, for example {pair}; "
            "run `ferdata split` again"
        )
    wrong = _is_wrong(groups.of_sample, placed, official)
    if wrong.any():
        raise LeakageError(_families_apart(kept, groups, wrong, placed))
    leakage = _count(identical, placed, "")
    leakage["twins"] = _twins(kept["key"], identical, placed)
    for name, codes in groups.codes.items():
        if name != "identical":
            leakage |= _count(codes, placed, "near_" if name == DUPLICATES else f"{name}_")
    return leakage


def _held(codes: Numbers, placed: Numbers, rows: NDArray[np.bool_]) -> Numbers:
    """The splits that each code is in, as bits; samples with code -1 are in none's."""
    held = np.zeros(codes.max(initial=-1) + 1, np.int64)
    rows = rows & (codes >= 0)
    np.bitwise_or.at(held, codes[rows], np.left_shift(1, placed[rows]))
    return held


def _is_wrong(codes: Numbers, placed: Numbers, official: NDArray[np.bool_]) -> NDArray[np.bool_]:
    held = _held(codes, placed, np.ones_like(official))
    several = (held & (held - 1)) != 0
    wrong: NDArray[np.bool_] = several & (held != _held(codes, placed, official))
    return wrong


def _count(codes: Numbers, placed: Numbers, prefix: str) -> dict[str, Any]:
    held = _held(codes, placed, np.ones(len(codes), np.bool_))
    leaking = (held & (held - 1)) != 0
    rows = codes >= 0
    rows[rows] = leaking[codes[rows]]
    numbers = np.bincount(placed[rows], minlength=len(SPLITS))
    samples = {split: int(n) for split, n in zip(SPLITS, numbers, strict=True) if n}
    return {f"{prefix}groups": int(leaking.sum()), f"{prefix}samples": samples}


def _twins(keys: pa.ChunkedArray, identical: Numbers, placed: Numbers) -> dict[str, Any]:
    """By split and other split, the keys of samples of the first that the other has too, sorted."""
    held = _held(identical, placed, np.ones(len(identical), np.bool_))[identical]
    twins: dict[str, dict[str, list[str]]] = {}
    for number, split in enumerate(SPLITS):
        for other_number, other in enumerate(SPLITS):
            rows = (placed == number) & ((held >> other_number) & 1 == 1)
            if number != other_number and rows.any():
                twins.setdefault(split, {})[other] = sorted(keys.filter(pa.array(rows)).to_pylist())
    return twins


def _pair(kept: pa.Table, codes: Numbers, among: NDArray[np.bool_], placed: Numbers) -> str:
    """Two samples with the same code in two splits, in words."""
    every = np.flatnonzero(among & (codes >= 0))
    held = _held(codes, placed, among)
    apart = (held & (held - 1)) != 0
    code = codes[every[apart[codes[every]]][0]]
    rows = every[codes[every] == code]
    other = next(row for row in rows if placed[row] != placed[rows[0]])
    first, second = kept.select(["key", "placed"]).take([rows[0], other]).to_pylist()
    return f"{first['key']} ({first['placed']}) and {second['key']} ({second['placed']})"


def _families_apart(
    kept: pa.Table, groups: SampleGroups, wrong: NDArray[np.bool_], placed: Numbers
) -> str:
    among = wrong[groups.of_sample]

    def is_apart(codes: Numbers) -> bool:
        held = _held(codes, placed, among)
        return bool(((held & (held - 1)) != 0).any())

    # of one name at least: what holds a group together crosses the splits somewhere
    name = next(name for name, codes in groups.codes.items() if is_apart(codes))
    pair = _pair(kept, groups.codes[name], among, placed)
    what = "near or mirrored pictures" if name == DUPLICATES else f"samples of one {name}"
    number = f"{wrong.sum():,} {'group' if wrong.sum() == 1 else 'groups'}"
    return (
        f"{number} of samples that belong together stand in two splits, for example {what}: "
        f"{pair}; run `ferdata split` again"
    )
