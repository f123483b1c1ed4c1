"""Which sample, original or copy, goes into which shard; refuses what would leak."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fer_data.dataset import Dataset
from fer_data.errors import DatasetError, LeakageError, StaleStageError
from fer_data.shards.index import SPLITS, ClassCount

#: One row a sample of a shard. `parent` and `operations` are empty for originals, `seed` is 0.
PACKED_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("parent", pa.string()),
        ("label", pa.int64()),  # a row of the class names
        ("pixel_sha256", pa.binary(32)),  # of the original's pixels
        ("block", pa.int32()),
        ("row", pa.int32()),
        ("seed", pa.uint64()),
        ("operations", pa.string()),
        ("votes", pa.list_(pa.float32())),  # one a class; null where no sample has any
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackPlan:
    """What is to be packed.

    Attributes:
        samples: split → table of `PACKED_SCHEMA`, in the order of the shards; only splits that
            have samples.
        counts: split → class name → originals and copies.
        leakage: as the shard index has it.
    """

    samples: Mapping[str, pa.Table]
    counts: Mapping[str, Mapping[str, ClassCount]]
    leakage: Mapping[str, Any]


def plan_pack(dataset: Dataset, seed: int) -> PackPlan:
    """The samples of each split in their order, copies among the training samples.

    The train split is ordered by a hash of the seed and the key: a random order in which samples
    that come or go leave the others as they were. Other splits keep the data set's order.

    Raises:
        MissingStageError: the data set has not been split.
        StaleStageError: a stage no longer fits the one before it.
        LeakageError: one image, or an image and its copy, would stand in two splits.
    """
    for stage in ("split", "balance"):
        if stage in dataset.info.stages and dataset.is_stale(stage):
            raise StaleStageError(
                f"{dataset.dir}: {stage} no longer fits the stages before it; "
                f"run `ferdata {stage}` again"
            )
    kept = _kept_samples(dataset)
    leakage = find_leakage(kept)
    originals = _originals(kept, dataset.class_names)
    copies = _copies(dataset, originals, kept["placed"])
    samples: dict[str, pa.Table] = {}
    for split in SPLITS:
        table = originals.filter(pc.equal(kept["placed"], split))
        if split == "train":
            table = _shuffled(pa.concat_tables([table, copies]), seed)
        if len(table):
            samples[split] = table
    keys = pa.concat_tables(samples.values())["key"]
    if pc.count_distinct(keys).as_py() != len(keys):
        twice = pc.value_counts(keys).filter(pc.greater(pc.value_counts(keys).field(1), 1))
        raise DatasetError(
            f"{dataset.dir}: {len(twice)} keys stand for several samples, for example "
            f'"{twice[0]["values"]}"; run `ferdata balance` again'
        )
    counts = {split: _count(table, dataset.class_names) for split, table in samples.items()}
    return PackPlan(samples=samples, counts=counts, leakage=leakage)


def find_leakage(kept: pa.Table) -> dict[str, Any]:
    """How many groups of identical images the official splits put into several splits.

    Args:
        kept: columns `key`, `split` (as the source gives it), `placed` and `pixel_sha256`.

    Raises:
        LeakageError: a group stands in a split in which its source puts none of it.
    """
    codes = pc.dictionary_encode(kept["pixel_sha256"].combine_chunks()).indices.to_numpy()
    placed = pc.index_in(kept["placed"], value_set=pa.array(SPLITS)).to_numpy()
    official = pc.fill_null(pc.equal(kept["split"], kept["placed"]), False).to_numpy()
    bits = np.left_shift(1, placed)
    held = np.zeros(codes.max(initial=-1) + 1, np.int64)
    held_officially = np.zeros_like(held)
    np.bitwise_or.at(held, codes, bits)
    np.bitwise_or.at(held_officially, codes[official], bits[official])
    leaking = (held & (held - 1)) != 0  # more than one split
    wrong = leaking & (held != held_officially)
    if wrong.any():
        rows = np.flatnonzero(codes == np.flatnonzero(wrong)[0])
        other = next(row for row in rows if placed[row] != placed[rows[0]])
        pair = kept.select(["key", "placed"]).take([rows[0], other]).to_pylist()
        raise LeakageError(
            f"{wrong.sum()} images stand in two splits, for example {pair[0]['key']} "
            f"({pair[0]['placed']}) and {pair[1]['key']} ({pair[1]['placed']}); "
            "run `ferdata split` again"
        )
    numbers = np.bincount(placed[leaking[codes]], minlength=len(SPLITS))
    samples = {split: int(n) for split, n in zip(SPLITS, numbers, strict=True) if n}
    return {"groups": int(leaking.sum()), "samples": samples}


def _kept_samples(dataset: Dataset) -> pa.Table:
    """The samples that the split keeps, in data-set order, and where it has `placed` them."""
    split = dataset.table("split")
    samples = dataset.kept_samples(["key", "label", "split", "pixel_sha256", "votes"])
    rows = pc.index_in(samples["key"], value_set=split["key"].combine_chunks())
    if len(split) == 0 or len(rows) - rows.null_count != len(split):
        raise DatasetError(
            f"{dataset.dir}: split has {len(split):,} samples, of which the data set knows "
            f"{len(rows) - rows.null_count:,}; run `ferdata split` again"
        )
    samples = samples.append_column("placed", split["split"].take(rows))
    kept = samples.filter(pc.is_valid(rows))
    unknown = pc.unique(
        kept["placed"].filter(pc.invert(pc.is_in(kept["placed"], pa.array(SPLITS))))
    )
    if len(unknown):
        raise DatasetError(
            f'{dataset.dir}: split names "{unknown[0]}"; expected one of {", ".join(SPLITS)}'
        )
    return kept


def _originals(kept: pa.Table, class_names: tuple[str, ...]) -> pa.Table:
    """The kept samples in the form of `PACKED_SCHEMA`."""
    empty = pa.array([""] * len(kept))
    columns = {
        "key": kept["key"],
        "parent": empty,
        "label": pc.index_in(kept["label"], value_set=pa.array(class_names)),
        "pixel_sha256": kept["pixel_sha256"],
        "block": kept["block"],
        "row": kept["row"],
        "seed": pa.array(np.zeros(len(kept), np.uint64)),
        "operations": empty,
        "votes": _votes(kept["votes"], class_names),
    }
    return pa.table(columns).cast(PACKED_SCHEMA)


def _votes(votes: pa.ChunkedArray, class_names: tuple[str, ...]) -> pa.Array:
    """Votes in the order of the classes; zeros for a sample without, null where no one has any."""
    if votes.null_count == len(votes):
        return pa.nulls(len(votes), pa.list_(pa.float32()))
    counts = [
        pc.fill_null(pc.map_lookup(votes, pa.scalar(name), "first"), 0.0).to_numpy()
        for name in class_names
    ]
    values = np.stack(counts, axis=1).astype(np.float32)  # (n, num_classes)
    offsets = np.arange(len(votes) + 1, dtype=np.int32) * len(class_names)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel()))


def _copies(dataset: Dataset, originals: pa.Table, placed: pa.ChunkedArray) -> pa.Table:
    """The planned copies in the form of `PACKED_SCHEMA`."""
    if "balance" not in dataset.info.stages:
        return PACKED_SCHEMA.empty_table()
    plan = dataset.table("balance")
    rows = pc.index_in(plan["parent"], value_set=originals["key"].combine_chunks())
    homes = pc.fill_null(placed.take(rows), "no split")
    outside = plan.append_column("home", homes).filter(pc.not_equal(homes, "train"))
    if len(outside):
        first = outside.slice(0, 1).to_pylist()[0]
        raise LeakageError(
            f"{len(outside):,} planned copies have a parent outside train, for example copy "
            f"{first['copy']} of {first['parent']} ({first['home']}); run `ferdata balance` again"
        )
    numbers = pc.cast(plan["copy"], pa.string())
    parents = originals.take(rows)
    columns = {
        "key": pc.binary_join_element_wise(plan["parent"], numbers, "#"),
        "parent": plan["parent"],
        **{name: parents[name] for name in ("label", "pixel_sha256", "block", "row")},
        "seed": plan["seed"],
        "operations": plan["operations"],
        "votes": parents["votes"],
    }
    return pa.table(columns).cast(PACKED_SCHEMA)


def _shuffled(table: pa.Table, seed: int) -> pa.Table:
    keys = table["key"].to_pylist()
    hashes = [hashlib.sha256(f"order\0{seed}\0{key}".encode()).digest() for key in keys]
    return table.take(pa.array(sorted(range(len(keys)), key=hashes.__getitem__), pa.int64()))


def _count(table: pa.Table, class_names: tuple[str, ...]) -> dict[str, ClassCount]:
    labels = table["label"].to_numpy()
    augmented = pc.not_equal(table["parent"], "").to_numpy()
    num_classes = len(class_names)
    originals = np.bincount(labels[~augmented], minlength=num_classes)
    copies = np.bincount(labels[augmented], minlength=num_classes)
    return {
        name: ClassCount(original=int(original), augmented=int(copied))
        for name, original, copied in zip(class_names, originals, copies, strict=True)
    }


def cut(table: pa.Table, most: int) -> Iterator[pa.Table]:
    """The fewest consecutive parts of at most `most` rows, as equal in size as can be.

    Example:
        >>> [len(part) for part in cut(pa.table({"a": range(10)}), 4)]
        [4, 3, 3]
    """
    num_parts = -(-len(table) // most)
    for rows in np.array_split(np.arange(len(table)), num_parts):
        yield table.take(pa.array(rows))  # a slice would carry the whole table to a worker
