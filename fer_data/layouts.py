"""Layouts: the forms a data set is handed around in, as its manifest declares them."""

from __future__ import annotations

import dataclasses
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fer_data.errors import ManifestError

#: Group names of a pattern that are no attributes of a sample.
RESERVED_GROUPS = ("label", "split", "row", "base")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """Where the path of a file says its class and split.

    Attributes:
        pattern: regular expression for the whole path, with the groups `label` and, where a
            path says it, `split`; a group `row` is the row of the original table; other named
            groups are attributes. None: class folders.
    """

    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvPixelsLayout:
    """A CSV file of one picture a row; names of its columns and the size of the pictures."""

    label: str
    pixels: str
    split: str
    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLayout:
    """Where label files beside the pictures say what each picture shows.

    Attributes:
        file: pattern of the label files' paths, below any folders; a group `split` is the split
            of all their rows.
        path: names that the column of paths may have.
        label: names that the column of labels may have; none where there are `votes`.
        split: names that the column of splits may have; optional.
        columns: names of the columns, where the file has no header line.
        delimiter: between two cells; " " is any white space.
        pictures: where the picture of a row stands, the best form first; filled with {path},
            {stem} and {suffix} of the row's path, below the label file's folder or its base.
        anywhere: whether a picture may stand deeper, where only one path ends as the row says.
        path_pattern: of the row's path, with groups `split` and attributes.
        attributes: attribute → column.
        other_columns: whether all other columns are attributes, by their own names.
        box: columns of left, top, right and bottom of the face, in pixels.
        box_size: columns of left, top, width and height of the face, in pixels.
        several: whether one picture may have several rows: one a face.
        repeated: what counts where a picture has several rows and should have one: "reject" it
            where they differ, or the "last".
        folder_label: whether the folder of a picture names a class too; the label file counts.
        votes: columns of votes, each named after a class.
        unknown: column of votes for "cannot be told".
        no_face: column of votes for "not a face".
    """

    file: str
    path: Sequence[str]
    label: Sequence[str] = ()
    split: Sequence[str] = ()
    columns: Sequence[str] = ()
    delimiter: str = ","
    pictures: Sequence[str] = ("{path}",)
    anywhere: bool = False
    path_pattern: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    other_columns: bool = False
    box: Sequence[str] = ()
    box_size: Sequence[str] = ()
    several: bool = False
    repeated: str = "reject"
    folder_label: bool = False
    votes: Sequence[str] = ()
    unknown: str = "unknown"
    no_face: str = "NF"


@dataclass(frozen=True, slots=True, kw_only=True)
class VotesLayout:
    """A CSV file of votes, one row for each row of another data set, in the same order.

    Attributes:
        joins: manifest of the data set that has the pictures.
        split: column of the split, which must agree with that of the picture.
        path: column of the picture's name; blank where the picture was taken out.
        votes: columns of votes, each named after a class.
        unknown: column of votes for "cannot be told".
        no_face: column of votes for "not a face".
    """

    joins: str
    split: str
    path: str
    votes: Sequence[str]
    unknown: str = "unknown"
    no_face: str = "NF"


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceLayout:
    """Pictures in sequences that lead from a neutral face to the peak of an emotion.

    Attributes:
        frames: pattern of the pictures' paths, with the groups `sequence` and `frame`; other
            named groups are attributes.
        labels: pattern of the label files' paths, with the group `sequence`; each holds the code
            of the emotion at the peak.
        num_neutral: frames from the first on that are neutral.
        num_peak: frames to the last that show the emotion.
        neutral: class name of the first frames.
    """

    frames: str
    labels: str
    num_neutral: int = 1
    num_peak: int = 3
    neutral: str = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarLayout:
    """Pictures that each have a NumPy file with their label beside them.

    Attributes:
        pattern: of the pictures' paths, with the groups that the templates name.
        label: path of the label file, filled with the groups of the pattern.
        attributes: attribute → path of its file, filled likewise.
    """

    pattern: str
    label: str
    attributes: Mapping[str, str] = field(default_factory=dict)


Layout = FileLayout | CsvPixelsLayout | TableLayout | VotesLayout | SequenceLayout | SidecarLayout
_KINDS: Mapping[str, type[Any]] = {
    "files": FileLayout,
    "csv-pixels": CsvPixelsLayout,
    "table": TableLayout,
    "row-votes": VotesLayout,
    "sequences": SequenceLayout,
    "sidecars": SidecarLayout,
}
#: Field → groups its pattern must have.
_PATTERNS: Mapping[tuple[str, str], Sequence[str]] = {
    ("files", "pattern"): ("label",),
    ("table", "file"): (),
    ("table", "path_pattern"): (),
    ("sequences", "frames"): ("sequence", "frame"),
    ("sequences", "labels"): ("sequence",),
    ("sidecars", "pattern"): (),
}


