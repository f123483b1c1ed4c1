"""Pictures that each have NumPy files with their label beside them, as AffectNet of 2021 has."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Mapping, Sequence

import numpy as np

from fer_data.layouts import RESERVED_GROUPS, SidecarLayout
from fer_data.manifest import Manifest
from fer_data.sources.listing import Entry
from fer_data.sources.members import Members
from fer_data.sources.raw import Facts, Rejection


class SidecarLabeler:
    """Reads the label of a picture from the file beside it: in the workers, being many.

    Args:
        sidecars: path → entry of every file that may hold a label.
        members: reads them.
        manifest: knows codes and splits.
        layout: how pictures and their files are called.
    """

    num_extra = 0
    has_boxes = False

    def __init__(
        self,
        sidecars: Mapping[str, Entry],
        members: Members,
        manifest: Manifest,
        layout: SidecarLayout,
    ) -> None:
        self._sidecars = sidecars
        self._members = members
        self._manifest = manifest
        self._layout = layout

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self._layout.pattern)

    @property
    def fingerprint(self) -> str:
        """Of the label files' sizes and times, and how they are understood."""
        files = [(e.path, self._members.known_status(e)) for e in self._sidecars.values()]
        return repr((files, self._manifest, self._layout))

    def part(self, paths: Sequence[str]) -> SidecarLabeler:
        """The same with the label files of these paths."""
        wanted: dict[str, Entry] = {}
        for path in paths:
            match = self._pattern.fullmatch(path)
            for place in self._places(match).values() if match else ():
                if place in self._sidecars:
                    wanted[place] = self._sidecars[place]
        return SidecarLabeler(wanted, self._members, self._manifest, self._layout)

    def facts(self, path: str) -> tuple[Facts | Rejection, ...]:
        """What the files beside a picture say."""
        return (self._facts(path),)

    def _facts(self, path: str) -> Facts | Rejection:
        match = self._pattern.fullmatch(path)
        if match is None:
            detail = f"not named as the pictures of {self._manifest.name} are"
            return Rejection(path=path, reason="unlabelled", detail=detail)
        label, *others = self._places(match).values()
        if label not in self._sidecars:
            return Rejection(path=path, reason="unlabelled", detail=f"there is no {label}")
        try:
            word = self._read(label)
            values = [self._read(place) if place in self._sidecars else "" for place in others]
        except (OSError, ValueError) as error:
            return Rejection(path=path, reason="bad-label", detail=str(error))
        if word in self._manifest.unused:
            detail = f"label {word}"
            return Rejection(path=path, reason=self._manifest.unused[word], detail=detail)
        name = self._manifest.class_name(word)
        if name is None:
            return Rejection(path=path, reason="unknown-class", detail=f"label is {word!a}")
        groups = match.groupdict()
        split = self._manifest.split_name(groups["split"]) if groups.get("split") else None
        attributes = {
            **{n: t for n, t in groups.items() if t and n not in (*RESERVED_GROUPS, "id")},
            **{n: t for n, t in zip(self._layout.attributes, values, strict=True) if t},
        }
        return Facts(label=name, split=split, attributes=attributes)

    def _places(self, match: re.Match[str]) -> dict[str, str]:
        """Label and attributes → where their files should be."""
        templates = {"": self._layout.label, **self._layout.attributes}
        return {name: text.format(**match.groupdict()) for name, text in templates.items()}

    def _read(self, place: str) -> str:
        try:
            return read_npy_word(self._members.read_small(self._sidecars[place]))
        except (OSError, ValueError) as error:
            raise ValueError(f"{place}: {error}") from None


def read_npy_word(data: bytes) -> str:
    """The one number or word of a NumPy file; whole numbers without a point.

    Raises:
        ValueError: it is no NumPy file of one value; objects are never unpickled.

    Example:
        >>> file = io.BytesIO()
        >>> np.save(file, np.array("3"))
        >>> read_npy_word(file.getvalue())
        '3'
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else None
        if header is None:
            raise ValueError(f"NumPy format {version}; expected (1, 0)")
        shape, _, dtype = header(file)
        # NumPy makes room for what a header claims before it reads
        if shape not in ((), (1,)) or dtype.hasobject or dtype.itemsize > len(data):
            raise ValueError(f"holds {dtype} of shape {shape}; expected one value")
        file.seek(0)
        value = np.load(file, allow_pickle=False).reshape(()).item()
    except (EOFError, OSError, SyntaxError, TypeError) as error:
        raise ValueError(f"not a NumPy file ({error})") from None
    if isinstance(value, float):
        return f"{value:.9g}"
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value).strip()
