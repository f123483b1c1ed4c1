"""How the files of a source get their labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from fer_data.emotions import canonical_emotion
from fer_data.manifest import FileLayout, Manifest
from fer_data.sources.raw import Facts, Rejection


class Labeler(Protocol):
    """Knows the facts of the files of a source; picklable."""

    def facts(self, path: str) -> Facts | Rejection:
        """What is true of the sample in this file, or why it is none."""

    def part(self, paths: Sequence[str]) -> Labeler:
        """The same, for these paths only: no larger than a block needs."""

    @property
    def fingerprint(self) -> str:
        """Changes when the facts do."""


class PathLabeler:
    """Reads the facts from the path itself, as a manifest's layout says.

    Example:
        >>> from fer_data.manifest import load_manifest
        >>> facts = PathLabeler(load_manifest("folders"), FileLayout()).facts("train/Happy/1.png")
        >>> facts.label, facts.split
        ('happiness', 'train')
    """

    def __init__(self, manifest: Manifest, layout: FileLayout) -> None:
        self._manifest = manifest
        self._layout = layout
        self._pattern = None if layout.pattern is None else re.compile(layout.pattern)
        self._class_names: dict[str, str | None] = {}
        self._splits: dict[str, str | None] = {}

    @property
    def fingerprint(self) -> str:
        """Of the manifest and the layout."""
        return repr((self._manifest, self._layout))

    def part(self, paths: Sequence[str]) -> PathLabeler:
        """Itself: it is small."""
        return self

    def facts(self, path: str) -> Facts | Rejection:
        """What the path says, or why that is not enough."""
        label, split, attributes = (
            self._folder_facts(path) if self._pattern is None else self._match_facts(path)
        )
        if label is not None:
            return Facts(label=label, split=split, attributes=attributes)
        if self._manifest.classes:
            detail = f"expected one of {', '.join(self._manifest.classes)}"
            return Rejection(path=path, reason="unknown-class", detail=detail)
        return Rejection(path=path, reason="no-class", detail="stands in no class folder")

    def _match_facts(self, path: str) -> tuple[str | None, str | None, Mapping[str, str]]:
        assert self._pattern is not None
        match = self._pattern.fullmatch(path)
        if match is None:
            return None, None, {}
        groups = {name: text for name, text in match.groupdict().items() if text is not None}
        label, split = groups.pop("label"), groups.pop("split", None)
        return self._class_name(label), self._split(split) if split else None, groups

    def _folder_facts(self, path: str) -> tuple[str | None, str | None, Mapping[str, str]]:
        """The deepest folder that names an emotion is the class; else the one the file is in."""
        folders = path.split("/")[:-1][::-1]
        split = next((s for s in map(self._split, folders) if s), None)
        emotion = next((folder for folder in folders if canonical_emotion(folder)), None)
        if emotion is not None:
            return self._class_name(emotion), split, {}
        if folders and self._split(folders[0]) is None:
            return self._class_name(folders[0]), split, {}
        return None, split, {}

    def _class_name(self, label: str) -> str | None:
        if label not in self._class_names:
            self._class_names[label] = self._manifest.class_name(label)
        return self._class_names[label]

    def _split(self, word: str) -> str | None:
        if word not in self._splits:
            self._splits[word] = self._manifest.split_name(word)
        return self._splits[word]
