"""A folder that a command keeps to itself while it runs."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from fer_data.files import remove_leftovers
from fer_data.lock import holding


def hold(folder: Path, *, make: bool = False) -> None:
    """Keeps other commands out of a folder that this one writes to, until it ends.

    Half written files that a killed command left there are removed.

    Args:
        folder: one that is not there is not held.
        make: make it where it is not there; it goes again where nothing came into it.

    Raises:
        InUseError: another command is at work in it.
    """
    context = click.get_current_context()
    context.with_resource(holding(folder, context.command_path, make=make))
    with contextlib.suppress(OSError):  # what cannot be written can be read
        remove_leftovers(folder)
