"""What a user says of a raw path: how to understand it, and what of it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fer_data.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """How a raw path is to be understood, and what of it is wanted.

    Attributes:
        manifest: name or TOML file of a manifest; None: found out from the files.
        name: what the source is called in keys; None: after its file or folder.
        labels: CSV file of paths and labels, for pictures that do not say theirs.
        path_column: of `labels`; None: found out, as are the other two.
        label_column: of `labels`.
        split_column: of `labels`; None: "split" or "usage", where there is one.
        votes: CSV file of FER+'s votes, for FER2013.
        keep_labels: whether the source's own labels stay, with `votes` beside them, instead of the
            majority's.
        class_map: class name → the class it becomes, or "drop".
        include: globs of paths in the source, of which a file must match one; empty: all do.
            `*` goes across folders.
        exclude: globs, of which a file must match none.
        limit: how many files to read, the first in order; None: all.
        max_per_class: how many samples of a class to read, spread over the source; None: all.
    """

    manifest: str | None = None
    name: str | None = None
    labels: Path | None = None
    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    votes: Path | None = None
    keep_labels: bool = False
    class_map: Mapping[str, str] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limit: int | None = None
    max_per_class: int | None = None

    def __post_init__(self) -> None:
        for name, count in (("limit", self.limit), ("max_per_class", self.max_per_class)):
            if count is not None and count < 1:
                raise SettingsError(f"{name} must be at least 1; received {count}")
        if self.name is not None and (not self.name.strip() or "/" in self.name):
            raise SettingsError(
                f'name must be a word without "/", for keys begin with it; received "{self.name}"'
            )
        columns = (self.path_column, self.label_column, self.split_column)
        if self.labels is None and any(columns):
            raise SettingsError("columns are of a label file; name it with --labels")
        if self.labels is not None and self.votes is not None:
            raise SettingsError("labels and votes both say what a picture shows; name one of them")
        if self.keep_labels and self.votes is None:
            raise SettingsError(
                "keep_labels is of votes, beside which labels stay; name their file with --votes, "
                "or leave --keep-labels away"
            )
