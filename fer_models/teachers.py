"""Teachers: trained networks whose probabilities another one learns beside its labels.

Distillation after Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network",
arXiv:1503.02531, at temperature 1: bundles give probabilities, and the cross-entropy to a blend of
label and teacher is the blend of the two cross-entropies. Several teachers are an ensemble, whose
mean is learned.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.shards.index import ShardIndex
from fer_data.shards.reader import iterate_shards
from fer_models.bundle import Bundle, find_bundle, read_bundle
from fer_models.errors import OtherSettingsError
from fer_models.events import OnEvent, TeacherAsked
from fer_models.run import fingerprint_index


def check_teachers(
    teachers: Sequence[str], shards_dir: Path, index: ShardIndex, splits: tuple[str, ...]
) -> list[str]:
    """Refuses teachers that know other classes or images; returns what should be said of them.

    Args:
        teachers: folders of runs or bundles.
        shards_dir: folder of shards.
        index: of the shards.
        splits: that are learned from.

    Raises:
        MissingBundleError: there is none at one of the places.
        DamagedBundleError: one cannot be read.
        OtherSettingsError: one has other classes, or takes images of another shape.
    """
    notes = []
    for teacher in teachers:
        bundle = _read(teacher)
        try:
            bundle.check_shards(shards_dir, index)
        except OtherSettingsError as error:
            raise OtherSettingsError(
                f"{teacher}: cannot be the teacher ({error}); expected a run on shards with the "
                "same classes and size of image"
            ) from None
        if bundle.index_sha256 != fingerprint_index(shards_dir):
            notes.append(
                f"{teacher} was trained on other shards: if samples of the validation or test "
                "split were among what it learned from, figures on that split are too good."
            )
        elif set(bundle.splits) - set(splits):
            notes.append(
                f"{teacher} learned from the validation split: figures on it, and the epoch that "
                "they choose, are too good."
            )
    return notes


def fingerprint_teachers(teachers: Sequence[str]) -> str:
    """SHA-256 of what the networks of the teachers are, hex; empty without teachers.

    Raises:
        MissingBundleError: there is none at one of the places.
        DamagedBundleError: one cannot be read.
    """
    if not teachers:
        return ""
    bundles = [_read(teacher) for teacher in teachers]
    parts = [[bundle.model_sha256, bundle.extractor_sha256] for bundle in bundles]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def ask_teachers(
    teachers: Sequence[str],
    shards_dir: Path,
    index: ShardIndex,
    splits: tuple[str, ...],
    on_event: OnEvent,
) -> NDArray[np.float32]:
    """What the teachers say of every sample of some splits, in the order of the shards.

    Each is asked about an image and its mirror image.

    Args:
        teachers: folders of runs or bundles; one or more.
        shards_dir: folder of shards.
        index: of the shards.
        splits: whose samples they are asked about, copies made by balancing included.
        on_event: told of each teacher before it is asked.

    Returns:
        float32 array of shape (num_samples, num_classes): mean over teachers and both images; each
        row sums to 1.

    Raises:
        MissingBundleError: there is none at one of the places.
        DamagedBundleError: one cannot be read.
        DamagedShardError: a shard is not what the index says.
    """
    from fer_models.predict import Predictor

    num_samples = index.num_samples(*splits)
    found = np.zeros((num_samples, len(index.class_names)))
    for teacher in teachers:
        on_event(TeacherAsked(teacher=teacher, num_samples=num_samples))
        predictor = Predictor.load(teacher, tta="flip")
        start = 0
        for samples in chain(*(iterate_shards(shards_dir, index, split) for split in splits)):
            found[start : start + len(samples)] += predictor.predict(samples.images)
            start += len(samples)
    found /= len(teachers)
    return found.astype(np.float32)


def _read(teacher: str) -> Bundle:
    return read_bundle(find_bundle(Path(teacher)))
