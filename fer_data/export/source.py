"""The samples that an export takes out of the shards, in an order of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fer_data.errors import DamagedShardError
from fer_data.shards.index import INDEX_NAME, ShardIndex
from fer_data.shards.reader import iterate_shards
from fer_data.shards.samples import Samples, batches_of

_BATCH_BYTES = 2**17  # of pixels at a time: few enough for the caches, many enough for NumPy
_BATCH_SAMPLES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSource:
    """What is exported.

    Attributes:
        shards_dir: folder of the shards.
        index: theirs.
        splits: those that are wanted, and hold samples.
        originals_only: whether augmented samples are left out.
        on_progress: called with (samples taken, samples in all).
        taken: split → class name → samples taken so far.
    """

    shards_dir: Path
    index: ShardIndex
    splits: tuple[str, ...]
    originals_only: bool = False
    on_progress: Callable[[int, int], None] | None = None
    taken: dict[str, Counter[str]] = field(default_factory=dict)

    def num_samples(self, split: str) -> int:
        """Samples of one split that are wanted, as the index says."""
        counts = self.index.counts.get(split, {}).values()
        return sum(count.original if self.originals_only else count.total for count in counts)

    def shard_samples(self, split: str) -> int:
        """Samples of the largest shard of one split: what a file of a sharded format holds too."""
        return max(1, *(shard.num_samples for shard in self.index.split_shards(split)))

    def batches(self, split: str) -> Iterator[Samples]:
        """The samples of one split, in order, a few megabytes at a time.

        Raises:
            DamagedShardError: a shard is not what the index says.
        """
        height, width, channels = self.index.image_shape
        fitting = _BATCH_BYTES // max(1, height * width * channels)
        size = min(_BATCH_SAMPLES, max(1, fitting))
        taken = self.taken.setdefault(split, Counter())
        num_all = sum(self.num_samples(each) for each in self.splits)
        expected = self.num_samples(split)
        for batch in batches_of(self._parts(split), size):
            taken.update(self.index.class_names[label] for label in batch.labels)
            yield batch
            if self.on_progress is not None:
                self.on_progress(sum(each.total() for each in self.taken.values()), num_all)
        if taken.total() != expected:
            raise DamagedShardError(
                f"{self.shards_dir / INDEX_NAME}: counts {expected} samples in {split}; the shards "
                f"hold {taken.total()}; run `ferdata pack` again to write it anew"
            )

    def _parts(self, split: str) -> Iterator[Samples]:
        for samples in iterate_shards(self.shards_dir, self.index, split):
            yield samples.select(samples.parents == "") if self.originals_only else samples
