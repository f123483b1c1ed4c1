"""Groups of samples: every sample in exactly one, each judged as if it stood alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, parquet
from scipy.stats import binomtest

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.image_scores import image_scores
from fer_models import groups
from fer_models.groups import find_values, group_samples, read_attributes
from fer_models.intervals import wilson_interval
from fer_models.metrics import measure
from tests.made_shards import make_samples

NAMES = ("anger", "disgust", "fear")


def make_predictions(size, seed=0):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(len(NAMES)), size).astype(np.float32)
    return rng.integers(len(NAMES), size=size), probabilities


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_an_accuracy_is_wilsons(case):
    num_right, num_samples = case
    found = wilson_interval(num_right, num_samples)
    expected = binomtest(num_right, num_samples).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert found.low <= found.value <= found.high


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from([0.0, 0.0, 1.0, np.nan]), st.floats(-1e3, 1e3)), min_size=1)
)
def test_numbers_are_cut_into_groups_that_do_not_overlap(numbers):
    values = np.array(numbers)
    labels, probabilities = make_predictions(len(values))
    groups = group_samples("it", values, labels, probabilities, NAMES).groups
    assert sum(group.num_samples for group in groups) == len(values)
    assert len(groups) <= 6
    known = values[~np.isnan(values)]
    assert (groups[-1].name == "unknown") == (len(known) < len(values))
    if len(set(known)) > 5:
        assert len(groups) >= 2
    right = sum(round(group.accuracy.value * group.num_samples) for group in groups)
    assert right == np.count_nonzero(probabilities.argmax(axis=1) == labels)


def test_groups_of_numbers_hold_as_many_samples_each():
    values = np.random.default_rng(0).permutation(1000) / 10
    labels, probabilities = make_predictions(1000)
    groups = group_samples("it", values, labels, probabilities, NAMES).groups
    assert [group.num_samples for group in groups] == [200] * 5
    assert [group.name for group in groups][::4] == ["0 to 19.9", "80 to 99.9"]
    low = values < 20
    found = measure(labels[low], probabilities[low], NAMES)
    assert groups[0].accuracy.value == found.accuracy
    assert groups[0].macro_f1 == found.macro_f1
    assert groups[0].balanced_accuracy == found.balanced_accuracy


def test_words_are_groups_the_largest_first_and_the_unknown_last():
    values = np.array(["b"] * 40 + ["unknown"] * 50 + ["a"] * 10)
    labels, probabilities = make_predictions(100)
    groups = group_samples("it", values, labels, probabilities, NAMES).groups
    assert [(g.name, g.num_samples, g.is_small) for g in groups] == [
        ("b", 40, False), ("a", 10, True), ("unknown", 50, False),
    ]  # fmt: skip
    many = np.array([f"subject {number % 90}" for number in range(100)])
    groups = group_samples("it", many, labels, probabilities, NAMES).groups
    assert len(groups) == 20
    assert groups[-1].name == "others"
    assert sum(group.num_samples for group in groups) == 100


def test_samples_are_grouped_by_source_pixels_and_tables(tmp_path):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (4, 6, 6, 1), dtype=np.uint8)
    keys = ["ck/1.png", "ck/2.png", "jaffe/1.png", "jaffe/2.png"]
    samples = make_samples(images, [0, 1, 2, 0], keys)
    path = tmp_path / "it.csv"
    path.write_text("key,age,sex\nck/2.png,31,f\njaffe/1.png,,m\nother.png,5,f\n", encoding="utf-8")
    table = read_attributes(path, samples.keys)
    assert table["age"].tolist() == pytest.approx([np.nan, 31, np.nan, np.nan], nan_ok=True)
    assert table["sex"].tolist() == ["unknown", "f", "m", "unknown"]
    found = find_values(["source", "brightness", "sex"], samples, table)
    assert list(found) == ["source", "brightness", "sex"]
    assert found["source"].tolist() == ["ck", "ck", "jaffe", "jaffe"]
    assert found["brightness"].tolist() == image_scores(images)["brightness"].tolist()
    with pytest.raises(UnknownNameError, match='unknown group "brightnes".*"brightness"'):
        find_values(["brightnes"], samples, table)


def test_a_pose_needs_the_detector_and_is_measured_by_it(monkeypatch, tmp_path):
    images = np.zeros((2, 6, 6, 1), np.uint8)
    samples = make_samples(images, [0, 1], ["a/1", "a/2"])
    monkeypatch.setattr(groups, "find_detector_weights", lambda: None)
    with pytest.raises(SettingsError, match="ferdata inspect --download-detector"):
        find_values(["yaw"], samples, {})
    poses = {"yaw": np.array([3.0, np.nan]), "roll": np.array([-8.0, np.nan])}
    monkeypatch.setattr(groups, "find_detector_weights", lambda: tmp_path)
    monkeypatch.setattr(groups, "face_poses", lambda pixels, weights: poses)
    assert find_values(["roll", "source"], samples, {})["roll"] is poses["roll"]
    own = {"yaw": np.array([1.0, 2.0])}  # of a table: it comes first
    assert find_values(["yaw"], samples, own)["yaw"] is own["yaw"]


def test_attributes_of_a_data_set_are_columns(tmp_path):
    attributes = pa.array(
        [[("age", "20"), ("subject", "s1")], [("subject", "s2")], []],
        pa.map_(pa.string(), pa.string()),
    )
    votes = pa.array([[("joy", 3.0)], [("joy", 1.0)], None], pa.map_(pa.string(), pa.float32()))
    sides = {"width": [90, 50, 60], "height": [70, 80, 60]}
    table = pa.table(
        {"key": ["a/1", "a/2", "a/3"], "attributes": attributes, "votes": votes, **sides}
    )
    (tmp_path / "samples").mkdir()
    parquet.write_table(table, tmp_path / "samples" / "block-00000.parquet")
    for path in (tmp_path / "samples", tmp_path):
        found = read_attributes(path, np.array(["a/2", "a/1", "a/3"]))
        assert found["subject"].tolist() == ["s2", "s1", "unknown"]
        assert found["age"].tolist() == pytest.approx([np.nan, 20, np.nan], nan_ok=True)
        assert found["joy"].tolist() == pytest.approx([1, 3, np.nan], nan_ok=True)
        samples = make_samples(np.zeros((3, 6, 6, 1), np.uint8), [0, 1, 2], ["a/2", "a/1", "a/3"])
        assert find_values(["size"], samples, found)["size"].tolist() == [50, 70, 60]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"name": ["a"]}, "no column key among name"),
        ({"key": ["a", "a"]}, "a key stands there twice"),
        ({"key": ["z"]}, "names none of the 1 samples"),
    ],
)
def test_a_table_of_something_else_is_one_line(tmp_path, columns, message):
    path = tmp_path / "it.csv"
    csv.write_csv(pa.table(columns), path)
    with pytest.raises(SettingsError, match=message):
        read_attributes(path, np.array(["a"]))


@pytest.mark.parametrize("name", ["none.csv", "damaged.csv", "damaged.parquet", "none.parquet"])
def test_a_table_that_cannot_be_read_is_one_line(tmp_path, name):
    path = tmp_path / name
    if name.startswith("damaged"):
        path.write_bytes(b"key,a\n1\n2,3,4,5\n")
    with pytest.raises(SettingsError, match="expected a CSV or Parquet table") as caught:
        read_attributes(path, np.array(["a"]))
    assert "\n" not in str(caught.value)
