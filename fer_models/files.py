"""Texts of a run, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fer_data.files import write_file


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text in one step."""
    write_file(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Writes JSON in one step; numbers that are not finite become null."""
    write_text(path, json.dumps(_finite(value), indent=1, ensure_ascii=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value
