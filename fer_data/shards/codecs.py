"""Codecs of HDF5 shards beyond gzip, by name: quick to read, and for h5py with hdf5plugin only.

Numbers and options are those of the HDF Group's register of filters, so that the bytes do not
follow the defaults of a version of hdf5plugin. Blosc is not among them: its block size, and so its
bytes, follow the caches of the processor.
Source: https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Codec(NamedTuple):
    """A registered filter of HDF5.

    Attributes:
        number: the filter's identifier.
        options: its last client data values; a filter may put its version before them.
    """

    number: int
    options: tuple[int, ...]


#: Zstandard at level 3; LZ4; and both behind bitshuffle, which puts the bits of one rank together.
CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        "zstd": Codec(32015, (3,)),
        "lz4": Codec(32004, (0,)),
        "bitshuffle-lz4": Codec(32008, (0, 2)),
        "bitshuffle-zstd": Codec(32008, (0, 3, 3)),
    }
)
