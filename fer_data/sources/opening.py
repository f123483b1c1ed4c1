"""What a path holds: picks the reader, the manifest and the layout, or says why it cannot."""

from __future__ import annotations

import contextlib
import itertools
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fer_data.emotions import canonical_emotion
from fer_data.errors import SourceError
from fer_data.layouts import CsvPixelsLayout, TableLayout
from fer_data.manifest import (
    GENERIC,
    GENERIC_TABLE,
    Manifest,
    detect_csv_layout,
    load_manifest,
    manifest_names,
)
from fer_data.sources.archive import DAMAGED, is_tar, list_tar, list_zip, plain_tar
from fer_data.sources.csv_pixels import CsvPixelsSource, find_line_ends, read_csv_header
from fer_data.sources.file_list import check_files
from fer_data.sources.files import FileSource
from fer_data.sources.folders import list_folder
from fer_data.sources.label_layouts import understand_by_labels
from fer_data.sources.layout_reader import understand_files
from fer_data.sources.listing import Entry, readable_text
from fer_data.sources.members import Members
from fer_data.sources.raw import Source
from fer_data.sources.selection import excluded
from fer_data.sources.settings import SourceSettings
from fer_data.sources.table import has_columns
from fer_data.sources.understood import LabelColumns, Listing
from fer_data.sources.wanted import RawSource, joined_manifest, select_wanted

__all__ = ["SourceSettings", "is_large", "open_source", "source_name"]

_LARGE_BYTES, _LARGE_ENTRIES = 8_000_000, 4_000
_ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@contextlib.contextmanager
def open_source(
    raw: Path, settings: SourceSettings, *, dataset_dir: Path | None = None
) -> Iterator[Source]:
    """The source that a path holds, understood, for as long as it is needed.

    Args:
        raw: a folder, a ZIP or tar archive, or a CSV file of pixels or of paths.
        settings: what is not to be found out, and what is wanted.
        dataset_dir: of the data set, which may stand among pictures whose paths are in a CSV file.

    Raises:
        SourceError: there is nothing at the path, or nothing that can be understood.
        UnknownNameError: no manifest has the name given, or no class one that is mapped.
    """
    known = [settings.manifest] if settings.manifest else manifest_names()
    manifests = [load_manifest(name) for name in known]
    joined = joined_manifest(settings.manifest) if settings.manifest and settings.votes else None
    opening = _Opening(raw, settings, manifests if joined is None else [joined], dataset_dir)
    if not raw.exists():
        raise SourceError(f"{raw}: no such file or folder; expected {_expected()}")
    with opening.opened() as source:
        yield select_wanted(source, settings)


def is_large(raw: Path) -> bool:
    """Whether a path certainly holds work for several processes; a quick look, never an error."""
    num_entries, waiting = 0, [raw]
    try:
        if raw.is_file():
            return raw.stat().st_size >= _LARGE_BYTES
        while waiting and num_entries < _LARGE_ENTRIES:
            with os.scandir(waiting.pop()) as found:
                for entry in itertools.islice(found, _LARGE_ENTRIES):
                    num_entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
    except OSError:
        return False
    return num_entries >= _LARGE_ENTRIES


