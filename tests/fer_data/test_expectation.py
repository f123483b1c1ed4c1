"""Shards are held against the counts that a data set was published with."""

from __future__ import annotations

import dataclasses

from fer_data.expectation import unmet_expectations
from fer_data.manifest import load_manifest
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
