"""How the files of a source get their labels."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from fer_data.emotions import canonical_emotion
from fer_data.layouts import RESERVED_GROUPS, FileLayout
from fer_data.manifest import Manifest
from fer_data.sources.raw import Facts, Rejection

_UNUSED = {*RESERVED_GROUPS} - {"label", "split"}


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
    def has_boxes(self) -> bool:
        """Whether any of its facts say where the face is."""

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
    has_boxes = False

    def __init__(self, manifest: Manifest, layout: FileLayout) -> None:
        self._manifest = manifest
        self._layout = layout
        self._pattern = None if layout.pattern is None else re.compile(layout.pattern)
        names = self._pattern.groupindex if self._pattern else ()
        self._groups = tuple(name for name in names if name not in _UNUSED)
        # files of one folder have the same facts: understood once
        self._known: dict[tuple[str | None, ...], Facts | tuple[str, str]] = {}

    @functools.cached_property
    def fingerprint(self) -> str:
        """Of the manifest and the layout."""
        return repr((self._manifest, self._layout))

    def part(self, paths: Sequence[str]) -> PathLabeler:
        """The same: it is small."""
        return PathLabeler(self._manifest, self._layout)

    def facts(self, path: str) -> tuple[Facts | Rejection, ...]:
        """What the path says, or why that is not enough."""
        if self._pattern is None:
            words: tuple[str | None, ...] = tuple(path.split("/")[:-1])
        elif match := self._pattern.fullmatch(path):
            words = tuple([match[name] for name in self._groups])
        else:
            detail = f"not named as the pictures of {self._manifest.name} are"
            return (Rejection(path=path, reason="no-class", detail=detail),)
        known = self._known.get(words)
        if known is None:
            known = self._known[words] = self._understand(words)
        return (known if isinstance(known, Facts) else Rejection(path, *known),)

    def row(self, path: str) -> int | None:
        """The row of the original table that a path names, or None."""
        match = self._pattern.fullmatch(path) if self._pattern else None
        return int(match["row"]) if match and "row" in match.re.groupindex else None

    def _understand(self, words: Sequence[str | None]) -> Facts | tuple[str, str]:
        """Facts from the groups of the pattern, or from the folders; or (reason, detail)."""
        if self._pattern is None:
            return self._folder_facts([word for word in words if word is not None])
        groups = dict(zip(self._groups, words, strict=True))
        label, split = groups.pop("label"), groups.pop("split", None)
        name = self._manifest.class_name(label) if label else None
        if name is None:
            return self._unknown_class()
        return Facts(
            label=name,
            split=self._manifest.split_name(split) if split else None,
            attributes={group: text for group, text in groups.items() if text is not None},
        )

    def _folder_facts(self, folders: Sequence[str]) -> Facts | tuple[str, str]:
        """The deepest folder that names an emotion is the class; else the one the file is in."""
        splits = [self._manifest.split_name(folder) for folder in folders]
        label = next((folder for folder in reversed(folders) if canonical_emotion(folder)), None)
        if label is None and folders and splits[-1] is None:
            label = folders[-1]
        name = None if label is None else self._manifest.class_name(label)
        if name is not None:
            return Facts(label=name, split=next((s for s in reversed(splits) if s), None))
        if self._manifest.classes:
            return self._unknown_class()
        return "no-class", "stands in no class folder"

    def _unknown_class(self) -> tuple[str, str]:
        return "unknown-class", f"expected one of {', '.join(self._manifest.classes)}"


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
    def has_boxes(self) -> bool:
        """Whether any of them say where the face is."""
        known = itertools.chain.from_iterable(self._facts.values())
        return any(isinstance(facts, Facts) and facts.box is not None for facts in known)

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
