"""Deflate streams: by ISA-L, by zlib, or of stored blocks."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from isal import isal_zlib

_STORED_MAX = 65_535  # bytes in one stored block of a deflate stream


def _store(raw: bytes | memoryview) -> bytes:
    """A raw deflate stream of stored blocks."""
    parts: list[bytes | memoryview] = []
    for start in range(0, max(len(raw), 1), _STORED_MAX):
        block = raw[start : start + _STORED_MAX]
        is_last = start + _STORED_MAX >= len(raw)
        parts += [struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join(parts)


def _deflate_fast(raw: bytes | memoryview) -> bytes:
    """A raw deflate stream by ISA-L: level 1, which gives the same bytes on every processor."""
    deflate = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)  # -15: raw, as a ZIP member is
    compressed: bytes = deflate.compress(raw) + deflate.flush()
    return compressed


def _deflate_small(raw: bytes | memoryview) -> bytes:
    """A raw deflate stream by zlib at its best."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(raw) + deflate.flush()


#: How arrays can be compressed: not at all, fast, or small; all three are deflate to a reader.
COMPRESSIONS: Mapping[str, Callable[[bytes | memoryview], bytes]] = MappingProxyType(
    {"none": _store, "fast": _deflate_fast, "small": _deflate_small}
)


def zlib_stream(raw: bytes | memoryview, compression: str) -> bytes:
    """A zlib stream (RFC 1950): a deflate stream with a header and the Adler-32 of its content."""
    checksum: int = isal_zlib.adler32(raw)
    return b"\x78\x01" + COMPRESSIONS[compression](raw) + checksum.to_bytes(4, "big")
