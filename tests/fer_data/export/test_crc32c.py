"""CRC-32C, against the examples of its standard and the plain definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_data.export.crc32c import crc32c, masked_crc32c


def plain_crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_examples_of_the_standard(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc  # RFC 3720, appendix B.4


@pytest.mark.parametrize("length", [1, 3, 4, 15, 16, 17, 1023, 1024, 1025, 1028, 2047, 2048, 5000])
def test_every_length_is_right(length: int) -> None:
    data = bytes(number * 31 % 253 for number in range(length))
    assert crc32c(data) == plain_crc32c(data)


@given(st.binary(max_size=3000))
def test_every_text_is_right(data: bytes) -> None:
    assert crc32c(data) == plain_crc32c(data)


def test_the_mask_is_that_of_tfrecord() -> None:
    # the head of every record of 8 bytes: its length, and the length's masked CRC
    assert masked_crc32c((8).to_bytes(8, "little")) == 0x0F2486FF
