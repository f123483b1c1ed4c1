"""What may be done to an image to make a changed copy of it: names, probabilities, magnitudes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass

from fer_data.errors import SettingsError, UnknownNameError

# name: least and most of `low`, least and most of `high`
_BOUNDS: dict[str, tuple[float, float, float, float]] = {
    "flip": (0, 0, 0, 0),
    "rotate": (-25, 0, 0, 25),
    "zoom": (0.5, 2, 0.5, 2),
    "brightness": (0.2, 2, 0.2, 2),
    "contrast": (0.2, 2, 0.2, 2),
    "shift": (-0.4, 0, 0, 0.4),
    "shear": (-25, 0, 0, 25),
    "skew": (0, 0, 0.01, 0.4),
    "distort": (0, 0, 0.01, 0.1),
    "erase": (0.1, 0.1, 0.1, 0.9),
}
_WHOLE_DEGREES = frozenset({"rotate", "shear"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of Augmentor, how often it fires and how strongly.

    Attributes:
        name: one of `OPERATIONS`; flip is left to right.
        probability: 0 never, 1 always.
        low: the weakest, or leftmost, it does: degrees for rotate and shear, a factor for zoom,
            brightness and contrast, a share of the picture's side for the others.
        high: the strongest, or rightmost, likewise.
        fill: what rotate does with the corners: "crop" cuts them off and enlarges the rest,
            "nearest" fills them with the nearest pixels. Zoom below 1 and shift always fill.
    """

    name: str
    probability: float = 1.0
    low: float = 0.0
    high: float = 0.0
    fill: str = "crop"

    def __post_init__(self) -> None:
        if self.name not in _BOUNDS:
            raise UnknownNameError("operation", self.name, _BOUNDS)
        if not 0 <= self.probability <= 1:
            raise SettingsError(
                f"{self.name}: probability must be 0 to 1; received {self.probability}"
            )
        least_low, most_low, least_high, most_high = _BOUNDS[self.name]
        for what, value, least, most in (
            ("low", self.low, least_low, most_low),
            ("high", self.high, least_high, most_high),
        ):
            if not least <= value <= most:
                raise SettingsError(
                    f"{self.name}: {what} must be {least:g} to {most:g}; received {value:g}"
                )
            if self.name in _WHOLE_DEGREES and value != int(value):
                raise SettingsError(
                    f"{self.name}: {what} must be whole degrees; received {value:g}"
                )
        if self.low > self.high:
            raise SettingsError(
                f"{self.name}: low must not exceed high; received {self.low:g} and {self.high:g}"
            )
        if self.fill not in ("crop", "nearest") or (self.fill != "crop" and self.name != "rotate"):
            raise SettingsError(
                f'{self.name}: fill must be "crop", or "nearest" for rotate; received "{self.fill}"'
            )


#: Every operation, by name, with the magnitudes of its default.
OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation(name="flip"),
        Operation(name="rotate", low=-10, high=10),
        Operation(name="zoom", low=1.05, high=1.2),
        Operation(name="brightness", low=0.7, high=1.3),
        Operation(name="contrast", low=0.7, high=1.3),
        Operation(name="shift", low=-0.1, high=0.1),
        Operation(name="shear", low=-8, high=8),
        Operation(name="skew", high=0.15),
        Operation(name="distort", high=0.04),
        Operation(name="erase", low=0.1, high=0.3),
    )
}

#: Named lists of operations, applied in order: "course" flips, rotates and zooms in; "generator"
#: does what Keras' `ImageDataGenerator` does at rotation 20, shift .1, zoom .2, flip, nearest.
PRESETS: dict[str, tuple[Operation, ...]] = {
    "course": (
        Operation(name="flip", probability=0.5),
        Operation(name="rotate", probability=0.9, low=-10, high=10),
        Operation(name="zoom", probability=0.9, low=1.0, high=1.2),
    ),
    "generator": (
        Operation(name="rotate", low=-20, high=20, fill="nearest"),
        Operation(name="shift", low=-0.1, high=0.1),
        Operation(name="zoom", low=0.8, high=1.2),
        Operation(name="flip", probability=0.5),
    ),
}


def operations_to_json(operations: Sequence[Operation]) -> str:
    """The text that a table keeps of some operations.

    Example:
        >>> operations_to_json([Operation(name="flip", probability=0.5)])
        '[{"name":"flip","probability":0.5,"low":0.0,"high":0.0,"fill":"crop"}]'
    """
    fields = [dataclasses.asdict(operation) for operation in operations]
    return json.dumps(fields, separators=(",", ":"))


def operations_from_json(text: str) -> tuple[Operation, ...]:
    """The operations that `operations_to_json` made `text` of.

    Raises:
        SettingsError: the text holds no operations.
    """
    try:
        return tuple(Operation(**fields) for fields in json.loads(text))
    except (TypeError, json.JSONDecodeError) as error:
        raise SettingsError(f"not a list of operations ({error}); received {text!r}") from None
