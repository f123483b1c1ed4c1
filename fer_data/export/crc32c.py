"""CRC-32C, the checksum of TFRecord files, by NumPy.

No library that ferkit stands on offers it. A CRC is linear: the checksum of a text is the XOR of
what each byte adds at its place, so NumPy looks up a block of bytes at once instead of one by one.
Polynomial 0x1EDC6F41 (Castagnoli), reflected: RFC 3720, section 12.1 and appendix B.4.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78  # reflected
_BLOCK = 1024  # bytes looked up at a time: a table of 1 MB
_MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes) -> int:
    """The CRC-32C of some bytes.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    crc = 0xFFFFFFFF
    if len(data) < 16:  # byte by byte is faster
        step = _byte_steps()
        for byte in data:
            crc = step[(crc ^ byte) & 0xFF] ^ crc >> 8
        return crc ^ 0xFFFFFFFF
    # the ones that a CRC begins with stand in the first four bytes; zeros before them add nothing
    text = bytearray(-len(data) % _BLOCK) + data
    first = len(text) - len(data)
    text[first : first + 4] = bytes(byte ^ 0xFF for byte in data[:4])
    table, places, carry = _tables()
    blocks = np.frombuffer(text, np.uint8).reshape(-1, _BLOCK)
    crc = 0
    for added in np.bitwise_xor.reduce(table[places + blocks], axis=1).tolist():
        crc = (
            added ^ carry[0][crc & 0xFF] ^ carry[1][crc >> 8 & 0xFF]
            ^ carry[2][crc >> 16 & 0xFF] ^ carry[3][crc >> 24]
        )  # fmt: skip
    return crc ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """The CRC-32C as TFRecord files hold it: rotated, plus a constant.

    Source: TensorFlow, `tensorflow/core/lib/hash/crc32c.h`.
    """
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


@functools.cache
def _byte_steps() -> list[int]:
    """What a CRC's last byte becomes when one byte more is read."""
    steps = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        steps.append(crc)
    return steps


@functools.cache
def _tables() -> tuple[NDArray[np.uint32], NDArray[np.int64], list[list[int]]]:
    """What each byte adds at each place of a block, and how a CRC is carried into the next block.

    Returns:
        uint32 array of shape (_BLOCK * 256,); int64 array of shape (_BLOCK,), where each place
        begins in it; and what each byte of the CRC before adds, lowest first.
    """
    steps = np.array(_byte_steps(), np.uint32)
    table = np.empty((_BLOCK, 256), np.uint32)
    table[-1] = steps  # the last byte of a block
    for place in range(_BLOCK - 2, -1, -1):
        after = table[place + 1]
        table[place] = steps[after & 0xFF] ^ after >> 8
    carry = [row.tolist() for row in table[:4]]  # the CRC so far is added to the next four bytes
    return table.reshape(-1), np.arange(_BLOCK, dtype=np.int64) * 256, carry
