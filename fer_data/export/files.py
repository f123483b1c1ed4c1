"""Files of a sharded format: split-00000-of-00012 and so on, sized like the shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fer_data.errors import DamagedShardError
from fer_data.export.source import ExportSource
from fer_data.shards.samples import Samples


def numbered_files(
    source: ExportSource, split: str, folder: Path, ending: str
) -> Iterator[tuple[Path, Iterator[Samples]]]:
    """Each file of one split, and the samples that it is to hold; to be used up in order.

    Raises:
        DamagedShardError: a shard is not what the index says.
    """
    size = source.shard_samples(split)
    num_files = -(-source.num_samples(split) // size)
    waiting = source.batches(split)
    rest: list[Samples] = []

    def fill() -> Iterator[Samples]:
        left = size
        while left and (batch := rest.pop() if rest else next(waiting, None)) is not None:
            if len(batch) > left:
                rest.append(batch.select(slice(left, None)))
                batch = batch.select(slice(left))
            left -= len(batch)
            yield batch

    for number in range(num_files):
        yield folder / f"{split}-{number:05d}-of-{num_files:05d}{ending}", fill()
    if next(waiting, None) is not None or rest:
        raise DamagedShardError(
            f"{source.shards_dir}: {split} holds more samples than its index counts; "
            "run `ferdata pack` again to write it anew"
        )
