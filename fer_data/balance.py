"""Plans changed copies of training samples, until small classes are as large as asked.

Only the plan is made here, one row a copy; `pack` makes the pixels. A copy's seed depends on the
settings' seed, its parent and its number alone, so samples that come or go change no other copy.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from fer_data.balance_preview import preview_balance
from fer_data.dataset import Dataset
from fer_data.emotions import find_class_name
from fer_data.errors import SettingsError, StaleStageError
from fer_data.operations import PRESETS, Operation, operations_to_json

__all__ = [
    "BALANCE_SCHEMA",
    "BalancePlan",
    "BalanceSettings",
    "balance",
    "plan_balance",
    "preview_balance",
]

BALANCE_SCHEMA = pa.schema(
    [
        ("parent", pa.string()),  # key of a training sample
        ("copy", pa.int32()),  # from 1
        ("seed", pa.uint64()),
        ("operations", pa.string()),  # JSON, as `fer_data.operations` writes it
    ]
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSettings:
    """How far to lift which classes, and by what.

    Attributes:
        targets: class name, or a synonym of it → training samples it shall have; None for as many
            as `to` says, or the median class has where `to` says nothing.
        to: lifts every smaller class: "max" to the largest class, "median" to the median class,
            or to a number. The median is of the classes that have training samples; of an even
            number of them the lower middle one, so that it is always the size of a class.
        operations: what makes a copy differ from its parent.
        max_copies: most copies of one original; a class that needs more stays below its target.
        seed: of the choice of originals and of every copy.
    """

    targets: Mapping[str, int | None] = field(default_factory=dict)
    to: str | int | None = None
    operations: tuple[Operation, ...] = PRESETS["course"]
    max_copies: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.targets and self.to is None:
            raise SettingsError(
                "nothing to balance; name classes (--target disgust), "
                "or lift all of them (--to max, median or a number)"
            )
        if isinstance(self.to, str) and self.to not in ("max", "median"):
            raise SettingsError(f'to must be max, median or a number; received "{self.to}"')
        numbers = {"to": self.to, **{f"target {name}": n for name, n in self.targets.items()}}
        for what, number in numbers.items():
            if isinstance(number, int) and number < 1:
                raise SettingsError(f"{what} must be 1 or more; received {number}")
        if not any(operation.probability > 0 for operation in self.operations):
            raise SettingsError("no operation can fire; give at least one a probability above 0")
        if not 1 <= self.max_copies <= 1000:
            raise SettingsError(f"max_copies must be 1 to 1000; received {self.max_copies}")
        if not 0 <= self.seed < 2**63:
            raise SettingsError(f"seed must be 0 to 2**63 - 1; received {self.seed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancePlan:
    """Which copies are to be made.

    Attributes:
        table: of `BALANCE_SCHEMA`, one row a copy, in the order of the data set.
        before: class name → training samples.
        after: class name → training samples and copies.
        warnings: where a class stays below its target, and why.
    """

    table: pa.Table
    before: Mapping[str, int]
    after: Mapping[str, int]
    warnings: tuple[str, ...]


def plan_balance(dataset: Dataset, settings: BalanceSettings) -> BalancePlan:
    """The copies that lift the classes to their targets; nothing is written.

    Raises:
        SettingsError: a class is unknown, has no training sample, or has more than its target.
        MissingStageError: the data set has not been split.
        StaleStageError: the split no longer fits the data set.
    """
    parents = _training_keys(dataset)
    before = {name: len(keys) for name, keys in parents.items()}
    targets = _resolve_targets(before, settings)
    warnings = []
    rows: list[tuple[str, int]] = []
    after = dict(before)
    for name, target in targets.items():
        most = before[name] * settings.max_copies
        needed = target - before[name]
        if needed > most:
            warnings.append(
                f"{name}: {before[name] + most:,} training samples instead of {target:,}, because "
                f"one original is copied at most {settings.max_copies} times (--max-copies)"
            )
        rows += _spread(parents[name], min(needed, most), settings.seed)
        after[name] += min(needed, most)
    for warning in warnings:
        _log.warning(warning)
    table = _plan_table(rows, settings)
    return BalancePlan(table=table, before=before, after=after, warnings=tuple(warnings))


def balance(dataset: Dataset, settings: BalanceSettings) -> tuple[Dataset, BalancePlan]:
    """The data set with its balance planned and published, and the plan.

    Raises:
        SettingsError: a class is unknown, has no training sample, or has more than its target.
        MissingStageError: the data set has not been split.
        StaleStageError: the split no longer fits the data set.
    """
    plan = plan_balance(dataset, settings)
    asked = {
        "targets": dict(sorted(settings.targets.items())),
        "to": settings.to,
        "operations": [dataclasses.asdict(operation) for operation in settings.operations],
        "max_copies": settings.max_copies,
        "seed": settings.seed,
    }
    counts = {
        "before": dict(plan.before),
        "copies": {name: plan.after[name] - n for name, n in plan.before.items()},
        "after": dict(plan.after),
    }
    done = dataset.publish("balance", plan.table, settings=asked, counts=counts, inputs=["split"])
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


def _resolve_targets(before: Mapping[str, int], settings: BalanceSettings) -> dict[str, int]:
    """Class name → training samples it shall have, in the order of the classes."""
    sizes = sorted(n for n in before.values() if n > 0)
    if not sizes:
        raise SettingsError("no class has a training sample; nothing can be balanced")
    common = settings.to if settings.to is not None else "median"
    if isinstance(common, str):
        common = {"median": sizes[(len(sizes) - 1) // 2], "max": sizes[-1]}[common]
    named = _named_targets(tuple(before), settings)
    targets: dict[str, int] = {}
    for name, present in before.items():
        target = named.get(name)
        wanted = target if target is not None else common
        if name in named and wanted < present:
            raise SettingsError(
                f"{name}: has {present:,} training samples already, target {wanted:,}; give it a "
                f"larger number (--target {name}={present + 1} or more), or leave it out"
            )
        if present == 0 and (name in named or settings.to is not None):
            raise SettingsError(
                f"{name}: has no training sample to copy; add some, or name the classes to lift "
                "without it (--target)"
            )
        if name in named or (settings.to is not None and wanted > present):
            targets[name] = wanted
    return targets


def _named_targets(
    class_names: tuple[str, ...], settings: BalanceSettings
) -> dict[str, int | None]:
    """The settings' targets under the classes' own names."""
    asked_as: dict[str, str] = {}
    for asked in settings.targets:
        name = find_class_name(asked, class_names)
        if name in asked_as:
            raise SettingsError(
                f'targets "{asked_as[name]}" and "{asked}" are one class, {name}; name it once'
            )
        asked_as[name] = asked
    return {name: settings.targets[asked] for name, asked in asked_as.items()}


def _spread(keys: list[str], num_copies: int, seed: int) -> list[tuple[str, int]]:
    """(parent, copy number) of `num_copies` copies, spread evenly over the originals."""
    each, extra = divmod(num_copies, len(keys))
    chosen = set(sorted(keys, key=lambda key: _hash("extra", seed, key))[:extra])
    return [(key, n) for key in keys for n in range(1, each + 1 + (key in chosen))]


def _plan_table(rows: list[tuple[str, int]], settings: BalanceSettings) -> pa.Table:
    seeds = [
        int.from_bytes(_hash("copy", settings.seed, f"{parent}#{copy}")) for parent, copy in rows
    ]
    columns = [
        [parent for parent, _ in rows],
        [copy for _, copy in rows],
        seeds,
        [operations_to_json(settings.operations)] * len(rows),
    ]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, BALANCE_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=BALANCE_SCHEMA)


def _hash(what: str, seed: int, text: str) -> bytes:
    return hashlib.sha256(f"{what}\0{seed}\0{text}".encode()).digest()[:8]
