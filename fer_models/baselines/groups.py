"""Which samples must not be judged by what was learned of the others, and the folds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_data.shards.reader import Samples


@dataclass(frozen=True, slots=True)
class Fold:
    """One round of cross-validation.

    Attributes:
        train: int64 array: rows of the samples that are learned from, copies among them.
        judged: int64 array: rows of the originals that are judged.
    """

    train: NDArray[np.int64]
    judged: NDArray[np.int64]


def find_groups(samples: Samples) -> NDArray[np.int64]:
    """The number of each sample's group: originals with the same pixels, and their copies.

    It is all that shards know; subjects and near pictures are known to the data set alone.

    Returns:
        int64 array of shape (num_samples,).
    """
    numbers: dict[bytes, int] = {}
    group_of: dict[str, int] = {}
    groups = np.empty(len(samples), np.int64)
    is_copy = samples.parents != ""
    for row in np.flatnonzero(~is_copy):
        digest = hashlib.blake2b(samples.images[row].tobytes(), digest_size=16).digest()
        groups[row] = group_of[str(samples.keys[row])] = numbers.setdefault(digest, len(numbers))
    for row in np.flatnonzero(is_copy):
        # a copy whose original was left out stays with its other copies
        groups[row] = group_of.setdefault(str(samples.parents[row]), len(numbers) + len(group_of))
    return groups


def deal_folds(samples: Samples, num_folds: int, seed: int) -> list[Fold]:
    """The rounds of a cross-validation: stratified by class, no group in two folds.

    Groups are as small as twins are, so dealing those of one kind in turn is as even as
    scikit-learn's `StratifiedGroupKFold`, and needs no minute for 28,709 of them.

    Only originals are judged, each in one round. A copy is learned from in the rounds in which its
    original is, and in no other.

    Args:
        samples: of the train split.
        num_folds: how many.
        seed: of the deal.

    Raises:
        SettingsError: a class has fewer groups than there are folds.
    """
    groups = find_groups(samples)
    originals = np.flatnonzero(samples.parents == "")
    if not len(originals):
        raise SettingsError("the training samples are all copies; folds are made of originals")
    labels = samples.labels[originals]
    names, rows = np.unique(groups[originals], return_inverse=True)
    contents = np.zeros((len(names), int(labels.max()) + 1), np.int64)  # group x class: samples
    np.add.at(contents, (rows, labels), 1)
    found = (contents > 0).sum(axis=0)
    if found[found > 0].min() < num_folds:
        raise SettingsError(
            f"a class has {found[found > 0].min()} different originals, fewer than {num_folds} "
            "folds; ask for fewer --folds"
        )
    # groups with the same classes in them are dealt in turn, in a random order
    order = np.random.default_rng(seed).permutation(len(names))
    _, kinds = np.unique(contents, axis=0, return_inverse=True)
    order = order[np.argsort(kinds[order], kind="stable")]
    fold_of = np.empty(len(names), np.int64)
    fold_of[order] = np.arange(len(names)) % num_folds
    folds = []
    for number in range(num_folds):
        judged = originals[fold_of[rows] == number]
        train = np.flatnonzero(~np.isin(groups, groups[judged]))
        folds.append(Fold(train, judged))
    return folds
