"""What a path holds: picks the reader, the manifest and the layout, or says why it cannot."""

from __future__ import annotations

import contextlib
import os
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fer_data.errors import SourceError
from fer_data.manifest import (
    GENERIC,
    CsvPixelsLayout,
    FileLayout,
    Manifest,
    detect_csv_layout,
    detect_file_layout,
    load_manifest,
    manifest_names,
)
from fer_data.sources.archive import list_tar, list_zip, plain_tar
from fer_data.sources.csv_pixels import CsvPixelsSource, find_line_ends, read_csv_header
from fer_data.sources.files import FileSource
from fer_data.sources.folders import list_folder
from fer_data.sources.labels import PathLabeler
from fer_data.sources.listing import Entry, check_entries, is_picture_path
from fer_data.sources.raw import Source

_ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """How a raw path is to be understood.

    Attributes:
        manifest: name or TOML file of a manifest; None: found out from the files.
        name: what the source is called in keys; None: after its file or folder.
    """

    manifest: str | None = None
    name: str | None = None


@contextlib.contextmanager
def open_source(raw: Path, settings: SourceSettings) -> Iterator[Source]:
    """The source that a path holds, understood, for as long as it is needed.

    Args:
        raw: a folder, a ZIP or tar archive, or a CSV file of pixels.
        settings: the manifest and name, where they are not to be found out.

    Raises:
        SourceError: there is nothing at the path, or nothing that can be understood.
        UnknownNameError: no manifest has the name given.
    """
    manifests = (
        [load_manifest(settings.manifest)]
        if settings.manifest
        else [load_manifest(name) for name in manifest_names()]
    )
    name = settings.name or source_name(raw)
    if not raw.exists():
        raise SourceError(f"{raw}: no such file or folder; expected {_expected()}")
    if raw.is_dir():
        csv = _only_csv(raw, manifests)
        if csv is not None:
            yield _open_csv(csv, name, manifests)
        else:
            yield _open_files("folder", raw, raw, name, list_folder(raw), manifests)
    elif zipfile.is_zipfile(raw):
        yield _open_files("zip", raw, raw, name, list_zip(raw), manifests)
    elif raw.suffix.lower() == ".csv":
        yield _open_csv(raw, name, manifests)
    elif raw.stat().st_size and tarfile.is_tarfile(raw):
        with plain_tar(raw) as plain:
            yield _open_files("tar", raw, plain, name, list_tar(plain), manifests)
    else:
        raise SourceError(f"{raw}: cannot be read as a source; expected {_expected()}")


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


def _only_csv(folder: Path, manifests: list[Manifest]) -> Path | None:
    """The one CSV file of pixels that a folder holds in place of pictures, or None."""
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    csvs = [path for path in files if path.suffix.lower() == ".csv" and path.is_file()]
    if len(csvs) != 1 or any(path.is_dir() or is_picture_path(path.name) for path in files):
        return None
    return csvs[0] if detect_csv_layout(read_csv_header(csvs[0]), manifests) else None


def _open_csv(path: Path, name: str, manifests: list[Manifest]) -> Source:
    columns = read_csv_header(path)
    found = detect_csv_layout(columns, manifests)
    if found is None:
        known = [
            f"{layout.label}, {layout.pixels}, {layout.split} ({manifest.name})"
            for manifest in manifests
            for layout in manifest.layouts
            if isinstance(layout, CsvPixelsLayout)
        ]
        raise SourceError(
            f"{path}: columns are {', '.join(columns) or 'missing'}; "
            f"expected {' or '.join(known) or 'another manifest: this one has no CSV layout'}"
        )
    manifest, layout = found
    return CsvPixelsSource(
        name=name,
        path=path,
        columns=columns,
        manifest=manifest,
        layout=layout,
        line_ends=find_line_ends(path),
    )


def _open_files(
    kind: str, raw: Path, root: Path, name: str, listed: Iterator[Entry], manifests: list[Manifest]
) -> Source:
    generic = load_manifest(GENERIC)
    entries = check_entries(listed, manifests[0] if len(manifests) == 1 else generic)
    pictures = [e.path for e in entries if e.rejection is None and is_picture_path(e.path)]
    if not pictures:
        raise SourceError(f"{raw}: holds no picture files; expected {_expected()}")
    found = detect_file_layout(pictures, manifests)
    if found is None:
        named = manifests[0] if len(manifests) == 1 else generic
        if named.name != GENERIC and not any(
            isinstance(layout, FileLayout) and layout.pattern is None for layout in named.layouts
        ):
            raise SourceError(
                f"{raw}: the files are not laid out as {named.name} is, for example {pictures[0]}; "
                f"leave --manifest away to read them as class folders"
            )
        found = named, FileLayout()
    manifest, layout = found
    labeler = PathLabeler(manifest, layout)
    return FileSource(
        name=name, kind=kind, root=root, entries=entries, manifest=manifest, labeler=labeler
    )
