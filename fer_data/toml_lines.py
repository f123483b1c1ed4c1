"""The line of a key in a TOML text, which `tomllib` does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import TypeAlias

_Path: TypeAlias = tuple[str | int, ...]
_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?!")"{0,2}|\'\'\'.*?\'\'\'(?!\')\'{0,2}'
    r'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'',
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}#\n]+")  # numbers, booleans and times
_KEY = re.compile(r'[ \t]*("(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+)[ \t]*')


def line_of(text: str, path: Sequence[str | int]) -> int:
    r"""The line, from 1, on which a key, a table or an element of an array begins.

    Args:
        text: TOML that `tomllib` reads.
        path: keys, and numbers of elements; of what the text does not have, the nearest that
            it has around it counts.

    Example:
        >>> line_of('[balance]\nto = "max"', ("balance", "to"))
        2
        >>> line_of('[[operation]]\n[[operation]]\nname = "flip"', ("operation", 1, "name"))
        3
    """
    places = _Scanner(text).places
    for length in range(len(path), 0, -1):
        if (place := places.get(tuple(path[:length]))) is not None:
            return text.count("\n", 0, place) + 1
    return 1


class _Scanner:
    """Where everything begins in a text: path → number of characters before it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.places: dict[_Path, int] = {}
        self._at = 0
        self._tables: dict[_Path, int] = {}  # array of tables → number of its last table
        self._skip()
        table: _Path = ()
        while self._at < len(text):
            if text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _skip(self) -> None:
        self._at = self._after(_BLANK)

    def _after(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self._at)
        return match.end() if match is not None else len(self.text)  # no TOML: stop

    def _header(self) -> _Path:
        """Reads `[a.b]` or `[[a.b]]`: the path of the table that begins."""
        start = self._at
        is_array = self.text.startswith("[[", start)
        self._at += 1 + is_array
        path: _Path = ()
        keys = self._keys()
        for number, key in enumerate(keys):
            path += (key,)
            self.places.setdefault(path, start)
            if is_array and number == len(keys) - 1:
                self._tables[path] = self._tables.get(path, -1) + 1
            if path in self._tables:
                path += (self._tables[path],)
                self.places.setdefault(path, start)
        self._at += 1 + is_array
        return path

    def _pair(self, table: _Path) -> None:
        """Reads `a.b = value`."""
        start = self._at
        for key in self._keys():
            table += (key,)
            self.places.setdefault(table, start)
        self._at += 1  # =
        self._value(table)

    def _keys(self) -> list[str]:
        keys = []
        while (match := _KEY.match(self.text, self._at)) is not None:
            key = match[1]
            keys.append(tomllib.loads(f"key = {key}")["key"] if key[0] in "\"'" else key)
            self._at = match.end()
            if not self.text.startswith(".", self._at):
                break
            self._at += 1
        return keys

    def _value(self, path: _Path) -> None:
        self._skip()
        match self.text[self._at : self._at + 1]:
            case "[":
                self._members(path, "]")
            case "{":
                self._members(path, "}")
            case '"' | "'":
                self._at = self._after(_STRING)
            case _:
                self._at = self._after(_BARE)

    def _members(self, path: _Path, end: str) -> None:
        """Reads an array or an inline table."""
        self._at += 1
        self._skip()
        number = 0
        while self._at < len(self.text) and self.text[self._at] != end:
            if end == "]":
                self.places[(*path, number)] = self._at
                self._value((*path, number))
            else:
                self._pair(path)
            number += 1
            self._skip()
            self._at += self.text.startswith(",", self._at)
            self._skip()
        self._at += 1
