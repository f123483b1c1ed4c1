"""Pictures whose labels stand in label files: rows of a table -> facts of the files they name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import IO

from fer_data.errors import SourceError
from fer_data.layouts import TableLayout
from fer_data.manifest import Manifest
from fer_data.sources.label_file import read_rows
from fer_data.sources.listing import readable_text
from fer_data.sources.raw import Facts
from fer_data.sources.table_parts import LabelFile, PictureFinder, Table, find_column
from fer_data.sources.table_rows import RowReader


def open_label_file(
    file: IO[bytes], path: str, layout: TableLayout, manifest: Manifest, *, base: str = ""
) -> LabelFile | None:
    """The label file, where it has the columns of the layout, else None.

    Args:
        file: at its beginning.
        path: in the source, or of the file that was given.
        layout: says the columns.
        manifest: knows the splits.
        base: folder of the source that the layout's paths begin in.
    """
    rows = read_rows(file, path, layout.delimiter, len(layout.columns))
    first = next(rows, None)
    if first is None:
        return None
    columns: Sequence[str] = [readable_text(name.strip()) for name in first[1]]
    if not has_columns(columns, layout):
        if len(first[1]) != len(layout.columns):
            return None
        columns, rows = layout.columns, itertools.chain([first], rows)
    match = re.fullmatch(layout.file, path.removeprefix(base))
    word = match.groupdict().get("split") if match else None
    split = manifest.split_name(word) if word else None
    return LabelFile(path=path, base=base, split=split, columns=columns, rows=rows)


def has_columns(columns: Sequence[str], layout: TableLayout) -> bool:
    """Whether these are the columns that a layout needs."""
    return (
        find_column(columns, layout.path) is not None
        and (not layout.label or find_column(columns, layout.label) is not None)
        and {*layout.votes, *layout.attributes.values(), *layout.box, *layout.box_size}
        <= set(columns)
    )


def read_table(
    files: Iterable[LabelFile], layout: TableLayout, manifest: Manifest, paths: Iterable[str]
) -> Table:
    """What the rows of the label files say about the files of a source.

    Args:
        files: open label files.
        layout: how they are to be read.
        manifest: knows the classes and splits.
        paths: of the source's files; nothing else is ever named.
    """
    table = Table()
    finder = PictureFinder(paths, layout)
    for file in files:
        RowReader(file, layout, manifest, finder, table).read()
    return table


def check_class_words(table: Table, where: str) -> None:
    """Refuses labels that are bare numbers, where no manifest says what they mean.

    Raises:
        SourceError: they are.
    """
    labels = {
        each.label for samples in table.facts.values() for each in samples
        if isinstance(each, Facts)
    }  # fmt: skip
    if labels and all(label.lstrip("-").replace(".", "", 1).isdigit() for label in labels):
        raise SourceError(
            f"{where}: the labels are numbers ({', '.join(sorted(labels)[:8])}), which mean "
            "another class in every data set; name the manifest that says what they mean "
            "(--manifest)"
        )
