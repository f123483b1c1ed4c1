"""What people type for shares, thresholds, mappings, targets and ratios."""

from __future__ import annotations

from typing import Any

import click


class Percent(click.ParamType[Any]):
    """A share, typed as "5%" or "0.05"."""

    name = "percent"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The share as a number from 0 to 1."""
        if isinstance(value, float):
            return value
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is not a share; expected for example 5% or 0.05", param, ctx)
        return share


class Threshold(click.ParamType[Any]):
    """A score and its threshold, typed as "entropy=4.5", or as the share "sharpness=1%"."""

    name = "score=value"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float, bool]:
        """The score's name, the threshold, and whether that is a share of the samples."""
        if isinstance(value, tuple):
            return value
        name, _, text = str(value).partition("=")
        is_share = text.endswith("%")
        try:
            number = float(text.removesuffix("%"))
        except ValueError:
            self.fail(
                f"{value!r}; expected a score and a number, as in entropy=4.5 or sharpness=1%",
                param,
                ctx,
            )
        return name, number / 100 if is_share else number, is_share


class ClassMapping(click.ParamType[Any]):
    """A class and what becomes of it, typed as "contempt=drop" or "joy=happiness"."""

    name = "class=class"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Both names."""
        if isinstance(value, tuple):
            return value
        name, equals, target = str(value).partition("=")
        if not (name and equals and target):
            self.fail(f"{value!r}; expected for example contempt=drop", param, ctx)
        return name, target


class Target(click.ParamType[Any]):
    """A class to balance, typed as "disgust" or "disgust=4000"."""

    name = "class[=n]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int | None]:
        """The class's name, and the number of samples it shall have."""
        if isinstance(value, tuple):
            return value
        name, equals, number = str(value).partition("=")
        if equals and not number.strip().isdecimal():
            self.fail(f"{value!r}; expected a class and a number, as in disgust=4000", param, ctx)
        return name, int(number) if equals else None


class Level(click.ParamType[Any]):
    """The size to bring every class to: "min", "median", "max" or a number."""

    name = "min|median|max|n"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int:
        """The word or the number."""
        text = str(value)
        if text in ("min", "median", "max"):
            return text
        if not text.isdecimal():
            self.fail(f"{text!r}; expected min, median, max or a number", param, ctx)
        return int(text)


class Ratios(click.ParamType[Any]):
    """Shares of train, validation and test, typed as "80/10/10"."""

    name = "ratios"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float]:
        """The three shares."""
        if isinstance(value, tuple):
            return value
        try:
            train, validation, test = map(float, str(value).split("/"))
        except ValueError:
            self.fail(f"{value!r}; expected three numbers, for example 80/10/10", param, ctx)
        return (train, validation, test)
