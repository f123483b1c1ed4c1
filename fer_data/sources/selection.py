"""Which files and classes of a source are wanted: globs, limits, and the mapping of classes."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fer_data.emotions import EMOTIONS, canonical_class_name, find_class_name, order_class_names
from fer_data.errors import SettingsError, UnknownNameError
from fer_data.sources.labels import Labeler
from fer_data.sources.raw import Facts, Rejection, sample_path

#: As the target of a mapping: samples of the class are not wanted.
DROP = "drop"
_MISSPELT = 0.8  # names as near as this are taken for a slip, others for a new class


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Class name → the class it becomes, or `DROP`; others stay as they are."""

    names: Mapping[str, str] = field(default_factory=dict)

    def apply(self, path: str, facts: Facts | Rejection) -> Facts | Rejection:
        """The facts with the label and the votes of the mapped classes."""
        if isinstance(facts, Rejection) or not self.names:
            return facts
        label = self.names.get(facts.label, facts.label)
        if label == DROP:
            detail = f"{facts.label} is mapped to {DROP}"
            return Rejection(path=path, reason="dropped-class", detail=detail)
        return replace(facts, label=label, votes=self._map_votes(facts.votes))

    def class_names(self, names: Iterable[str]) -> tuple[str, ...]:
        """The classes that these become."""
        mapped = dict.fromkeys(self.names.get(name, name) for name in names)
        return tuple(name for name in mapped if name != DROP)

    def _map_votes(self, votes: Mapping[str, float] | None) -> Mapping[str, float] | None:
        if votes is None:
            return None
        mapped: dict[str, float] = {}
        for name, count in votes.items():
            target = self.names.get(name, name)
            if target != DROP:
                mapped[target] = mapped.get(target, 0.0) + count
        return mapped


def read_class_map(words: Mapping[str, str], class_names: Iterable[str]) -> ClassMap:
    """The mapping in class names, from words as people type them.

    Args:
        words: class name or a synonym → class name, a new name, or `DROP`.
        class_names: those of the source; the emotions are always known, so that one mapping
            serves several sources.

    Raises:
        UnknownNameError: a class is unknown, or a new name is nearly that of a known one.

    Example:
        >>> read_class_map({"Joyful": "positive"}, ["happiness"])
        Traceback (most recent call last):
        fer_data.errors.UnknownNameError: unknown class "Joyful"; expected one of anger, disgust, \
fear, happiness, sadness, surprise, neutral, contempt. Did you mean "happiness"?
        >>> read_class_map({"joy": "positive", "contempt": "drop"}, []).names
        {'happiness': 'positive', 'contempt': 'drop'}
    """
    known = order_class_names([*EMOTIONS, *class_names])
    mapped: dict[str, str] = {}
    for word, target in words.items():
        name = find_class_name(word, known)
        if name in mapped:
            raise SettingsError(f'the mapping names "{name}" twice; expected each class once')
        mapped[name] = DROP if target.strip().lower() == DROP else _target(target, known)
    return ClassMap({name: target for name, target in mapped.items() if name != target})


def _target(word: str, known: Sequence[str]) -> str:
    name = canonical_class_name(word)
    if not name:
        raise SettingsError("a class is mapped to an empty name; expected a class name, or drop")
    if name not in known and difflib.get_close_matches(name, [*known, DROP], 1, _MISSPELT):
        raise UnknownNameError("class", word, [*known, DROP])
    return name


class MappedLabeler:
    """The facts of another labeler, with their classes mapped."""

    def __init__(self, labeler: Labeler, class_map: ClassMap) -> None:
        self._labeler = labeler
        self._class_map = class_map

    @property
    def num_extra(self) -> int:
        """Samples beyond one a file."""
        return self._labeler.num_extra

    @property
    def has_boxes(self) -> bool:
        """Whether the labeler has any."""
        return self._labeler.has_boxes

    @property
    def fingerprint(self) -> str:
        """Of the labeler and the mapping."""
        return repr((self._labeler.fingerprint, sorted(self._class_map.names.items())))

    def part(self, paths: Sequence[str]) -> MappedLabeler:
        """The same, for these paths only."""
        return MappedLabeler(self._labeler.part(paths), self._class_map)

    def facts(self, path: str) -> tuple[Facts | Rejection, ...]:
        """The mapped facts."""
        return tuple(
            self._class_map.apply(sample_path(path, number), facts)
            for number, facts in enumerate(self._labeler.facts(path))
        )


def excluded(
    paths: Iterable[str], include: Sequence[str], exclude: Sequence[str]
) -> dict[str, Rejection]:
    """A rejection for each path that is not asked for.

    Args:
        paths: in the source.
        include: globs, of which a path must match one; empty: all do. `*` goes across folders.
        exclude: globs, of which a path must match none.
    """
    if not include and not exclude:
        return {}
    is_included, is_excluded = _matcher(include), _matcher(exclude)
    rejections = {}
    for path in paths:
        if include and not is_included(path):
            detail = f"not among {', '.join(include)}"
        elif exclude and is_excluded(path):
            detail = f"among {', '.join(exclude)}"
        else:
            continue
        rejections[path] = Rejection(path=path, reason="excluded", detail=detail)
    return rejections


def _matcher(globs: Sequence[str]) -> Callable[[str], object]:
    return re.compile("|".join(map(fnmatch.translate, globs))).match


def over_limit(
    paths: Sequence[str], limit: int, labeler: Labeler | None = None
) -> dict[str, Rejection]:
    """A rejection for each path after the first `limit` that have a label.

    Args:
        paths: in order.
        limit: how many to keep.
        labeler: knows their labels; None: all have one.
    """
    num_kept = end = 0
    while end < len(paths) and num_kept < limit:
        facts = labeler.facts(paths[end]) if labeler is not None else ()
        num_kept += labeler is None or any(isinstance(each, Facts) for each in facts)
        end += 1
    detail = f"after the first {limit:,} files"
    return {p: Rejection(path=p, reason="over-limit", detail=detail) for p in paths[end:]}


def limit_classes(
    facts: Mapping[str, tuple[Facts | Rejection, ...]], max_per_class: int
) -> dict[str, tuple[Facts | Rejection, ...]]:
    """The facts with at most so many samples a class, the others rejected.

    Which ones stay depends on their paths alone, by a hash: on no order, and spread over all
    folders and splits.

    Args:
        facts: path → what is known of each sample in the file.
        max_per_class: samples of a class, over all splits.
    """
    by_class: dict[str, list[tuple[bytes, str, int]]] = {}
    for path, samples in facts.items():
        for number, each in enumerate(samples):
            if isinstance(each, Facts):
                name = sample_path(path, number).encode()
                place = (hashlib.blake2b(name, digest_size=8).digest(), path, number)
                by_class.setdefault(each.label, []).append(place)
    limited = dict(facts)
    for label, places in by_class.items():
        for _, path, number in sorted(places)[max_per_class:]:
            rejection = Rejection(
                path=sample_path(path, number),
                reason="over-limit",
                detail=f"beyond {max_per_class:,} samples of {label}",
            )
            samples = limited[path]
            limited[path] = (*samples[:number], rejection, *samples[number + 1 :])
    return limited
