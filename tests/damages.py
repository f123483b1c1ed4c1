"""Damage as disks and copies do it: one byte another, or the end of a file gone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: More damage than a test run needs: FERKIT_DAMAGES=20 does 20 times as much.
TIMES = int(os.environ.get("FERKIT_DAMAGES", "1"))
_CUTS = 0.2  # share of files that are cut short


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One file that is no longer what it was."""

    path: Path
    data: bytes
    what: str

    @contextlib.contextmanager
    def done(self) -> Iterator[None]:
        """The file damaged, and whole again afterwards."""
        whole = self.path.read_bytes()
        self.path.write_bytes(self.data)
        try:
            yield
        finally:
            self.path.write_bytes(whole)


def draw_damage(rng: np.random.Generator, path: Path) -> Damage:
    """A flipped bit, another byte, or a file cut short, to nothing at times."""
    data = bytearray(path.read_bytes())
    if rng.random() < _CUTS:
        length = int(rng.integers(len(data))) if rng.random() < 0.9 else 0
        return Damage(path=path, data=bytes(data[:length]), what=f"{path}: cut to {length} bytes")
    place = int(rng.integers(len(data)))
    old = data[place]
    data[place] ^= 1 << int(rng.integers(8)) if rng.random() < 0.5 else int(rng.integers(1, 256))
    what = f"{path}: byte {place} of {len(data)} from {old} to {data[place]}"
    return Damage(path=path, data=bytes(data), what=what)
