"""What the balance plan asks of pack: which copies to make, which originals to leave out."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from fer_data.balance_settings import BALANCE_SCHEMA
from fer_data.dataset import Dataset
from fer_data.errors import DatasetError, LeakageError


@dataclass(frozen=True, slots=True, kw_only=True)
class PackBalance:
    """The two halves of a balance plan.

    Attributes:
        copies: of `BALANCE_SCHEMA`, one row a copy.
        left_out: keys of originals.
    """

    copies: pa.Table
    left_out: pa.Array


def read_balance(dataset: Dataset, kept: pa.Table) -> PackBalance:
    """The balance of a data set; empty where none was planned.

    Args:
        dataset: whose balance.
        kept: the samples that the split keeps; columns `key` and `placed`.

    Raises:
        LeakageError: the plan names what is no training sample.
        DatasetError: the plan contradicts itself.
    """
    if "balance" not in dataset.info.stages:
        return PackBalance(copies=BALANCE_SCHEMA.empty_table(), left_out=pa.array([], pa.string()))
    plan = dataset.table("balance")
    rows = pc.index_in(plan["parent"], value_set=kept["key"].combine_chunks())
    homes = pc.fill_null(kept["placed"].take(rows), "no split")
    outside = plan.append_column("home", homes).filter(pc.not_equal(homes, "train"))
    if len(outside):
        first = outside.slice(0, 1).to_pylist()[0]
        what = f"planned copies have a parent outside train, for example copy {first['copy']} of"
        if first["copy"] == 0:
            what = "originals to be left out are not in train, for example"
        raise LeakageError(
            f"{len(outside):,} {what} {first['parent']} ({first['home']}); "
            "run `ferdata balance` again"
        )
    is_out = pc.equal(plan["copy"], 0)
    left_out = plan.filter(is_out)["parent"].combine_chunks()
    copies = plan.filter(pc.invert(is_out))
    orphans = pc.filter(copies["parent"], pc.is_in(copies["parent"], value_set=left_out))
    if len(orphans):
        raise DatasetError(
            f"{dataset.dir}: balance leaves out {orphans[0]} and copies it too; "
            "run `ferdata balance` again"
        )
    return PackBalance(copies=copies, left_out=left_out)
