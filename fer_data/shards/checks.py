"""What must hold of the samples of a packed data set, taken together and against its index."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.shards.index import INDEX_NAME, SPLITS, ShardEntry, ShardIndex, class_weights

AGAIN = "run `ferdata pack` again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is not as the index says.

    Attributes:
        file: name of the file.
        what: what was expected and found, and what to do.
        array: of the file; "" where it is about the whole file.
        byte_range: first byte of the array in the file, and the one behind its last; or None.
    """

    file: str
    what: str
    array: str = ""
    byte_range: tuple[int, int] | None = None

    def __str__(self) -> str:
        place = f"{self.file}: {self.array}" if self.array else self.file
        if self.byte_range is not None:
            place += f" (bytes {self.byte_range[0]} to {self.byte_range[1] - 1})"
        return f"{place}: {self.what}"


@dataclass(slots=True)
class Facts:
    """What was gathered over all shards.

    Attributes:
        num_samples: samples that were read.
        num_bytes: bytes that were read.
        counts: (split, label, augmented) → samples.
        labels: key of an original → its split and label.
        copies: (file, split, key, parent, label) of each augmented sample.
        twice: (file, key) of each sample whose key another one has.
        keys: all keys.
        images: hash of an original's pixels → the split and the key of each that has them.
        sums: of the pixels of the training originals, one a channel.
        squares: sums of their squares, one a channel.
    """

    num_samples: int = 0
    num_bytes: int = 0
    counts: Counter[tuple[str, int, bool]] = field(default_factory=Counter)
    labels: dict[str, tuple[str, int]] = field(default_factory=dict)
    copies: list[tuple[str, str, str, str, int]] = field(default_factory=list)
    twice: list[tuple[str, str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    images: dict[bytes, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    sums: list[int] = field(default_factory=list)
    squares: list[int] = field(default_factory=list)


def check_samples(
    arrays: dict[str, NDArray[Any]], shard: ShardEntry, index: ShardIndex, facts: Facts
) -> Iterator[Problem]:
    """Checks what can be told from one shard alone, and gathers the rest in `facts`."""
    images, labels = arrays["images"], arrays["labels"]
    keys, parents = arrays["keys"].tolist(), arrays["parents"].tolist()
    facts.num_samples += len(labels)
    wrong = np.flatnonzero((labels < 0) | (labels >= len(index.class_names)))
    if len(wrong):
        what = (
            f"{len(wrong)} labels are no class, for example {labels[wrong[0]]} of "
            f"{keys[wrong[0]]}; expected 0 to {len(index.class_names) - 1}; {AGAIN}"
        )
        yield Problem(file=shard.file, array="labels", what=what)
    copies = [key for key, parent in zip(keys, parents, strict=True) if parent]
    if copies and shard.split != "train":
        what = (
            f"{len(copies)} augmented samples in {shard.split}, for example {copies[0]}; expected "
            f"them in train only; {AGAIN}"
        )
        yield Problem(file=shard.file, array="parents", what=what)
    for image, label, key, parent in zip(images, labels.tolist(), keys, parents, strict=True):
        if key in facts.keys:
            facts.twice.append((shard.file, key))
        facts.keys.add(key)
        facts.counts[shard.split, label, bool(parent)] += 1
        if parent:
            facts.copies.append((shard.file, shard.split, key, parent, label))
        else:
            facts.labels[key] = (shard.split, label)
            facts.images[hashlib.sha256(image).digest()].append((shard.split, key))
    if shard.split == "train":
        # (n, H, W, C) -> (n*H*W, C)
        flat = images[arrays["parents"] == ""].reshape(-1, images.shape[-1])
        squares = np.square(flat, dtype=np.uint16)
        for channel in range(flat.shape[1]):
            facts.sums[channel] += int(flat[:, channel].sum(dtype=np.uint64))
            facts.squares[channel] += int(squares[:, channel].sum(dtype=np.uint64))


def check_keys(index: ShardIndex, facts: Facts, *, all_read: bool) -> Iterator[Problem]:
    """Keys are unique; every copy has its parent among the originals of train, of its class."""
    for file, number in Counter(file for file, _ in facts.twice).items():
        example = next(key for where, key in facts.twice if where == file)
        what = f"{number} keys stand here for a second time, for example {example}; {AGAIN}"
        yield Problem(file=file, array="keys", what=what)
    lost: dict[str, list[str]] = defaultdict(list)
    for file, split, key, parent, label in facts.copies:
        home = facts.labels.get(parent)
        if home is None and all_read:
            lost[file].append(f"{key}: its parent {parent} is not there")
        elif home is not None and split == "train" and home != ("train", label):
            known = 0 <= home[1] < len(index.class_names)
            name = index.class_names[home[1]] if known else home[1]
            lost[file].append(f"{key}: its parent {parent} is in {home[0]}, of class {name}")
    for file, lines in lost.items():
        what = f"{len(lines)} augmented samples have no parent of their class in train, for example"
        yield Problem(file=file, array="parents", what=f"{what} {lines[0]}; {AGAIN}")


def _differs(what: str, said: object, found: object) -> Problem:
    return Problem(file=INDEX_NAME, what=f"{what} says {said}; the shards have {found}; {AGAIN}")


def check_totals(index: ShardIndex, facts: Facts) -> Iterator[Problem]:
    """The index's counts, weights, mean and deviation, and what it declares as leakage."""
    for split in SPLITS:
        said_counts = index.counts.get(split, {})
        for label, name in enumerate(index.class_names):
            found = [facts.counts[split, label, augmented] for augmented in (False, True)]
            said = said_counts.get(name)
            numbers = [said.original, said.augmented] if said is not None else [0, 0]
            if numbers != found:
                yield _differs(f"counts of {name} in {split} (original, augmented)", numbers, found)
    yield from _check_left_out(index, facts)
    names = enumerate(index.class_names)
    train = {
        name: [facts.counts["train", label, augmented] for augmented in (False, True)]
        for label, name in names
    }
    for which, counts in (
        ("original", {n: numbers[0] + _left_out(index, n) for n, numbers in train.items()}),
        ("balanced", {name: sum(numbers) for name, numbers in train.items()}),
    ):
        weights = class_weights(counts) if any(counts.values()) else {}
        said_weights = index.class_weights.get(which, {})
        if any(said_weights.get(n) != w for n, w in weights.items()):
            yield _differs(f"class_weights of {which}", dict(said_weights), weights)
    num_pixels = sum(numbers[0] for numbers in train.values()) * math.prod(index.image_shape[:2])
    if num_pixels:
        moments = list(zip(facts.sums, facts.squares, strict=True))
        mean = tuple(s / (255 * num_pixels) for s, _ in moments)
        std = tuple(
            math.sqrt((num_pixels * q - s * s) / (255 * num_pixels) ** 2) for s, q in moments
        )
        for what, said_values, values in (
            ("pixel_mean", index.pixel_mean, mean),
            ("pixel_std", index.pixel_std, std),
        ):
            if len(said_values) != len(values) or not np.allclose(said_values, values, rtol=1e-12):
                yield _differs(what, list(said_values), list(values))
    yield from _check_leakage(index, facts)


def _check_leakage(index: ShardIndex, facts: Facts) -> Iterator[Problem]:
    """What the index says of identical images in several splits, against their pixels.

    What it says of near pictures cannot be seen in the shards.
    """
    leaking = [
        samples for samples in facts.images.values() if len({split for split, _ in samples}) > 1
    ]
    held = Counter(split for samples in leaking for split, _ in samples)
    found = {"groups": len(leaking), "samples": {s: held[s] for s in SPLITS if s in held}}
    said = {name: index.leakage.get(name) for name in found}
    if said != found:
        yield _differs("leakage (identical images in several splits)", said, found)
    twins: dict[tuple[str, str], set[str]] = defaultdict(set)
    for samples in leaking:
        places = {split for split, _ in samples}
        for split, key in samples:
            for other in places - {split}:
                twins[split, other].add(key)
    for split, other in itertools.permutations(SPLITS, 2):
        there, told = twins[split, other], index.twins(split, [other])
        if there != told:
            yield Problem(
                file=INDEX_NAME,
                what=f"leakage says that {len(told)} samples of {split} stand in {other} too; the "
                f"shards have {len(there)}, and {min(there ^ told)} is told by one of them alone; "
                f"{AGAIN}",
            )


def _left_out(index: ShardIndex, name: str, split: str = "train") -> int:
    """Originals of a class that the index says are kept out of the shards."""
    count = index.counts.get(split, {}).get(name)
    return count.left_out if count is not None else 0


def _check_left_out(index: ShardIndex, facts: Facts) -> Iterator[Problem]:
    """What the index says of samples that are not in the shards, against its lineage."""
    lineage = index.lineage.get("balance")
    if lineage is not None and "split" not in index.lineage:
        yield Problem(
            file=INDEX_NAME,
            what="lineage has balance but no split: an image and its copy may stand in two splits; "
            "run `ferdata split`, `ferdata balance` and `ferdata pack` again",
        )
    counts = lineage["counts"] if lineage is not None else {}
    for split in SPLITS:
        for label, name in enumerate(index.class_names):
            said = _left_out(index, name, split)
            planned = counts.get("left_out", {}).get(name, 0) if split == "train" else 0
            if said != planned:
                yield Problem(
                    file=INDEX_NAME,
                    what=f"counts of {name} in {split} says {said} left out; its lineage says "
                    f"{planned}; {AGAIN}",
                )
            elif split == "train" and "before" in counts:
                found = facts.counts[split, label, False] + said
                before = counts["before"].get(name, 0)
                if found != before:
                    yield Problem(
                        file=INDEX_NAME,
                        what=f"lineage says {before} training samples of {name} before balancing; "
                        f"the shards and what is left out make {found}; {AGAIN}",
                    )