def _is_words(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)


def _is_table(value: object, *, of: Callable[[object], bool]) -> bool:
    return isinstance(value, dict) and all(of(each) for each in value.values())


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


#: Annotation → what it is called, and whether a TOML value is one.
_TYPES: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "str": ("a text", _is_text),
    "str | None": ("a text", _is_text),
    "int": ("a whole number", _is_count),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "Sequence[str]": ("a list of texts", _is_words),
    "Mapping[str, str]": ("a table of texts", lambda v: _is_table(v, of=_is_text)),
    "Mapping[str, int]": ("a table of counts", lambda v: _is_table(v, of=_is_count)),
    "Mapping[str, Sequence[str]]": ("a table of lists", lambda v: _is_table(v, of=_is_words)),
    "Mapping[str, Mapping[str, int]]": (
        "a table of counts a split",
        lambda v: _is_table(v, of=lambda each: _is_table(each, of=_is_count)),
    ),
}


def checked_fields(kind: type[Any], fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields as the class takes them: a word where it takes several becomes a list of one.

    Args:
        kind: a dataclass.
        fields: as TOML has them.
        where: file, and the place in it, for messages.

    Raises:
        ManifestError: a field is unknown, missing, or of another type.
    """
    known = {each.name: each for each in dataclasses.fields(kind)}
    checked = dict(fields)
    for name, value in fields.items():
        if name not in known:
            raise ManifestError(
                f'{where}: unknown field "{name}"; expected one of {", ".join(known)}'
            )
        annotation = str(known[name].type)
        if annotation == "Sequence[str]" and isinstance(value, str):
            checked[name] = (value,)
        elif annotation == "Sequence[str]" and _is_words(value):
            checked[name] = tuple(value)
        elif annotation in _TYPES and not _TYPES[annotation][1](value):
            raise ManifestError(
                f"{where}: {name} must be {_TYPES[annotation][0]}; received {value!r}"
            )
    for name, each in known.items():
        required = each.default is each.default_factory is dataclasses.MISSING
        if required and name not in fields:
            raise ManifestError(f'{where}: has no field "{name}", which it needs')
    return checked


def layout_from_toml(fields: Mapping[str, Any], where: str) -> Layout:
    """One layout of a manifest.

    Raises:
        ManifestError: it is wrong.
    """
    fields = dict(fields)
    kind = fields.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ManifestError(f'{where}: layout kind is "{kind}"; expected one of {sorted(_KINDS)}')
    where = f"{where}: layout {kind}"
    layout: Layout = _KINDS[kind](**checked_fields(_KINDS[kind], fields, where))
    for (of_kind, name), groups in _PATTERNS.items():
        pattern = getattr(layout, name) if kind == of_kind else None
        if pattern is not None:
            _check_pattern(pattern, groups, where)
    if isinstance(layout, TableLayout):
        _check_table(layout, where)
    if isinstance(layout, SidecarLayout):
        names = list(re.compile(layout.pattern).groupindex)
        for template in (layout.label, *layout.attributes.values()):
            _check_template(template, names, where)
    return layout


def _check_pattern(pattern: str, groups: Sequence[str], where: str) -> None:
    try:
        found = re.compile(pattern).groupindex
    except re.error as error:
        raise ManifestError(f"{where}: pattern {pattern!r}: {error}") from None
    for group in groups:
        if group not in found:
            raise ManifestError(f"{where}: pattern {pattern!r} has no group named {group}")


def _check_table(layout: TableLayout, where: str) -> None:
    if bool(layout.label) == bool(layout.votes):
        raise ManifestError(f"{where}: needs either label or votes")
    for name, columns in (("box", layout.box), ("box_size", layout.box_size)):
        if len(columns) not in (0, 4):
            raise ManifestError(f"{where}: {name} must name 4 columns; received {columns}")
    if layout.repeated not in ("reject", "last"):
        raise ManifestError(f'{where}: repeated is "{layout.repeated}"; expected reject or last')
    for template in layout.pictures:
        _check_template(template, ("path", "stem", "suffix"), where)


def _check_template(template: str, names: Sequence[str], where: str) -> None:
    try:
        is_plain = all(
            name is None or (name in names and not spec and conversion is None)
            for _, name, spec, conversion in string.Formatter().parse(template)
        )
    except ValueError:  # braces that do not close
        is_plain = False
    if not is_plain:
        expected = " ".join(f"{{{name}}}" for name in names)
        raise ManifestError(f"{where}: {template!r} cannot be filled; expected some of {expected}")
