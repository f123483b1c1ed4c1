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
from fer_data.errors import DatasetError, StaleStageError
from fer_data.pack_balance import read_balance
from fer_data.pack_leakage import find_leakage
from fer_data.shards.index import SPLITS, ClassCount
from fer_data.split_groups import GROUP_COLUMNS, join_samples

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
        counts: split → class name → originals, copies and originals left out.
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
        LeakageError: one image, an image and its copy, or samples that split was asked to keep
            together would stand in two splits.
    """
    for stage in ("split", "balance"):
        if stage in dataset.info.stages and dataset.is_stale(stage):
            raise StaleStageError(
                f"{dataset.dir}: {stage} no longer fits the stages before it; "
                f"run `ferdata {stage}` again"
            )
    kept = _kept_samples(dataset)
    balanced = read_balance(dataset, kept)
    is_left_out = pc.is_in(kept["key"], value_set=balanced.left_out)
    left_out, kept = kept.filter(is_left_out), kept.filter(pc.invert(is_left_out))
    group_by = dataset.stage("split").settings.get("group_by", ())
    leakage = find_leakage(kept, join_samples(dataset, kept, group_by))
    originals = _originals(kept, dataset.class_names)
    copies = _copies(balanced.copies, originals)
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
    none = left_out.slice(0, 0)
    counts = {
        split: _count(table, left_out if split == "train" else none, dataset.class_names)
        for split, table in samples.items()
    }
    return PackPlan(samples=samples, counts=counts, leakage=leakage)


def _kept_samples(dataset: Dataset) -> pa.Table:
    """The samples that the split keeps, in data-set order, and where it has `placed` them."""
    split = dataset.table("split")
    samples = dataset.kept_samples(["label", "split", "votes", *GROUP_COLUMNS])
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


def _copies(plan: pa.Table, originals: pa.Table) -> pa.Table:
    """The planned copies in the form of `PACKED_SCHEMA`."""
    rows = pc.index_in(plan["parent"], value_set=originals["key"].combine_chunks())
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


def _count(
    table: pa.Table, left_out: pa.Table, class_names: tuple[str, ...]
) -> dict[str, ClassCount]:
    labels = table["label"].to_numpy()
    augmented = pc.not_equal(table["parent"], "").to_numpy()
    out = pc.index_in(left_out["label"], value_set=pa.array(class_names)).to_numpy()
    numbers = [
        np.bincount(rows, minlength=len(class_names)).tolist()
        for rows in (labels[~augmented], labels[augmented], out)
    ]
    return {
        name: ClassCount(original=original, augmented=copied, left_out=gone)
        for name, original, copied, gone in zip(class_names, *numbers, strict=True)
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
