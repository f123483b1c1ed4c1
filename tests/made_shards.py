"""Folders of shards made of any arrays, without a data set; and how Hypothesis makes them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fer_data.emotions import EMOTIONS
from fer_data.shards.index import (
    INDEX_NAME,
    SPLITS,
    ClassCount,
    ShardEntry,
    ShardIndex,
    class_weights,
)
from fer_data.shards.npz import encode_npz
from fer_data.shards.samples import Samples

NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
ODD_NAMES = (*EMOTIONS, "müde", "tired/bored", "con", "a:b", "a?b", "train", "喜び", "x.y")


def make_samples(
    images: NDArray[np.uint8],
    labels: Sequence[int],
    keys: Sequence[str],
    parents: Sequence[str] | None = None,
    votes: NDArray[np.float32] | None = None,
) -> Samples:
    return Samples(
        images=images,
        labels=np.array(labels, np.int64),
        keys=np.array(keys, np.str_),
        parents=np.array(parents if parents is not None else [""] * len(labels), np.str_),
        votes=votes,
    )


def make_shards(
    folder: Path,
    splits: Mapping[str, Samples],
    class_names: Sequence[str] = NAMES,
    *,
    shard_samples: int = 4,
    name: str = "made",
) -> ShardIndex:
    """Writes shards and their index as `ferdata pack` does."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    counts: dict[str, dict[str, ClassCount]] = {}
    for split in SPLITS:
        if split not in splits:
            continue
        samples = splits[split]
        copies = samples.parents != ""
        counts[split] = {
            name: ClassCount(
                original=int(((samples.labels == label) & ~copies).sum()),
                augmented=int(((samples.labels == label) & copies).sum()),
            )
            for label, name in enumerate(class_names)
        }
        num_shards = -(-len(samples) // shard_samples)
        for number in range(num_shards):
            part = samples.select(slice(number * shard_samples, (number + 1) * shard_samples))
            fields: dict[str, NDArray[Any]] = {
                "images": part.images, "labels": part.labels, "keys": part.keys,
                "parents": part.parents,
            }  # fmt: skip
            if part.votes is not None:
                fields["votes"] = part.votes
            encoded = encode_npz(fields)
            file = f"{split}-{number:05d}-of-{num_shards:05d}.npz"
            (folder / file).write_bytes(encoded.data)
            shards.append(
                ShardEntry(
                    file=file,
                    split=split,
                    num_samples=len(part),
                    bytes=len(encoded.data),
                    sha256=encoded.sha256,
                    arrays=encoded.arrays,
                )
            )
    shape = next(iter(splits.values())).images.shape[1:]
    train = {name: count.total for name, count in counts.get("train", {}).items()}
    weights = class_weights(train) if any(train.values()) else {}
    index = ShardIndex(
        ferkit_version="0",
        name=name,
        class_names=tuple(class_names),
        image_shape=(shape[0], shape[1], shape[2]),
        seed=0,
        counts=counts,
        class_weights={"original": weights, "balanced": weights},
        pixel_mean=(0.5,) * shape[2],
        pixel_std=(0.25,) * shape[2],
        leakage={"groups": 0, "samples": {}, "twins": {}},
        lineage={},
        shards=tuple(shards),
    )
    (folder / INDEX_NAME).write_text(index.to_json(), encoding="utf-8")
    return index


#: Keys as sources give them: no surrogates, and NumPy's text ends at its last character but NUL.
KEYS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)


@st.composite
def made_splits(
    draw: st.DrawFn,
    *,
    shapes: st.SearchStrategy[tuple[int, int, int]] | None = None,
    class_names: st.SearchStrategy[Sequence[str]] | None = None,
    keys: st.SearchStrategy[str] = KEYS,
) -> tuple[dict[str, Samples], tuple[str, ...]]:
    """Samples of every split, from none to many, and class names."""
    sides = st.integers(1, 9)
    any_shape = st.tuples(sides, sides, st.sampled_from([1, 3]))
    shape = draw(shapes if shapes is not None else any_shape)
    any_names = st.lists(st.sampled_from(ODD_NAMES), min_size=1, max_size=9, unique=True)
    names = draw(class_names if class_names is not None else any_names)
    sizes = {split: draw(st.integers(0, 9)) for split in SPLITS}
    unique = iter(
        draw(
            st.lists(keys, min_size=sum(sizes.values()), max_size=sum(sizes.values()), unique=True)
        )
    )
    has_votes = draw(st.booleans())
    splits = {}
    for split, size in sizes.items():
        own = [next(unique) for _ in range(size)]
        labels = [draw(st.integers(0, len(names) - 1)) for _ in own]
        parents = [
            own[0] if split == "train" and number and draw(st.booleans()) else ""
            for number in range(size)
        ]
        votes = None
        if has_votes:
            votes = draw(arrays(np.float32, (size, len(names)), elements=st.integers(0, 10)))
        images = draw(arrays(np.uint8, (size, *shape)))
        splits[split] = make_samples(images, labels, own, parents, votes)
    return splits, tuple(names)


def assert_same(found: Samples, expected: Samples) -> None:
    np.testing.assert_array_equal(found.images, expected.images)
    np.testing.assert_array_equal(found.labels, expected.labels)
    assert found.keys.tolist() == expected.keys.tolist()
    assert found.parents.tolist() == expected.parents.tolist()
    if expected.votes is None:
        assert found.votes is None
    else:
        np.testing.assert_array_equal(found.votes, expected.votes)


def numbered_samples(
    count: int,
    shape: tuple[int, int, int] = (8, 8, 1),
    *,
    split: str = "train",
    num_classes: int = 7,
    copies: int = 0,
) -> Samples:
    """Random pictures, classes in turn; the last `copies` are copies of the first."""
    rng = np.random.default_rng(count)
    labels = np.arange(count) % num_classes
    keys = [f"src/{split}/{label}/{n:03d}é.png" for n, label in enumerate(labels.tolist())]
    parents = [""] * count
    for number in range(count - copies, count):
        parents[number] = keys[number % num_classes]
        keys[number] = f"{parents[number]}#{number}"
    images = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    return make_samples(images, labels.tolist(), keys, parents)
