"""Codes, orders, splits and counts of the data sets, as their publications and files have them.

Written down a second time, apart from the manifests: two class names that change places would
still add up.
"""

from __future__ import annotations

import pytest

from fer_data.manifest import load_manifest

#: manifest → its codes in order, each with its class
CODES = {
    "fer2013": "0 anger 1 disgust 2 fear 3 happiness 4 sadness 5 surprise 6 neutral",
    "ferplus": "0 neutral 1 happiness 2 surprise 3 sadness 4 anger 5 disgust 6 fear 7 contempt",
    "rafdb": "1 surprise 2 fear 3 disgust 4 happiness 5 sadness 6 anger 7 neutral",
    "affectnet": "0 neutral 1 happiness 2 sadness 3 surprise 4 fear 5 disgust 6 anger 7 contempt",
    "affectnet-96": (
        "anger anger contempt contempt disgust disgust fear fear happy happiness neutral neutral "
        "sad sadness surprise surprise"
    ),
    "ckplus": "0 neutral 1 anger 2 contempt 3 disgust 4 fear 5 happiness 6 sadness 7 surprise",
    "ck48": (
        "anger anger contempt contempt disgust disgust fear fear happy happiness "
        "sadness sadness surprise surprise"
    ),
    "jaffe": "AN anger DI disgust FE fear HA happiness NE neutral SA sadness SU surprise",
    "expw": "0 anger 1 disgust 2 fear 3 happiness 4 sadness 5 surprise 6 neutral",
}
#: (manifest, split) → samples a class, in the order of the codes
COUNTS = {
    ("fer2013", "train"): "3995 436 4097 7215 4830 3171 4965",
    ("fer2013", "validation"): "467 56 496 895 653 415 607",
    ("fer2013", "test"): "491 55 528 879 594 416 626",
    ("rafdb", "train"): "1290 281 717 4772 1982 705 2524",
    ("rafdb", "test"): "329 74 160 1185 478 162 680",
    ("affectnet", "train"): "74874 134415 25459 14090 6378 3803 24882 3750",
    ("affectnet", "validation"): "500 500 500 500 500 500 500 500",
    ("affectnet-96", "all"): "3218 2871 2477 3176 5044 5126 3091 4039",
    ("ck48", "all"): "135 54 177 75 207 84 249",
    ("jaffe", "all"): "30 29 32 31 30 31 30",
    ("expw", "all"): "3671 3995 1088 30537 10559 7060 34883",
}
#: manifest → official splits; all others have none
SPLITS = {
    "fer2013": {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"},
    "ferplus": {"train": "Train", "validation": "Valid", "test": "Test"},
    "rafdb": {"train": "train", "test": "test"},
    "affectnet": {"train": "training", "validation": "validation"},
}


@pytest.mark.parametrize("name", CODES)
def test_codes_stand_for_the_published_classes_in_order(name: str) -> None:
    words = CODES[name].split()
    manifest = load_manifest(name)
    for code, class_name in zip(words[::2], words[1::2], strict=True):
        assert manifest.class_name(code) == class_name
    assert list(manifest.classes) == words[1::2]


@pytest.mark.parametrize(("name", "split"), COUNTS)
def test_counts_are_the_published_ones_class_by_class(name: str, split: str) -> None:
    classes = CODES[name].split()[1::2]
    expected = dict(zip(classes, map(int, COUNTS[name, split].split()), strict=True))
    assert load_manifest(name).counts[split] == expected


def test_ckplus_has_one_neutral_and_three_peak_frames_of_each_labelled_sequence() -> None:
    sequences = {
        "anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28,
        "surprise": 83,
    }  # fmt: skip
    assert sum(sequences.values()) == 327
    peaks = {name: 3 * count for name, count in sequences.items()}
    assert load_manifest("ck48").counts["all"] == peaks
    assert load_manifest("ckplus").counts["all"] == {"neutral": 327, **peaks}


@pytest.mark.parametrize("name", CODES)
def test_splits_are_those_of_the_authors(name: str) -> None:
    manifest = load_manifest(name)
    assert set(manifest.splits) == set(SPLITS.get(name, {}))
    for split, word in SPLITS.get(name, {}).items():
        assert manifest.split_name(word) == split


def test_what_affectnet_says_of_pictures_without_an_emotion_is_no_class() -> None:
    manifest = load_manifest("affectnet")
    assert manifest.unused == {"8": "no-emotion", "9": "uncertain", "10": "not-a-face"}
    assert [manifest.class_name(code) for code in manifest.unused] == [None, None, None]
