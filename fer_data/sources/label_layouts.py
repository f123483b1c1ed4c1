"""Layouts whose labels stand in files beside the pictures: tables, sequences, sidecars."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fer_data.errors import SourceError
from fer_data.layouts import SequenceLayout, SidecarLayout, TableLayout
from fer_data.manifest import GENERIC_TABLE, Manifest, fits, load_manifest
from fer_data.sources.listing import readable_text
from fer_data.sources.sequences import read_sequences
from fer_data.sources.sidecars import SidecarLabeler
from fer_data.sources.table import (
    check_class_words,
    has_columns,
    open_label_file,
    read_table,
)
from fer_data.sources.table_parts import LabelFile, Table
from fer_data.sources.understood import LabelColumns, Listing, Understood, without_support_files

_LABELLED_SHARE = 0.5


def understand_labels(
    listing: Listing, pictures: Sequence[str], manifest: Manifest, *, needs_pictures: bool = False
) -> Understood | None:
    """The files understood by a layout of the manifest that has label files, or None."""
    for layout in manifest.layouts:
        understood = None
        if isinstance(layout, TableLayout):
            understood = _understand_table(listing, manifest, layout, needs_pictures=needs_pictures)
        elif isinstance(layout, SequenceLayout):
            understood = _understand_sequences(listing, pictures, manifest, layout)
        elif isinstance(layout, SidecarLayout):
            understood = _understand_sidecars(listing, pictures, manifest, layout)
        if understood is not None:
            return understood
    return None


def _understand_table(
    listing: Listing, manifest: Manifest, layout: TableLayout, *, needs_pictures: bool
) -> Understood | None:
    matches = re.compile(f"(?P<_base>(?:.*/)?)(?:{layout.file})").fullmatch
    entries = listing.open_entries()
    labels = listing.label_entries()
    found = [(e, m["_base"]) for e in labels if (m := matches(e.path))]
    with contextlib.ExitStack() as stack:
        files: list[LabelFile] = []
        for entry, base in found:
            try:
                opened = stack.enter_context(listing.members.open(entry))
                file = open_label_file(opened, entry.path, layout, manifest, base=base)
            except (OSError, SourceError) as error:
                if needs_pictures:  # any file may end in .csv; this one is no label file
                    continue
                raise SourceError(f"{listing.raw}: {error}") from None
            if file is not None:
                files.append(file)
        if not files or (needs_pictures and len(files) != 1):
            return None
        names = {file.path for file in files}
        table = read_table(
            files, layout, manifest, (path for path in entries.paths if path not in names)
        )
    if needs_pictures:
        if len(table.facts) < _LABELLED_SHARE * len(listing.pictures()):
            return None
        check_class_words(table, f"{listing.raw}: {', '.join(sorted(names))}")
    return _from_table(listing, table, manifest, names)


def _from_table(listing: Listing, table: Table, manifest: Manifest, names: set[str]) -> Understood:
    origin = ", ".join(sorted(names))
    entries = without_support_files(listing.entries, table.facts.keys())
    parts = [f"{origin}, {table.num_rows:,} rows"]
    if table.num_disagreeing:
        parts.append(f"{table.num_disagreeing:,} disagree with their folder, and {origin} counts")
    if table.strays:
        parts.append(f"{len(table.strays):,} rows name no file")
    left = entries.where(entries.is_read).paths
    num_unnamed = sum(path not in table.facts for path in left)
    if num_unnamed:
        parts.append(f"{num_unnamed:,} files are named by none")
    return Understood(
        manifest=manifest,
        labeler=table.labeler(origin),
        entries=entries + table.entries(),
        remarks=(f"{manifest.title}: {'; '.join(parts)}",),
    )


def _understand_sequences(
    listing: Listing, pictures: Sequence[str], manifest: Manifest, layout: SequenceLayout
) -> Understood | None:
    entries = listing.open_entries()
    takes = re.compile(layout.labels).fullmatch
    if not fits(layout.frames, pictures, share=_LABELLED_SHARE) or not any(
        map(takes, entries.paths)
    ):
        return None
    wanted = [e for e in entries if e.path not in listing.excluded or takes(e.path)]
    found = read_sequences(wanted, listing.members, manifest, layout)
    remark = (
        f"{manifest.title}: {found.num_sequences:,} sequences, {found.num_labelled:,} with a "
        f"label; their first frames ({layout.num_neutral} each) are {layout.neutral}, the last "
        f"({layout.num_peak} each) show the emotion"
    )
    return Understood(
        manifest=manifest,
        labeler=found.labeler,
        entries=without_support_files(listing.entries, set()),
        remarks=(remark,),
    )


def _understand_sidecars(
    listing: Listing, pictures: Sequence[str], manifest: Manifest, layout: SidecarLayout
) -> Understood | None:
    if not fits(layout.pattern, pictures, share=_LABELLED_SHARE):
        return None
    entries = listing.open_entries()
    others = {entry.path: entry for entry in entries.where(~entries.is_picture)}
    labeler = SidecarLabeler(others, listing.members, manifest, layout)
    remark = f"{manifest.title}: one label file a picture, {len(others):,} beside the pictures"
    return Understood(
        manifest=manifest,
        labeler=labeler,
        entries=without_support_files(listing.entries, set()),
        remarks=(remark,),
    )


def understand_by_labels(
    listing: Listing, labels: Path, columns: LabelColumns, manifest: Manifest
) -> Understood:
    """The files understood by a label file that was given.

    Args:
        listing: the files.
        labels: CSV file of paths, below the source, and labels.
        columns: their names, where they are not to be found out.
        manifest: knows the classes.

    Raises:
        SourceError: the label file cannot be read, or has no such columns.
    """
    (layout,) = load_manifest(GENERIC_TABLE).layouts
    assert isinstance(layout, TableLayout)
    layout = replace(
        layout,
        path=(columns.path,) if columns.path else layout.path,
        label=(columns.label,) if columns.label else layout.label,
        split=(columns.split,) if columns.split else layout.split,
    )
    if not manifest.splits:
        manifest = replace(manifest, splits=load_manifest(GENERIC_TABLE).splits)
    paths = listing.open_entries().paths
    name = readable_text(labels.name)
    try:
        with labels.open("rb") as opened:
            file = open_label_file(opened, name, layout, manifest)
            if file is None or not has_columns(file.columns, layout):
                expected = ", ".join([columns.path or "path", columns.label or "label"])
                raise SourceError(
                    f"{labels}: has no columns of paths and labels; expected {expected}, "
                    "or their names by --path-column and --label-column"
                )
            if columns.split and columns.split.lower() not in map(str.lower, file.columns):
                raise SourceError(f'{labels}: has no column "{columns.split}"')
            table = read_table([file], layout, manifest, paths)
    except OSError as error:
        raise SourceError(f"{labels}: cannot be read ({error.strerror or error})") from None
    check_class_words(table, str(labels))
    return _from_table(listing, table, manifest, {name})
