"""Duplicates of the real FER2013, Training and PublicTest: the published, pixel-exact counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fer_data.dataset import Dataset
from fer_data.duplicate_report import label_conflicts, leakage
from fer_data.duplicates import find_duplicates
from fer_data.ingest import IngestSettings, ingest

pytestmark = [pytest.mark.realdata, pytest.mark.xdist_group("realdata")]


@pytest.fixture(scope="module")
def dataset(real_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("duplicates")
    dataset, _ = ingest(real_data_dir / "fer2013.zip", folder / "dataset", IngestSettings())
    return find_duplicates(dataset)


@pytest.fixture(scope="module")
def samples(dataset: Dataset) -> pa.Table:
    return dataset.samples(["key", "label", "split"])


def test_exact_duplicates_are_those_of_the_pixels(dataset: Dataset) -> None:
    counts = dataset.stage("duplicates").counts
    assert counts["samples"] == 32_298
    assert (counts["unique"], counts["redundant"], counts["exact_groups"]) == (30_766, 1_532, 1_273)
    digests = Counter(dataset.samples(["pixel_sha256"])["pixel_sha256"].to_pylist())
    assert counts["unique"] == len(digests)
    assert counts["exact_groups"] == sum(number > 1 for number in digests.values())


def test_280_public_test_pictures_have_a_twin_in_training(
    dataset: Dataset, samples: pa.Table
) -> None:
    assert leakage(dataset.table("duplicates"), samples).to_pylist() == [
        {
            "one": "train",
            "other": "validation",
            "groups": 270,
            "samples_one": 351,
            "samples_other": 280,
        }
    ]


def test_47_groups_of_identical_pictures_carry_several_labels(
    dataset: Dataset, samples: pa.Table
) -> None:
    conflicts = label_conflicts(dataset.table("duplicates"), samples)
    # 57 in the whole set, PrivateTest included
    assert len(conflicts) == 47
    assert pc.sum(conflicts["within"]).as_py() == 40
    assert pc.sum(conflicts["across"]).as_py() == 13


def test_the_largest_conflict_is_of_12_black_pictures_under_five_labels(
    dataset: Dataset, samples: pa.Table
) -> None:
    conflicts = label_conflicts(dataset.table("duplicates"), samples)
    largest = max(conflicts.to_pylist(), key=lambda conflict: conflict["samples"])
    assert largest["samples"] == 12
    assert largest["labels"] == ["anger", "happiness", "neutral", "sadness", "surprise"]
    table = dataset.table("duplicates")
    keys = table.filter(pc.equal(table["exact"], largest["number"]))["key"].to_pylist()
    for row in dataset.samples(["key"]).to_pylist():
        if row["key"] in keys:
            assert not np.any(dataset.pixels(row["block"])[row["row"]])


def test_near_duplicates_are_about_as_many_as_when_they_were_judged(dataset: Dataset) -> None:
    # docs/decisions/0005-near-duplicates.md; last digits may differ with the linear algebra
    counts = dataset.stage("duplicates").counts
    assert counts["near"] == pytest.approx(3_077, rel=0.01)
    assert counts["mirrored"] == pytest.approx(54, abs=3)
    assert (counts["flat"], counts["crowded"]) == (3, 0)
