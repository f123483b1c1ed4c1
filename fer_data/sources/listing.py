"""The files of a folder or an archive, listed before any is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fer_data.emotions import canonical_emotion
from fer_data.manifest import Manifest
from fer_data.sources.raw import MAX_FILE_BYTES, Rejection

_SYSTEM_NAMES = {"thumbs.db", "desktop.ini", "__macosx"}
_PICTURE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a source.

    Attributes:
        path: in the source, with "/" between folders, always valid Unicode.
        place: what the reader opens: a path, a member's name, or a byte offset.
        size: in bytes.
        stamp: changes when the file does: modification time or checksum.
        rejection: why it is not read, where that is known from the listing.
    """

    path: str
    place: str
    size: int
    stamp: int
    rejection: Rejection | None = None


def readable_path(path: str) -> str:
    r"""A path as valid Unicode: bytes of a name that are not UTF-8 are written out as \\xNN."""
    if path.isascii():
        return path
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_picture_path(path: str) -> bool:
    """Whether a file is called as pictures are."""
    return path.lower().endswith(_PICTURE_SUFFIXES)


def rejected(entry: Entry, reason: str, detail: str) -> Entry:
    """The entry with a reason not to read it."""
    return replace(entry, rejection=Rejection(path=entry.path, reason=reason, detail=detail))


def check_entries(entries: Iterable[Entry], manifests: Sequence[Manifest]) -> list[Entry]:
    """Entries in order of their paths, without the folder they share; each unfit one rejected.

    Args:
        entries: as listed, in any order.
        manifests: know the split folders, which are no common folder to drop.
    """
    ordered = sorted(entries, key=lambda entry: entry.path)
    prefix = _shared_folder([e.path for e in ordered if not _is_hidden(e.path)], manifests)
    for number, listed in enumerate(ordered):  # in place: there may be millions
        entry = replace(listed, path=listed.path.removeprefix(prefix)) if prefix else listed
        if entry.rejection is not None:
            entry = rejected(entry, entry.rejection.reason, entry.rejection.detail)
        elif _is_hidden(entry.path):
            entry = rejected(entry, "hidden", "a file of the system, not of the data set")
        elif entry.size > MAX_FILE_BYTES:
            entry = rejected(entry, "too-large", f"{entry.size:,} bytes")
        if number + 1 < len(ordered) and ordered[number + 1].path == listed.path:
            entry = rejected(entry, "duplicate-name", "a later file has the same name")
        ordered[number] = entry
    return ordered


def _is_hidden(path: str) -> bool:
    if path.startswith(".") or "/." in path:
        return True
    return not _SYSTEM_NAMES.isdisjoint(path.lower().split("/"))


def _shared_folder(paths: Sequence[str], manifests: Sequence[Manifest]) -> str:
    """The folder that all paths begin with, unless it names a split or a class: "fer2013/"."""
    if not paths:
        return ""
    # in order, so what the first and the last begin with, all do
    first, last = paths[0].split("/"), paths[-1].split("/")
    most = min(path.count("/") for path in paths) - 1  # a class folder and the file stay
    prefix = ""
    for folder, other in zip(first[: max(most, 0)], last, strict=False):
        if folder != other or canonical_emotion(folder):
            break
        if any(manifest.split_name(folder) for manifest in manifests):
            break
        prefix += f"{folder}/"
    return prefix
