"""Shards of some of the samples of others: a fold to learn from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from fer_data.files import write_file
from fer_data.shards.index import INDEX_NAME, ClassCount, ShardEntry, ShardIndex, class_weights
from fer_data.shards.npz import encode_npz
from fer_data.shards.samples import Samples

_SHARD_BYTES = 16_000_000  # of pixels


def write_train_part(folder: Path, index: ShardIndex, samples: Samples) -> ShardIndex:
    """Writes a folder of shards whose train split is `samples`, and nothing else is in it.

    They are not compressed: what they are for takes longer than to read them. Whatever stood in the
    folder under the same names is written anew; the index comes last.

    Args:
        folder: made where it is not there.
        index: of the shards that the samples are of; what it says of pixels and lineage stays.
        samples: of its train split.

    Returns:
        The index that was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = max(1, _SHARD_BYTES // max(1, samples.images[:1].nbytes))
    num_shards = -(-len(samples) // size)
    shards = []
    for number in range(num_shards):
        part = samples.select(slice(number * size, (number + 1) * size))
        encoded = encode_npz(part.arrays(), "none")
        file = f"train-{number:05d}-of-{num_shards:05d}.npz"
        write_file(folder / file, encoded.data)
        shards.append(
            ShardEntry(
                file=file,
                split="train",
                num_samples=len(part),
                bytes=len(encoded.data),
                sha256=encoded.sha256,
                arrays=encoded.arrays,
            )
        )
    is_copy = samples.parents != ""
    whole = index.counts["train"]
    counts = {
        name: ClassCount(
            original=int(((samples.labels == label) & ~is_copy).sum()),
            augmented=int(((samples.labels == label) & is_copy).sum()),
            left_out=whole[name].left_out if name in whole else 0,
        )
        for label, name in enumerate(index.class_names)
    }
    found = dataclasses.replace(
        index,
        counts={"train": counts},
        class_weights={
            "original": class_weights({name: each.before for name, each in counts.items()}),
            "balanced": class_weights({name: each.total for name, each in counts.items()}),
        },
        leakage={"groups": 0, "samples": {}, "twins": {}},
        shards=tuple(shards),
        container="npz",
    )
    write_file(folder / INDEX_NAME, found.to_json().encode())
    return found
