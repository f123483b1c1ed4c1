"""Shards are held against the counts that a data set was published with."""

from __future__ import annotations

import dataclasses

import pytest

from fer_data.emotions import order_class_names
from fer_data.expectation import unmet_expectations
from fer_data.manifest import Manifest, load_manifest, manifest_names
from fer_data.shards.index import ClassCount, ShardIndex

FER2013 = load_manifest("fer2013")


def index_of(**changes: object) -> ShardIndex:
    counts = {
        split: {name: ClassCount(original=n, augmented=3) for name, n in classes.items()}
        for split, classes in FER2013.counts.items()
    }
    index = ShardIndex(
        ferkit_version="0.1.0", name="fer2013", class_names=tuple(FER2013.classes),
        image_shape=(48, 48, 1), seed=0, counts=counts, class_weights={}, pixel_mean=(0.5,),
        pixel_std=(0.2,), leakage={}, lineage={}, shards=(),
    )  # fmt: skip
    return dataclasses.replace(index, **changes)


def test_the_complete_data_set_is_as_expected_whatever_was_added_or_left_out() -> None:
    assert list(unmet_expectations(index_of(), FER2013)) == []
    counts = {split: dict(classes) for split, classes in index_of().counts.items()}
    whole = counts["train"]["happiness"].original
    counts["train"]["happiness"] = ClassCount(original=400, augmented=0, left_out=whole - 400)
    assert list(unmet_expectations(index_of(counts=counts), FER2013)) == []


@pytest.mark.parametrize(
    "manifest",
    [manifest for manifest in map(load_manifest, manifest_names()) if manifest.counts],
    ids=lambda manifest: manifest.name,
)
def test_every_known_data_set_can_be_as_expected(manifest: Manifest) -> None:
    counts: dict[str, dict[str, ClassCount]] = {"train": {}, "validation": {}}
    for split, classes in manifest.counts.items():
        for name, count in classes.items():
            if split != "all":
                part = {split: count}
            else:  # split by us
                part = {"train": count - count // 4, "validation": count // 4}
            for place, number in part.items():
                counts.setdefault(place, {})[name] = ClassCount(original=number, augmented=0)
    for split, total in manifest.totals.items():  # of classes that are not known
        counts[split] = {"anger": ClassCount(original=total, augmented=0)}
    names = order_class_names(manifest.classes)
    index = index_of(counts=counts, class_names=names)
    assert list(unmet_expectations(index, manifest)) == []
    missing = {split: dict(list(each.items())[1:]) for split, each in counts.items()}
    assert list(unmet_expectations(index_of(counts=missing, class_names=names), manifest))


def test_what_is_missing_is_named() -> None:
    counts = {split: dict(classes) for split, classes in index_of().counts.items()}
    counts["train"]["disgust"] = ClassCount(original=400, augmented=0)
    del counts["test"]
    problems = [problem.what for problem in unmet_expectations(index_of(counts=counts), FER2013)]
    assert problems == [
        "fer2013 train: differs from the complete set in 1 classes, for example disgust: "
        "400 of 436",
        "fer2013 test: absent (3,589 samples in the complete set)",
    ]
    names = index_of().class_names[::-1]
    (problem,) = unmet_expectations(index_of(class_names=names), FER2013)
    assert problem.what.startswith("has the classes neutral, surprise")
