"""What a manifest says of a data set on disk, in words for people."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fer_data.emotions import emotion_synonyms
from fer_data.layouts import (
    RESERVED_GROUPS,
    CsvPixelsLayout,
    FileLayout,
    Layout,
    SequenceLayout,
    SidecarLayout,
    TableLayout,
    VotesLayout,
)
from fer_data.manifest import Manifest

# Groups that say where a picture stands in its sequence or beside which files; no attributes.
_PLACES = (*RESERVED_GROUPS, "id")
_MANY_NAMES = 4


def readable_pattern(pattern: str) -> str:
    r"""A pattern of paths as people write one; itself where it cannot be put more simply.

    Example:
        >>> readable_pattern(r"(?:.*/)?(?P<split>train|test)/(?P<row>\d{7})\.(png|jpg)")
        '{split}/{row}.(png|jpg)'
        >>> readable_pattern("(?P<label>[^/]+)(?<!_crop)/.*")
        '(?P<label>[^/]+)(?<!_crop)/.*'
    """
    text, inner = pattern, r"(?:[^()\[\]\\]|\\.|\[[^\]]*\])*"
    for _ in range(pattern.count("(")):  # from the innermost group outwards
        text = re.sub(rf"\(\?P<base>{inner}\)", "", text)
        text = re.sub(rf"\(\?P<(\w+)>{inner}\)", r"{\1}", text)
        text = re.sub(r"\(\?:\.\*/\)\?", "", text)
        text = re.sub(r"\(\?:(" + inner + r"\|" + inner + r")\)", r"<\1>", text)
    text = re.sub(r"<([^<>]*)>", r"(\1)", text) if "(?" not in text else text
    text = re.sub(r"\\d(?:\{\d+\}|[+*])?", "N", text)
    text = re.sub(r"\[\^/\][+*]|(?<!\\)\.[*+]", "*", text)
    text = re.sub(r"\\([.\-_ ])", r"\1", text)
    text = re.sub(r"(\w)\?", r"[\1]", text)
    return pattern if re.search(r"\(\?|\\|\[\^|[+$]", text) else text


def layout_words(layout: Layout) -> str:
    """One line on a form that a data set is handed around in."""
    match layout:
        case CsvPixelsLayout():
            text = (
                f"a CSV file of one picture a row: {layout.label} (label), "
                f"{layout.pixels} ({layout.height}x{layout.width}), {layout.split} (split)"
            )
        case FileLayout(pattern=None):
            text = "folders named after classes, at any depth, in folders of splits or not"
        case FileLayout():
            text = f"pictures {readable_pattern(layout.pattern or '')}"
        case VotesLayout():
            text = (
                f"the pictures of {layout.joins} with a table of votes for each row, named with "
                f"--votes FILE: {_columns_of_votes(layout)}, {layout.split} (split)"
            )
        case SequenceLayout():
            text = (
                f"sequences {readable_pattern(layout.frames)}, labels in "
                f"{readable_pattern(layout.labels)}; first frames ({layout.num_neutral}) "
                f"{layout.neutral}, last frames ({layout.num_peak}) as labelled"
            )
        case SidecarLayout():
            label = layout.label.replace("{base}", "")
            text = f"pictures {readable_pattern(layout.pattern)}, the label of each in {label}"
        case TableLayout():
            text = _table_words(layout)
    return text


def attribute_names(layout: Layout) -> list[str]:
    """What is kept of a sample beside its label and split."""
    match layout:
        case FileLayout():
            return _groups(layout.pattern)
        case SequenceLayout():
            return [name for name in _groups(layout.frames) if name != "frame"]
        case SidecarLayout():
            return [*_groups(layout.pattern), *layout.attributes]
        case VotesLayout():
            return ["votes_unknown", "votes_nf", f"{layout.joins}_label"]
        case TableLayout():
            return [
                *_groups(layout.path_pattern),
                *layout.attributes,
                *(["votes_unknown", "votes_nf"] if layout.votes else []),
                *(["folder_label"] if layout.folder_label else []),
                *(["every other column"] if layout.other_columns else []),
            ]
        case CsvPixelsLayout():
            return []


def class_words(manifest: Manifest, name: str) -> list[str]:
    """Other words for a class: this data set's own, then those known everywhere."""
    own = [word for word, meant in manifest.synonyms.items() if meant == name]
    return list(dict.fromkeys([*own, *emotion_synonyms(name)]))


def _table_words(layout: TableLayout) -> str:
    said = [f"{_any_of(layout.path)} (path)"]
    said += [f"{_any_of(layout.label)} (label)"] if layout.label else [_columns_of_votes(layout)]
    said += [f"{_any_of(layout.split)} (split)"] if layout.split else []
    text = f"a table {readable_pattern(layout.file)} beside the pictures: {', '.join(said)}"
    if layout.pictures != ("{path}",):
        text += f"; pictures at {' or '.join(layout.pictures)}"
    if layout.box or layout.box_size:
        text += f"; cut to the box {', '.join(layout.box or layout.box_size)}"
    return text + ("; one row a face" if layout.several else "")


def _columns_of_votes(layout: TableLayout | VotesLayout) -> str:
    return f"votes for {', '.join(layout.votes)}, {layout.unknown} and {layout.no_face}"


def _any_of(names: Sequence[str]) -> str:
    shown = [*names[:_MANY_NAMES], *(["…"] if len(names) > _MANY_NAMES else [])]
    return " or ".join(shown)


def _groups(pattern: str | None) -> list[str]:
    return [name for name in re.compile(pattern or "").groupindex if name not in _PLACES]
