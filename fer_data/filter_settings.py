"""What a filter is asked: thresholds of scores, what to do with twins, and single decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.scores import SCORES

#: What the commonest reasons are called; every other is its side and score, as in "low-entropy".
_REASONS = {("flat_share", "above"): "blank", ("relfcs", "above"): "low-detail"}
_CHOICES = {
    "conflicts": ("drop", "majority", "keep"),
    "leaks": ("drop-train", "keep"),
    "duplicates": ("keep-one", "keep-all"),
    "twins": ("exact", "near"),
    "official": ("flag", "drop"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """Drops the samples whose score lies beyond a threshold.

    Attributes:
        score: one of `SCORES`.
        side: "above" or "below" the threshold; a sample at the threshold stays.
        threshold: of the score; with `is_quantile` the share of all samples beyond it, 0 to 1.
        is_quantile: whether the threshold is found from the scores.
    """

    score: str
    side: str
    threshold: float
    is_quantile: bool = False

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise UnknownNameError("score", self.score, list(SCORES))
        if self.side not in ("above", "below"):
            raise SettingsError(f'side must be above or below; received "{self.side}"')
        score = SCORES[self.score]
        low, high = (0.0, 1.0) if self.is_quantile else (score.lowest, score.highest)
        if not low <= self.threshold <= high:
            share = " as a share" if self.is_quantile else ""
            raise SettingsError(
                f"the threshold of {self.score}{share} must be {low:g} to {high:g}; "
                f"received {self.threshold:g}"
            )

    @property
    def reason(self) -> str:
        """Why a sample is dropped, as in "blank", "low-detail" and "low-entropy"."""
        word = "high" if self.side == "above" else "low"
        return _REASONS.get((self.score, self.side), f"{word}-{self.score}")

    def __str__(self) -> str:
        """As people say it: "entropy below 4.5"."""
        if self.is_quantile:
            word = "highest" if self.side == "above" else "lowest"
            return f"{self.score} among the {word} {self.threshold:.3g}"
        return f"{self.score} {self.side} {self.threshold:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSettings:
    """What to drop; the defaults drop nothing.

    Attributes:
        rules: of the scores, in order: a sample is dropped for the first that it breaks.
        conflicts: of twins that carry different labels "drop" all, keep the "majority"'s, or
            "keep" all.
        leaks: "drop-train": of twins in several official splits those in train; or "keep".
        duplicates: "keep-one" of twins in one split, or "keep-all".
        twins: pictures that are "exact" copies, or "near" ones and mirrored ones too.
        official: "flag" samples of official validation and test splits, so that results stay
            comparable, or "drop" them as all others.
        keep: keys or paths of samples that stay whatever else is said.
        drop: of samples that go, official ones too.
        relabel: key or path → the class that the sample shows.
        max_loss: largest share of its samples that a class may lose, 0 to 1.
    """

    rules: tuple[Rule, ...] = ()
    conflicts: str = "keep"
    leaks: str = "keep"
    duplicates: str = "keep-all"
    twins: str = "exact"
    official: str = "flag"
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    relabel: Mapping[str, str] = field(default_factory=dict)
    max_loss: float = 0.20

    def __post_init__(self) -> None:
        if not 0 <= self.max_loss <= 1 or math.isnan(self.max_loss):
            raise SettingsError(f"max_loss must be a share from 0 to 1; received {self.max_loss}")
        for name, values in _CHOICES.items():
            if getattr(self, name) not in values:
                raise SettingsError(
                    f'{name} must be one of {", ".join(values)}; received "{getattr(self, name)}"'
                )
        both = sorted(set(self.keep) & set(self.drop))
        if both:
            raise SettingsError(f'"{both[0]}" is to be kept and to be dropped; say one of them')

    @property
    def needs_faces(self) -> bool:
        """Whether a rule needs a score that is only measured when it is asked for."""
        return any(SCORES[rule.score].needs_detector for rule in self.rules)

    @property
    def judges_twins(self) -> bool:
        """Whether anything is to be done with twins."""
        return (self.conflicts, self.leaks, self.duplicates) != ("keep", "keep", "keep-all")

    @property
    def changes_nothing(self) -> bool:
        """Whether every sample stays as it is, whatever is found."""
        return not (self.judges_twins or self.rules or self.drop or self.relabel)

    def to_json(self) -> dict[str, Any]:
        """JSON values that `from_json` takes."""
        return {**asdict(self), "keep": list(self.keep), "drop": list(self.drop),
                "rules": [asdict(rule) for rule in self.rules]}  # fmt: skip

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FilterSettings:
        """The settings that `to_json` wrote."""
        known = {each.name for each in fields(cls)}
        rules = tuple(Rule(**rule) for rule in values["rules"])
        plain = {name: value for name, value in values.items() if name in known}
        lists = {name: tuple(values[name]) for name in ("keep", "drop")}
        return cls(**{**plain, **lists, "rules": rules})


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Settings that have proved themselves on a data set.

    Attributes:
        description: what they drop, and how they were chosen.
        settings: those.
    """

    description: str
    settings: FilterSettings


#: Share of one grey level beyond which a picture is blank (docs/decisions/0003).
BLANK = Rule("flat_share", "above", 0.50)
#: First-component share beyond which a picture shows next to nothing. Colour: as published for the
#: 96x96 AffectNet subset. Grey: the strictest value that spares real faces of FER2013.
LOW_DETAIL = MappingProxyType(
    {"gray": Rule("relfcs", "above", 0.80), "rgb": Rule("relfcs", "above", 0.90)}
)


def default_filter(color: str) -> FilterSettings:
    """The strict filter for grey ("gray") or colour ("rgb") pictures: all of it, carefully."""
    return FilterSettings(
        rules=(BLANK, LOW_DETAIL[color]),
        conflicts="drop",
        leaks="drop-train",
        duplicates="keep-one",
    )


_NO_FACES = (
    Rule("flat_share", "above", 0.45),
    Rule("effective_rank", "below", 2.8),
    Rule("edge_share", "below", 0.40),
)
_TWINS = FilterSettings(conflicts="drop", leaks="drop-train", duplicates="keep-one")
#: By name, for `ferdata filter --preset`.
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "fer2013": Preset(
            description="pictures that are no faces, as FER+'s people judged, and twins: of those "
            "that it takes 94% are none, and it takes 41% of them",
            settings=replace(_TWINS, rules=_NO_FACES),
        ),
        "fer2013-faces": Preset(
            description="the same with the face score, which finds more and takes minutes",
            settings=replace(_TWINS, rules=(*_NO_FACES, Rule("face_score", "below", 0.02))),
        ),
        "affectnet": Preset(
            description="the published relFCs threshold of .90 for colour pictures, and twins",
            settings=default_filter("rgb"),
        ),
    }
)


def find_preset(name: str) -> FilterSettings:
    """The settings of a preset.

    Raises:
        UnknownNameError: there is no such preset.
    """
    if name not in PRESETS:
        raise UnknownNameError("preset", name, list(PRESETS))
    return PRESETS[name].settings
