"""Plans how training samples are balanced: by changed copies, by fewer originals, or by weights.

Only the plan is made here, one row a copy or an original left out; `pack` makes the pixels. A
copy's seed depends on its parent, its number and the settings alone, and whether an original is
left out on a hash of its key: samples that come or go change few others.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from fer_data.balance_preview import preview_balance
from fer_data.balance_seeds import draw_seeds
from fer_data.balance_settings import (
    BALANCE_SCHEMA,
    METHODS,
    BalanceSettings,
    resolve_targets,
)
from fer_data.dataset import Dataset
from fer_data.errors import StaleStageError
from fer_data.executors import Workers
from fer_data.operations import operations_to_json
from fer_data.shards.index import class_weights

__all__ = [
    "BALANCE_SCHEMA",
    "METHODS",
    "BalancePlan",
    "BalanceSettings",
    "balance",
    "plan_balance",
    "preview_balance",
]

_MANY_COPIES = 5  # an original: what more of them add has been seen to grow little
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancePlan:
    """Which copies are to be made, and which originals left out.

    Attributes:
        table: of `BALANCE_SCHEMA`, one row a copy or an original left out, in the order of the
            data set.
        before: class name → training samples.
        copies: class name → copies to be made.
        left_out: class name → originals to be left out.
        warnings: where a class stays below its target or copies add little, and why.
    """

    table: pa.Table
    before: Mapping[str, int]
    copies: Mapping[str, int]
    left_out: Mapping[str, int]
    warnings: tuple[str, ...]

    @property
    def after(self) -> dict[str, int]:
        """Class name → training samples that pack will write, copies among them."""
        return {
            name: number + self.copies[name] - self.left_out[name]
            for name, number in self.before.items()
        }

    @property
    def class_weights(self) -> dict[str, dict[str, float]]:
        """Class weights before ("original") and after balancing ("balanced"), as pack has them."""
        return {
            "original": class_weights(self.before),
            "balanced": class_weights(self.after),
        }

    @property
    def summary(self) -> str:
        """What is planned, in a few words."""
        copies, left_out = sum(self.copies.values()), sum(self.left_out.values())
        parts = [f"{copies:,} copies"] * bool(copies) + [f"{left_out:,} left out"] * bool(left_out)
        return ", ".join(parts) or "class weights alone"


def plan_balance(
    dataset: Dataset, settings: BalanceSettings, *, workers: Workers = None
) -> BalancePlan:
    """What brings the classes to their targets; nothing is written.

    Args:
        dataset: split.
        settings: see `BalanceSettings`.
        workers: processes that try the copies; default: as many as pay.

    Raises:
        UnknownNameError: a class is unknown.
        SettingsError: a class has no training sample, or lies beyond its target already.
        MissingStageError: the data set has not been split.
        StaleStageError: the split no longer fits the data set.
    """
    keys = _training_keys(dataset)
    before = {name: len(mine) for name, mine in keys.items()}
    none = dict.fromkeys(before, 0)
    if settings.method == "weights":
        table = BALANCE_SCHEMA.empty_table()
        return BalancePlan(table=table, before=before, copies=none, left_out=none, warnings=())
    targets = resolve_targets(before, settings)
    if settings.method == "undersample":
        rows = [row for name in targets for row in _leave_out(keys[name], targets[name], settings)]
        left_out = none | {name: before[name] - target for name, target in targets.items()}
        table = _table(rows)
        return BalancePlan(table=table, before=before, copies=none, left_out=left_out, warnings=())
    copies, warnings = _count_copies(before, targets, settings)
    numbers = {
        key: number
        for name, needed in copies.items()
        for key, number in _spread(keys[name], needed, settings.seed).items()
    }
    seeds, same = draw_seeds(dataset, numbers, settings.operations, settings.seed, workers=workers)
    if same:
        warnings.append(
            f"{len(same):,} copies show the same picture as their original or another copy of it, "
            f"for example {same[0]}: the operations have no more different ones to give; name more "
            "operations or larger magnitudes (--operations), or filter blank pictures out"
        )
    text = operations_to_json(settings.operations)
    rows = [
        (key, copy, seed, text)
        for key in numbers
        for copy, seed in enumerate(seeds.get(key, ()), start=1)
    ]
    for warning in warnings:
        _log.warning(warning)
    return BalancePlan(
        table=_table(rows),
        before=before,
        copies=none | copies,
        left_out=none,
        warnings=tuple(warnings),
    )


def balance(
    dataset: Dataset, settings: BalanceSettings, *, workers: Workers = None
) -> tuple[Dataset, BalancePlan]:
    """The data set with its balance planned and published, and the plan; see `plan_balance`."""
    plan = plan_balance(dataset, settings, workers=workers)
    counts = {
        "before": dict(plan.before),
        "left_out": dict(plan.left_out),
        "copies": dict(plan.copies),
        "after": plan.after,
    }
    done = dataset.publish(
        "balance", plan.table, settings=settings.to_json(), counts=counts, inputs=["split"]
    )
    return done, plan


def _training_keys(dataset: Dataset) -> dict[str, list[str]]:
    """Class name → keys of its kept training samples, in the order of the data set."""
    split = dataset.table("split")
    if dataset.is_stale("split"):
        raise StaleStageError(
            f"{dataset.dir}: the split no longer fits the data set; run `ferdata split` again"
        )
    train = split.filter(pc.equal(split["split"], "train"))["key"]
    samples = dataset.kept_samples(["key", "label"])
    samples = samples.filter(pc.is_in(samples["key"], value_set=train.combine_chunks()))
    return {
        name: samples.filter(pc.equal(samples["label"], name))["key"].to_pylist()
        for name in dataset.class_names
    }


def _count_copies(
    before: Mapping[str, int], targets: Mapping[str, int], settings: BalanceSettings
) -> tuple[dict[str, int], list[str]]:
    """Class name → copies to be made, and what has to be said of them."""
    copies: dict[str, int] = {}
    warnings: list[str] = []
    for name, target in targets.items():
        most = before[name] * settings.max_copies
        copies[name] = min(target - before[name], most)
        if target - before[name] > most:
            warnings.append(
                f"{name}: {before[name] + most:,} training samples instead of {target:,}, because "
                f"one original is copied at most {settings.max_copies} times (--max-copies)"
            )
        if copies[name] > before[name] * _MANY_COPIES:
            warnings.append(
                f"{name}: {copies[name] / before[name]:.1f} copies of each original on average; "
                f"beyond {_MANY_COPIES} they add little that is new, and a network learns the "
                f"{before[name]:,} originals by heart: more originals, a lower target or class "
                "weights help more"
            )
    return copies, warnings


def _spread(keys: list[str], num_copies: int, seed: int) -> dict[str, int]:
    """Key → copies of it, `num_copies` in all, spread evenly over the originals."""
    each, extra = divmod(num_copies, len(keys))
    chosen = set(sorted(keys, key=lambda key: _hash("extra", seed, key))[:extra])
    return {key: each + (key in chosen) for key in keys}


def _leave_out(
    keys: list[str], target: int, settings: BalanceSettings
) -> list[tuple[str, int, int, str]]:
    """Rows of the originals that are left out, so that `target` of them stay."""
    order = sorted(keys, key=lambda key: _hash("stay", settings.seed, key))
    out = set(order[target:])
    return [(key, 0, 0, "") for key in keys if key in out]


def _table(rows: list[tuple[str, int, int, str]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(BALANCE_SCHEMA)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, BALANCE_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=BALANCE_SCHEMA)


def _hash(what: str, seed: int, text: str) -> bytes:
    return hashlib.sha256(f"{what}\0{seed}\0{text}".encode()).digest()[:8]