class _Opening:
    """Opens one raw path.

    Args:
        raw: the path.
        settings: what is not to be found out, and what is wanted.
        manifests: those to try.
        dataset_dir: as of `open_source`.
    """

    def __init__(
        self,
        raw: Path,
        settings: SourceSettings,
        manifests: Sequence[Manifest],
        dataset_dir: Path | None,
    ) -> None:
        self._raw = raw
        self._dataset_dir = dataset_dir
        self._settings = settings
        self._manifests = manifests
        self._name = readable_text(settings.name or source_name(raw))

    @contextlib.contextmanager
    def opened(self) -> Iterator[RawSource]:
        """The source, without what is not wanted of it."""
        raw = self._raw
        with contextlib.ExitStack() as stack:
            if raw.is_dir():
                empty: list[str] = []
                listed = list_folder(raw, empty=empty)
                source = stack.enter_context(self._files("folder", raw, listed))
                words = sorted(path for path in empty if canonical_emotion(path.split("/")[-1]))
                remark = f"class folders without a file: {', '.join(words)}"
                yield source.remarked(remark) if words else source
            elif zipfile.is_zipfile(raw):
                yield stack.enter_context(self._files("zip", raw, list_zip(raw)))
            elif raw.suffix.lower() == ".csv":
                yield stack.enter_context(self._csv(raw))
            elif is_tar(raw):
                plain = stack.enter_context(plain_tar(raw))
                yield stack.enter_context(self._files("tar", plain, list_tar(plain)))
            else:
                raise SourceError(f"{raw}: cannot be read as a source; expected {_expected()}")

    @contextlib.contextmanager
    def _csv(self, path: Path) -> Iterator[RawSource]:
        """A CSV file of pixels, or of the paths of pictures beside it."""
        with path.open("rb") as file:
            columns = read_csv_header(file, str(path))
        if detect_csv_layout(columns, self._manifests) is None and self._settings.labels is None:
            (table,) = load_manifest(GENERIC_TABLE).layouts
            if isinstance(table, TableLayout) and has_columns(columns, table):
                folder = path.parent
                listed = list_folder(folder, left_out=self._dataset_dir)
                with self._files("folder", folder, listed, labels=path) as source:
                    yield source
                return
        yield self._csv_pixels(path, columns, path.name)

    def _csv_pixels(self, path: Path, columns: Sequence[str], shown: str) -> CsvPixelsSource:
        found = detect_csv_layout(columns, self._manifests)
        if found is None:
            raise SourceError(f"{path}: {_expected_csv(columns, self._manifests)}")
        manifest, layout = found
        return CsvPixelsSource(
            name=self._name,
            path=path,
            columns=columns,
            manifest=manifest,
            layout=layout,
            line_ends=find_line_ends(path),
            class_names=tuple(manifest.classes),
            remarks=(f"{manifest.title}: class and split read from {shown}",),
        )

    @contextlib.contextmanager
    def _files(
        self, kind: str, root: Path, listed: Iterator[Entry], labels: Path | None = None
    ) -> Iterator[RawSource]:
        """A folder or an archive: of pictures, or of one CSV file of pixels."""
        settings = self._settings
        labels = labels or settings.labels
        entries = check_files(listed, [*self._manifests, load_manifest(GENERIC)])
        unwanted = excluded(
            entries.where(entries.is_read).paths, settings.include, settings.exclude
        )
        listing = Listing(
            raw=self._raw,
            members=Members(kind, str(root)),
            entries=entries,
            excluded=frozenset(unwanted),
        )
        if labels is None and not listing.pictures():
            table, columns = self._only_csv(listing)
            with listing.members.as_file(table) as path:
                yield self._csv_pixels(path, columns, table.path)
        else:
            yield self._pictures(listing, labels)

    def _only_csv(self, listing: Listing) -> tuple[Entry, Sequence[str]]:
        """The one CSV file of pixels of a source without pictures, and its columns."""
        found = []
        for entry in listing.label_entries():
            if entry.path.lower().endswith(".csv"):
                try:
                    with listing.members.open(entry) as file:
                        columns = read_csv_header(file, entry.path)
                except SourceError:
                    continue
                except DAMAGED as error:
                    raise SourceError(f"{self._raw}: {entry.path} is damaged ({error})") from None
                if detect_csv_layout(columns, self._manifests):
                    found.append((entry, columns))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(entry.path for entry, _ in found)
            raise SourceError(
                f"{self._raw}: holds several files of pixels ({names}); name one of them itself"
            )
        wanted = " that are asked for (--include, --exclude)" if listing.excluded else ""
        raise SourceError(f"{self._raw}: holds no picture files{wanted}; expected {_expected()}")

    def _pictures(self, listing: Listing, labels: Path | None) -> FileSource:
        settings = self._settings
        if labels is not None:
            named = self._manifests[0] if settings.manifest else load_manifest(GENERIC_TABLE)
            columns = LabelColumns(
                path=settings.path_column or "",
                label=settings.label_column or "",
                split=settings.split_column or "",
            )
            understood = understand_by_labels(listing, labels, columns, named)
        else:
            found = understand_files(listing, self._manifests)
            if found is None:
                example = listing.pictures()[0]
                raise SourceError(
                    f"{self._raw}: the files are not laid out as {self._manifests[0].name} is, for "
                    f"example {example}; leave --manifest away to have the layout found out"
                )
            understood = found
        return FileSource(
            name=self._name,
            members=listing.members,
            entries=understood.entries,
            manifest=understood.manifest,
            labeler=understood.labeler,
            class_names=tuple(understood.manifest.classes),
            remarks=understood.remarks,
        )


def source_name(raw: Path) -> str:
    """What a source is called unless told otherwise: its name without its ending.

    Example:
        >>> source_name(Path("data/fer2013.tar.gz"))
        'fer2013'
    """
    name = Path(os.path.abspath(raw)).name  # noqa: PTH100  # "." resolved, links not
    for suffix in sorted((*_ARCHIVE_SUFFIXES, ".csv"), key=len, reverse=True):
        if name.lower().endswith(suffix) and len(name) > len(suffix) and not raw.is_dir():
            return name[: -len(suffix)]
    return name or "root"


def _expected() -> str:
    return f"a folder of pictures, an archive ({', '.join(_ARCHIVE_SUFFIXES)}) or a .csv file"


def _expected_csv(columns: Sequence[str], manifests: Sequence[Manifest]) -> str:
    known = [
        f"{layout.label}, {layout.pixels}, {layout.split} ({manifest.name})"
        for manifest in manifests
        for layout in manifest.layouts
        if isinstance(layout, CsvPixelsLayout)
    ]
    expected = " or ".join(known) or "another manifest: this one has no CSV layout"
    return f"columns are {', '.join(columns) or 'missing'}; expected {expected}"
