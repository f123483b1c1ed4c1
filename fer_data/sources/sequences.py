"""Sequences of frames from a neutral face to the peak of an emotion, as in CK+."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fer_data.layouts import RESERVED_GROUPS, SequenceLayout
from fer_data.manifest import Manifest
from fer_data.sources.labels import TableLabeler
from fer_data.sources.listing import Entry
from fer_data.sources.members import Members
from fer_data.sources.raw import Facts, Rejection

_RESERVED = (*RESERVED_GROUPS, "frame")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequences:
    """What is known of the frames of all sequences.

    Attributes:
        labeler: knows every frame.
        num_sequences: of all.
        num_labelled: those whose label can be read.
    """

    labeler: TableLabeler
    num_sequences: int
    num_labelled: int


def read_sequences(
    entries: Sequence[Entry], members: Members, manifest: Manifest, layout: SequenceLayout
) -> Sequences:
    """What the frames show, from their order and the label of their sequence.

    Args:
        entries: all files of the source that may be read, frames and label files.
        members: reads the label files.
        manifest: knows the codes.
        layout: how frames and label files are called.
    """
    is_frame, is_label = re.compile(layout.frames).fullmatch, re.compile(layout.labels).fullmatch
    frames: dict[str, list[tuple[int, re.Match[str]]]] = {}
    labels: dict[str, str | None] = {}
    for entry in entries:
        if match := is_frame(entry.path):
            frames.setdefault(match["sequence"], []).append((int(match["frame"]), match))
        elif match := is_label(entry.path):
            labels[match["sequence"]] = _read_label(entry, members, manifest)
    facts: dict[str, tuple[Facts | Rejection, ...]] = {}
    for sequence, numbered in frames.items():
        ordered = [match for _, match in sorted(numbered, key=lambda pair: pair[0])]
        for place, match in enumerate(ordered):
            path = match.string
            if sequence not in labels:
                detail = f"sequence {sequence} has no label file"
                facts[path] = (_reject(path, "unlabelled-sequence", detail),)
            elif (emotion := labels[sequence]) is None:
                detail = f"the label file of sequence {sequence} holds no known code"
                facts[path] = (_reject(path, "bad-label", detail),)
            else:
                facts[path] = (_frame_facts(match, place, len(ordered), emotion, layout),)
    return Sequences(
        labeler=TableLabeler(facts, "no sequence"),
        num_sequences=len(frames),
        num_labelled=sum(labels.get(sequence) is not None for sequence in frames),
    )


def _read_label(entry: Entry, members: Members, manifest: Manifest) -> str | None:
    try:
        number = float(members.read_small(entry))  # "   3.0000000e+00"
        return manifest.class_name(str(int(number))) if number == int(number) else None
    except (OSError, ValueError, OverflowError):
        return None


def _frame_facts(
    match: re.Match[str], place: int, num_frames: int, emotion: str, layout: SequenceLayout
) -> Facts | Rejection:
    """Peak frames are counted first: a sequence of one frame is a peak."""
    if place >= max(num_frames - layout.num_peak, min(layout.num_neutral, num_frames - 1)):
        label = emotion
    elif place < layout.num_neutral:
        label = layout.neutral
    else:
        detail = f"frame {place + 1} of {num_frames}, between neutral and peak"
        return _reject(match.string, "not-peak", detail)
    return Facts(label=label, attributes=_attributes(match.groupdict()))


def _attributes(groups: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in groups.items() if text and name not in _RESERVED}


def _reject(path: str, reason: str, detail: str) -> Rejection:
    return Rejection(path=path, reason=reason, detail=detail)
