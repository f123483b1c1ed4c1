"""Votes in place of labels or beside them: FER+'s rule, and its rows beside those of FER2013."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fer_data.errors import SourceError
from fer_data.layouts import TableLayout, VotesLayout
from fer_data.manifest import Manifest
from fer_data.sources.label_file import read_rows
from fer_data.sources.raw import Facts, Rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """How many people chose what for one picture.

    Attributes:
        classes: class name → votes.
        unknown: votes for "cannot be told".
        no_face: votes for "not a face".
        split: of the picture, where the votes say it.
        is_removed: whether the picture was taken out of the set.
    """

    classes: Mapping[str, float]
    unknown: float
    no_face: float
    split: str | None = None
    is_removed: bool = False

    def facts(self, path: str, base: Facts) -> Facts | Rejection:
        """The facts of a sample with the majority's label and all votes, or why it has none.

        The rule is FER+'s own (arXiv:1608.01041, mode "majority"): a single vote counts for
        nothing; what has more than half of the votes that are left is the label.
        """
        kept = [votes if votes > 1 else 0.0 for votes in self.classes.values()]
        kept_unknown = self.unknown if self.unknown > 1 else 0.0
        kept_no_face = self.no_face if self.no_face > 1 else 0.0
        half = (sum(kept) + kept_unknown + kept_no_face) / 2
        if self.is_removed or kept_no_face > half:
            detail = f"{self.no_face:g} votes for not a face"
            return Rejection(path=path, reason="not-a-face", detail=detail)
        name, most = max(zip(self.classes, kept, strict=True), key=lambda pair: pair[1])
        if most <= half:
            detail = f"{self}; expected more than half for one class"
            return Rejection(path=path, reason="no-majority", detail=detail)
        return replace(self.beside(base), label=name)

    def beside(self, base: Facts) -> Facts:
        """The facts of a sample with all votes, and the label that it has."""
        attributes = {
            **base.attributes,
            "votes_unknown": f"{self.unknown:g}",
            "votes_nf": f"{self.no_face:g}",
        }
        return replace(base, votes=self.classes, attributes=attributes)

    def __str__(self) -> str:
        """The votes that were given, most first."""
        given = Counter({**self.classes, "unknown": self.unknown, "not a face": self.no_face})
        return ", ".join(f"{count:g} {name}" for name, count in given.most_common() if count)


def read_votes(cells: Mapping[str, str], layout: TableLayout | VotesLayout) -> Votes:
    """The votes of one row.

    Raises:
        ValueError: they are no numbers.
    """
    names = [*layout.votes, layout.unknown, layout.no_face]
    numbers = [float(cells[name]) for name in names]
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise ValueError(f"votes are {numbers}; expected numbers from 0 on")
    *classes, unknown, no_face = numbers
    return Votes(
        classes=dict(zip(layout.votes, classes, strict=True)), unknown=unknown, no_face=no_face
    )


def read_vote_rows(path: Path, manifest: Manifest, layout: VotesLayout) -> list[Votes]:
    """The votes of every row of a file.

    Raises:
        SourceError: the file is missing, has other columns, or a row that is no row of votes.
    """
    needed = [layout.split, layout.path, *layout.votes, layout.unknown, layout.no_face]
    try:
        with path.open("rb") as file:
            rows = read_rows(file, str(path))
            header = [name.strip() for name in next(rows, (0, []))[1]]
            missing = [name for name in needed if name not in header]
            if missing:
                raise SourceError(
                    f"{path}: has no column {missing[0]}; expected the columns "
                    f"{', '.join(needed)} of {manifest.title}"
                )
            return [
                _read_row(dict(zip(header, cells, strict=False)), f"{path}: row {number}",
                          manifest, layout)
                for number, cells in rows
            ]  # fmt: skip
    except (OSError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read ({error})") from None


def _read_row(
    cells: Mapping[str, str], where: str, manifest: Manifest, layout: VotesLayout
) -> Votes:
    try:
        votes = read_votes(cells, layout)
    except (KeyError, ValueError) as error:
        raise SourceError(
            f"{where}: cannot be read ({error}); rows are joined by their order, so none may be bad"
        ) from None
    return replace(
        votes,
        split=manifest.split_name(cells[layout.split]),
        is_removed=not cells[layout.path].strip(),
    )


def join_votes(
    rows: Mapping[str, int],
    known: Mapping[str, tuple[Facts | Rejection, ...]],
    votes: Sequence[Votes],
    origin: str,
    *,
    keep_labels: bool,
) -> dict[str, tuple[Facts | Rejection, ...]]:
    """Path → the facts that the votes of its row give.

    Args:
        rows: path → row, counted from 0, of those that have one.
        known: path → facts without votes.
        votes: of all rows, in order.
        origin: the file of votes, for messages.
        keep_labels: whether labels stay, votes beside them; a picture without votes stays too.

    Raises:
        SourceError: the splits disagree, so that the rows cannot be in the same order.
    """
    joined = dict(known)
    for path, row in rows.items():
        (base,) = known[path]
        if isinstance(base, Rejection):
            continue
        if row >= len(votes):
            if not keep_labels:
                detail = f"{origin} ends before row {row}"
                joined[path] = (Rejection(path=path, reason="no-votes", detail=detail),)
            continue
        split = votes[row].split
        if split is not None and base.split is not None and split != base.split:
            raise SourceError(
                f"{origin}: row {row} is of {split}, but {path} is of {base.split}; "
                "expected the votes in the order of fer2013.csv"
            )
        if keep_labels:
            joined[path] = (votes[row].beside(base),)
            continue
        labelled = replace(base, attributes={**base.attributes, "fer2013_label": base.label})
        joined[path] = (votes[row].facts(path, labelled),)
    return joined
