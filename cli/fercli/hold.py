"""Folders that a command keeps to itself while it runs."""

from __future__ import annotations

from pathlib import Path

import click

from fer_data.lock import holding


def hold(*folders: Path, make: bool = False) -> None:
    """Keeps other commands out of folders that this one writes to, until it ends.

    Args:
        folders: no others are held; the same one twice is held once.
        make: make those that are not there; they go again where nothing came into them.

    Raises:
        InUseError: another command is at work in one of them.
    """
    context = click.get_current_context()
    for folder in {each.resolve(): each for each in folders}.values():
        context.with_resource(holding(folder, context.command_path, make=make))
