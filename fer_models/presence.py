"""Whether the files of a folder of shards are there; quick, and without TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fer_data.errors import DamagedShardError
from fer_data.shards.index import ShardEntry


def check_sizes(shards_dir: Path, shards: Sequence[ShardEntry]) -> None:
    """Checks that every file stands in the folder itself and is as long as the index says.

    Raises:
        DamagedShardError: one is not.
    """
    for shard in shards:
        path = shards_dir / shard.file
        if path.name != shard.file:  # an index from elsewhere could name any file
            raise DamagedShardError(
                f"{path}: the index gives it this path; expected a file in {shards_dir}. "
                "Run `ferdata pack` again to write it anew"
            )
        try:
            size = path.stat().st_size
        except OSError as error:
            raise DamagedShardError(
                f"{path}: {error.strerror}; run `ferdata pack` again to write it anew"
            ) from None
        if size != shard.bytes:
            raise DamagedShardError(
                f"{path}: has {size:,} bytes; the index says {shard.bytes:,}. "
                "Run `ferdata pack` again to write it anew"
            )
