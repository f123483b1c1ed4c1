"""The digest that an index carries of its own text, so that no change to it goes unnoticed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from fer_data.errors import DamagedShardError

_FIELD = "sha256"
_END = "\n}\n"
_SEAL = re.compile(rf',\n "{_FIELD}": "([0-9a-f]{{64}})"{re.escape(_END)}')
_SEAL_LENGTH = len(f',\n "{_FIELD}": ""{_END}') + 64


def sealed(text: str) -> str:
    r"""The text of a JSON object with one field more, the last: the digest of all before it.

    Args:
        text: of an object, its closing brace on a line of its own.

    Example:
        >>> sealed('{\n "format": "ferkit-shards"\n}\n')[:42]
        '{\n "format": "ferkit-shards",\n "sha256": "'
    """
    body = text.removesuffix(_END)
    return f'{body},\n "{_FIELD}": "{_digest(body)}"{_END}'


def check_seal(text: str, fields: Mapping[str, Any], where: str) -> None:
    """Makes sure that a text is as it was sealed; one without a seal is taken as it is.

    Args:
        text: as `sealed` makes it, or without a digest.
        fields: what it holds.
        where: what to call it in an error.

    Raises:
        DamagedShardError: it is not.
    """
    seal = _SEAL.fullmatch(text, max(len(text) - _SEAL_LENGTH, 0))
    if seal is None and _FIELD not in fields:
        return
    if seal is None or _digest(text[:-_SEAL_LENGTH]) != seal[1]:
        raise DamagedShardError(
            f'{where}: its text is not what its last field, "{_FIELD}", says: it is damaged, or '
            "was edited (then take that field out); run `ferdata pack` again to write it anew"
        )


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
