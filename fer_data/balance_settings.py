"""How a data set is to be balanced: by which method, which classes, and how far."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from fer_data.emotions import find_class_name
from fer_data.errors import SettingsError, UnknownNameError
from fer_data.operations import PRESETS, Operation

#: Of the table of the stage balance, one row a copy to make or an original to leave out.
BALANCE_SCHEMA = pa.schema(
    [
        ("parent", pa.string()),  # key of a training sample
        ("copy", pa.int32()),  # from 1; 0: no copy, this original itself is left out
        ("seed", pa.uint64()),  # 0 where an original is left out
        ("operations", pa.string()),  # JSON, as `fer_data.operations` writes it; or empty
    ]
)
#: Changed copies for small classes, fewer originals of large ones, or class weights alone.
METHODS = ("augment", "undersample", "weights")
_WORDS: dict[str, tuple[str, ...]] = {
    "augment": ("max", "median"),
    "undersample": ("min", "median"),
    "weights": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSettings:
    """By which method which classes are made how large.

    Attributes:
        method: one of `METHODS`.
        targets: class name, or a synonym of it → training samples it shall have; None for as many
            as `to` says, or the median class has where `to` says nothing.
        to: the size of every other class that is smaller (augment) or larger (undersample): "max",
            the largest class; "min", the smallest; "median", the median class; or a number. The
            median is of the classes that have training samples; of an even number of them the
            lower middle one, so that it is always the size of a class. Undersampling without any
            target goes to "min".
        operations: what makes a copy differ from its parent.
        max_copies: most copies of one original; a class that needs more stays below its target.
        seed: of the choice of originals and of every copy.
    """

    method: str = "augment"
    targets: Mapping[str, int | None] = field(default_factory=dict)
    to: str | int | None = None
    operations: tuple[Operation, ...] = PRESETS["course"]
    max_copies: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UnknownNameError("method", self.method, METHODS)
        words, asks = _WORDS[self.method], bool(self.targets) or self.to is not None
        if self.method == "weights" and asks:
            raise SettingsError(
                "the method weights takes no targets: it changes no sample, the class weights "
                "alone balance; leave them out, or choose augment or undersample"
            )
        if self.method == "augment" and not asks:
            raise SettingsError(
                "nothing to balance; name classes (--target disgust), "
                "or lift all of them (--to max, median or a number)"
            )
        if self.method == "undersample" and not asks:
            object.__setattr__(self, "to", "min")
        if isinstance(self.to, str) and self.to not in words:
            raise SettingsError(
                f'to must be {", ".join(words)} or a number to {self.method}; received "{self.to}"'
            )
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

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values; `from_json` makes them settings again."""
        return dataclasses.asdict(self) | {
            "targets": dict(sorted(self.targets.items())),
            "operations": [dataclasses.asdict(operation) for operation in self.operations],
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> BalanceSettings:
        """The settings that `to_json` made `fields` of."""
        operations = tuple(Operation(**operation) for operation in fields["operations"])
        return cls(**{**fields, "operations": operations})


def resolve_targets(before: Mapping[str, int], settings: BalanceSettings) -> dict[str, int]:
    """Class name → training samples it shall have, of the classes to change, in their order.

    Args:
        before: class name → training samples it has.
        settings: to augment or to undersample.

    Raises:
        SettingsError: a class has no training sample, or a target lies on the wrong side of it.

    Example:
        >>> counts = {"anger": 30, "disgust": 4, "happiness": 70}
        >>> resolve_targets(counts, BalanceSettings(to="median"))
        {'disgust': 30}
        >>> resolve_targets(counts, BalanceSettings(method="undersample"))
        {'anger': 4, 'happiness': 4}
    """
    sizes = sorted(n for n in before.values() if n > 0)
    if not sizes:
        raise SettingsError("no class has a training sample; nothing can be balanced")
    level = settings.to if settings.to is not None else "median"
    levels = {"min": sizes[0], "median": sizes[(len(sizes) - 1) // 2], "max": sizes[-1]}
    common = levels[level] if isinstance(level, str) else level
    named = named_targets(tuple(before), settings)
    lifts = settings.method == "augment"
    targets: dict[str, int] = {}
    for name, present in before.items():
        target = named.get(name)
        wanted = target if target is not None else common
        if present == 0 and (name in named or (settings.to is not None and lifts)):
            raise SettingsError(
                f"{name}: has no training sample to {'copy' if lifts else 'leave out'}; add some, "
                "or name the classes to balance without it (--target)"
            )
        beyond = wanted < present if lifts else wanted > present
        if name in named and beyond:
            raise SettingsError(_wrong_side(name, present, wanted, lifts=lifts))
        if name in named or (settings.to is not None and 0 < present != wanted and not beyond):
            targets[name] = wanted
    return targets


def _wrong_side(name: str, present: int, wanted: int, *, lifts: bool) -> str:
    if lifts:
        return (
            f"{name}: has {present:,} training samples already, target {wanted:,}; give it a "
            f"larger number (--target {name}={present + 1} or more), or leave it out"
        )
    return (
        f"{name}: has {present:,} training samples only, target {wanted:,}; give it a smaller "
        f"number (--target {name}={present} or less), or lift it with --method augment"
    )


def named_targets(class_names: tuple[str, ...], settings: BalanceSettings) -> dict[str, int | None]:
    """The settings' targets under the classes' own names.

    Raises:
        UnknownNameError: a class is unknown.
        SettingsError: two targets are one class.
    """
    asked_as: dict[str, str] = {}
    for asked in settings.targets:
        name = find_class_name(asked, class_names)
        if name in asked_as:
            raise SettingsError(
                f'targets "{asked_as[name]}" and "{asked}" are one class, {name}; name it once'
            )
        asked_as[name] = asked
    return {name: settings.targets[asked] for name, asked in asked_as.items()}
