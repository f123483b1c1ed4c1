"""How the files of a source get their labels."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from fer_data.emotions import canonical_emotion
from fer_data.layouts import RESERVED_GROUPS, FileLayout
from fer_data.manifest import Manifest
from fer_data.sources.raw import Facts, Rejection


class Labeler(Protocol):
    """Knows the facts of the files of a source; picklable."""

    def facts(self, path: str) -> tuple[Facts | Rejection, ...]:
        """What is true of each sample in this file, mostly one, or why it is none."""

    def part(self, paths: Sequence[str]) -> Labeler:
        """The same, for these paths only: no larger than a block needs."""

    @property
    def num_extra(self) -> int:
        """Samples beyond one a file."""

    @property
    def fingerprint(self) -> str:
        """Changes when the facts do."""


class PathLabeler:
    """Reads the facts from the path itself, as a manifest's layout says.

    Example:
        >>> from fer_data.manifest import load_manifest
        >>> labeler = PathLabeler(load_manifest("folders"), FileLayout())
        >>> (facts,) = labeler.facts("train/Happy/1.png")
        >>> facts.label, facts.split
        ('happiness', 'train')
    """

    num_extra = 0

    def __init__(self, manifest: Manifest, layout: FileLayout) -> None:
        self._manifest = manifest
        self._layout = layout
        self._pattern = None if layout.pattern is None else re.compile(layout.pattern)
        self._class_names: dict[str, str | None] = {}
        self._splits: dict[str, str | None] = {}

    @functools.cached_property
    def fingerprint(self) -> str:
        """Of the manifest and the layout."""
        return repr((self._manifest, self._layout))

    def part(self, paths: Sequence[str]) -> PathLabeler:
        """Itself: it is small."""
        return self

    def facts(self, path: str) -> tuple[Facts | Rejection, ...]:
        """What the path says, or why that is not enough."""
        if self._pattern is None:
            return (self._folder_facts(path),)
        match = self._pattern.fullmatch(path)
        if match is None:
            detail = f"not named as the pictures of {self._manifest.name} are"
            return (Rejection(path=path, reason="no-class", detail=detail),)
        groups = match.groupdict()
        label = self._class_name(groups["label"])
        if label is None:
            return (self._unknown_class(path),)
        split = groups.get("split")
        attributes = {
            name: text
            for name, text in groups.items()
            if text is not None and name not in RESERVED_GROUPS
        }
        split = self._split(split) if split else None
        return (Facts(label=label, split=split, attributes=attributes),)

    def row(self, path: str) -> int | None:
        """The row of the original table that a path names, or None."""
        match = self._pattern.fullmatch(path) if self._pattern else None
        return int(match["row"]) if match and "row" in match.re.groupindex else None

    def _folder_facts(self, path: str) -> Facts | Rejection:
        """The deepest folder that names an emotion is the class; else the one the file is in."""
        folders = path.split("/")[:-1][::-1]
        split = next((s for s in map(self._split, folders) if s), None)
        label = next((folder for folder in folders if canonical_emotion(folder)), None)
        if label is None and folders and self._split(folders[0]) is None:
            label = folders[0]
        name = None if label is None else self._class_name(label)
        if name is not None:
            return Facts(label=name, split=split)
        if self._manifest.classes:
            return self._unknown_class(path)
        return Rejection(path=path, reason="no-class", detail="stands in no class folder")

    def _unknown_class(self, path: str) -> Rejection:
        detail = f"expected one of {', '.join(self._manifest.classes)}"
        return Rejection(path=path, reason="unknown-class", detail=detail)

    def _class_name(self, label: str) -> str | None:
        if label not in self._class_names:
            self._class_names[label] = self._manifest.class_name(label)
        return self._class_names[label]

    def _split(self, word: str) -> str | None:
        if word not in self._splits:
            self._splits[word] = self._manifest.split_name(word)
        return self._splits[word]


class TableLabeler:
    """Facts that are known before any picture is read.

    Args:
        facts: path → what is true of each sample in the file.
        origin: where they come from, for messages.
    """

    def __init__(self, facts: Mapping[str, tuple[Facts | Rejection, ...]], origin: str) -> None:
        self._facts = facts
        self._origin = origin

    @property
    def num_extra(self) -> int:
        """Samples beyond one a file."""
        return sum(len(each) - 1 for each in self._facts.values())

    @property
    def fingerprint(self) -> str:
        """Of all facts."""
        return repr((self._facts, self._origin))

    def part(self, paths: Sequence[str]) -> TableLabeler:
        """The facts of these paths."""
        return TableLabeler({p: self._facts[p] for p in paths if p in self._facts}, self._origin)

    def facts(self, path: str) -> tuple[Facts | Rejection, ...]:
        """What is known of the file."""
        facts = self._facts.get(path)
        if facts is None:
            detail = f"{self._origin} does not name it"
            return (Rejection(path=path, reason="unlabelled", detail=detail),)
        return facts
