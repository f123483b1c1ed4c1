"""A folder of results laid out as the files they are of, never over an original."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fer_data.errors import SettingsError
from fer_models.picture_files import PictureFile


class MirroredFolder:
    """Gives each file a place of its own in a folder that is laid out as the files are.

    Args:
        folder: where the results go; need not be there.
        files: all that may get a place; they say where the layout begins.

    Raises:
        SettingsError: a file could be written over, as it lies in the folder.
    """

    def __init__(self, folder: Path, files: Sequence[PictureFile]) -> None:
        roots = {file.root for file in files}
        _check_apart(folder, roots)
        self._folder = folder
        self._start = os.path.commonpath([Path.absolute(root) for root in roots])
        self._given: set[Path] = set()

    def free_path(self, file: PictureFile, name: str) -> Path:
        """The place of a file under this name, or numbered where that was given away.

        Files of one name come from archives and from several folders.
        """
        path = self._folder / Path.absolute(file.path).relative_to(self._start).with_name(name)
        free, number = path, 1
        while free in self._given:
            number += 1
            free = path.with_stem(f"{path.stem}-{number}")
        self._given.add(free)
        return free


def _check_apart(folder: Path, roots: set[Path]) -> None:
    for root in roots:
        if root.resolve().is_relative_to(folder.resolve()):
            raise SettingsError(
                f"{folder}: holds the pictures of {root}, which would be written over; name "
                "another folder"
            )
