"""Which ferkit this is."""

from __future__ import annotations

import functools


@functools.cache
def ferkit_version() -> str:
    """The installed version of ferkit."""
    from importlib.metadata import version  # slow to load, and not needed to read or decode

    return version("ferkit")
