"""Indexes edited by hand, for what must be found although the text's own digest is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_data.shards.index import INDEX_NAME
from fer_data.shards.seal import sealed


def edit_fields(shards: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes the fields of an index in place, and makes its digest right again."""
    path = shards / INDEX_NAME
    fields = json.loads(path.read_text(encoding="utf-8"))
    del fields["sha256"]
    change(fields)
    path.write_text(sealed(json.dumps(fields, indent=1, ensure_ascii=False) + "\n"), "utf-8")


def resealed(text: str) -> str:
    """The text of an index with the digest that its other fields have now."""
    return sealed(unsealed(text))


def unsealed(text: str) -> str:
    """The text of an index without its digest, as other tools write it."""
    fields = json.loads(text)
    fields.pop("sha256", None)
    return json.dumps(fields, indent=1, ensure_ascii=False) + "\n"
