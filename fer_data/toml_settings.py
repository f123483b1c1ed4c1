"""Settings out of a TOML file: every key and type is checked, every error names its line."""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fer_data.errors import MissingPluginError, SettingsError
from fer_data.toml_lines import line_of

Settings = TypeVar("Settings")
_PLAIN = {str: "a text", int: "a whole number", float: "a number", bool: "true or false",
          Path: "a path"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlTable:
    """A table of a TOML file, and where it stands.

    Attributes:
        file: the TOML file.
        text: all of it.
        path: keys and numbers of elements that lead to the table.
        values: what it holds.
    """

    file: Path
    text: str
    path: tuple[str | int, ...]
    values: Mapping[str, Any]

    def error(self, keys: Sequence[str | int], message: str) -> SettingsError:
        """An error at a place below the table."""
        line = line_of(self.text, (*self.path, *keys))
        return SettingsError(f"{self.file}, line {line}: {message}")

    def table(self, key: str) -> TomlTable | None:
        """The table under a key, or None."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error([key], f"{key} must be a table, [{key}]; received {_show(value)}")
        return dataclasses.replace(self, path=(*self.path, key), values=value)

    def tables(self, key: str) -> list[TomlTable]:
        """The tables of an array under a key; none where it is absent."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.error([key], f"{key} must be tables, [[{key}]]; received {_show(value)}")
        return [
            dataclasses.replace(self, path=(*self.path, key, number), values=each)
            for number, each in enumerate(value)
        ]

    def without(self, *keys: str) -> TomlTable:
        """The table without some keys."""
        rest = {key: value for key, value in self.values.items() if key not in keys}
        return dataclasses.replace(self, values=rest)

    def check_keys(self, known: Sequence[str]) -> None:
        """Refuses keys that mean nothing.

        Raises:
            SettingsError: there is one.
        """
        for key in self.values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f' Did you mean "{near[0]}"?' if near else ""
                raise self.error(
                    [key], f'unknown key "{key}"; expected one of {", ".join(known)}.{hint}'
                )

    def get(self, key: str, hint: Any, default: Any) -> Any:
        """The value under a key, of a type; the default where it is absent."""
        return self._value([key], self.values[key], hint) if key in self.values else default

    def read(self, settings: type[Settings]) -> Settings:
        """The settings that the table holds; what it leaves out is as by default.

        Args:
            settings: a dataclass; its fields are the keys.

        Raises:
            SettingsError: a key is unknown, missing or of a wrong type, or a value is wrong.
        """
        return typing.cast("Settings", self._settings([], self.values, settings))

    def _settings(self, keys: list[str | int], values: Mapping[str, Any], settings: Any) -> Any:
        hints = typing.get_type_hints(settings)
        here = dataclasses.replace(self, path=(*self.path, *keys), values=values)
        here.check_keys([field.name for field in dataclasses.fields(settings)])
        for field in dataclasses.fields(settings):
            no_default = field.default is field.default_factory is dataclasses.MISSING
            if no_default and field.name not in values:
                raise self.error(
                    keys, f"{field.name} is missing; expected {_name(hints[field.name])}"
                )
        given = {key: here._value([key], value, hints[key]) for key, value in values.items()}
        try:
            return settings(**given)
        except (SettingsError, MissingPluginError) as error:
            named = next((key for key in given if re.search(rf"\b{key}\b", str(error))), None)
            raise here.error([named] if named else [], str(error)) from None

    def _value(self, keys: list[str | int], value: Any, hint: Any) -> Any:
        """A value as its type hint wants it."""
        origin, parts = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            fitting = [part for part in parts if _may_be(value, part)]
            hint = fitting[0] if fitting else hint
            origin, parts = typing.get_origin(hint), typing.get_args(hint)
        if not _may_be(value, hint):
            raise self.error(keys, f"{keys[-1]} must be {_name(hint)}; received {_show(value)}")
        if dataclasses.is_dataclass(hint):
            return self._settings(keys, value, hint)
        if origin is tuple:
            kinds = [parts[0]] * len(value) if parts[-1] is Ellipsis else parts
            pairs = enumerate(zip(value, kinds, strict=True))
            return tuple(self._value([*keys, n], each, kind) for n, (each, kind) in pairs)
        if origin is not None:
            return {key: self._value([*keys, key], each, parts[1]) for key, each in value.items()}
        return Path(value) if hint is Path else value


def read_toml(path: Path) -> TomlTable:
    """A TOML file.

    Raises:
        SettingsError: there is none, or it is no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return TomlTable(file=path, text=text, path=(), values=tomllib.loads(text))
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); expected a TOML file"
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: not TOML ({error})") from None


def _may_be(value: Any, hint: Any) -> bool:
    """Whether a value has the outer form of a type."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_may_be(value, part) for part in parts)
    if origin is tuple:
        return isinstance(value, list) and (parts[-1] is Ellipsis or len(value) == len(parts))
    if origin is not None or dataclasses.is_dataclass(hint):
        return isinstance(value, dict)
    if hint is float:
        return type(value) in (int, float)
    if value is None:
        return hint is types.NoneType
    return type(value) is (str if hint is Path else hint)


def _name(hint: Any) -> str:
    """A type in words.

    Example:
        >>> _name(tuple[str, ...]), _name(int | str | None)
        ('a list, each a text', 'a whole number or a text')
    """
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_name(part) for part in parts if part is not types.NoneType)
    if origin is tuple and parts[-1] is Ellipsis:
        return f"a list, each {_name(parts[0])}"
    if origin is tuple:
        return f"a list of {len(parts)}, each {_name(parts[0])}"
    if origin is not None or dataclasses.is_dataclass(hint):
        return "a table"
    return _PLAIN.get(hint, str(hint))


def _show(value: Any) -> str:
    """A value as it stands in a TOML file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
