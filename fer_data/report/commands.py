"""Commands that a report or a hint names, as they are typed."""

from __future__ import annotations

import shlex
from pathlib import Path

_DEFAULT_DIR = Path("dataset")  # of every command, where --dataset says nothing


def as_typed(command: str, dataset_dir: Path) -> str:
    """A command on a data set, with its folder where that is not the default one.

    Example:
        >>> as_typed("ferdata pack", Path("my faces"))
        "ferdata pack -d 'my faces'"
    """
    if not command or dataset_dir == _DEFAULT_DIR:
        return command
    return f"{command} -d {shlex.quote(str(dataset_dir))}"
