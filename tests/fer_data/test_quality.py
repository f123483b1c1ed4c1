"""The stage: its table, its settings, and what must change no score."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.errors import SettingsError
from fer_data.files import write_array
from fer_data.image_scores import image_scores
from fer_data.quality import QualitySettings, measure_quality
from fer_data.scores import SCORES, score_names
from tests.fer_data.conftest import MakeDataset

COUNTS = {"train": {"anger": 40, "happiness": 30}, "validation": {"anger": 10}, "test": {"fear": 9}}
PCA_SCORES = ("pca_error", "pca_relative")


def scores_of(dataset: Dataset, name: str) -> NDArray[np.float64]:
    column: NDArray[np.float64] = dataset.table("quality")[name].to_numpy()
    return column


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_every_score_of_every_sample_is_published(make_dataset: MakeDataset, color: str) -> None:
    dataset = measure_quality(make_dataset(COUNTS, color=color), workers=1)
    table = dataset.table("quality")
    names = score_names(color, with_faces=False)
    assert table.column_names == ["key", *names]
    assert table["key"].equals(dataset.samples(["key"])["key"])
    for name in names:
        column = table[name]
        assert (column.type, column.null_count) == (pa.float64(), 0)
        values = column.to_numpy()
        assert values.min() >= SCORES[name].lowest, name
        assert values.max() <= SCORES[name].highest, name


def test_colour_has_a_score_that_grey_has_not() -> None:
    gray, rgb = (score_names(color, with_faces=False) for color in ("gray", "rgb"))
    assert set(rgb) - set(gray) == {"relfcs_uncentred"}
    assert set(score_names("gray", with_faces=True)) - set(gray) == {"face_score"}


@settings(deadline=None, max_examples=25)
@given(arrays(np.uint8, (3, 12, 12, 3)))
def test_no_picture_leaves_the_range_of_a_score(images: NDArray[np.uint8]) -> None:
    for pictures in (images, images[..., :1]):
        for name, values in image_scores(pictures).items():
            assert (values >= SCORES[name].lowest - 1e-9).all(), name
            assert (values <= SCORES[name].highest + 1e-9).all(), name


def test_number_of_workers_changes_nothing(make_dataset: MakeDataset) -> None:
    one = measure_quality(make_dataset(COUNTS, "one"), workers=1)
    two = measure_quality(make_dataset(COUNTS, "two"), workers=2)
    path = Path("quality.parquet")
    assert (one.dir / path).read_bytes() == (two.dir / path).read_bytes()
    assert one.fingerprint("quality") == two.fingerprint("quality")


def test_again_gives_the_same_and_touches_no_other_file(make_dataset: MakeDataset) -> None:
    first = measure_quality(make_dataset(COUNTS), workers=1)
    files = {p: p.read_bytes() for p in first.dir.rglob("*") if p.is_file()}
    second = measure_quality(first, workers=1)
    assert {p: p.read_bytes() for p in first.dir.rglob("*") if p.is_file()} == files
    assert second.fingerprint("quality") == first.fingerprint("quality")


def overwrite(dataset: Dataset, splits: set[str]) -> None:
    """Other pixels for the samples of some official splits."""
    samples = dataset.samples(["split"]).to_pylist()
    rng = np.random.default_rng(0)
    for block in range(dataset.num_blocks):
        images = np.array(dataset.pixels(block))
        for sample in samples:
            if sample["block"] == block and sample["split"] in splits:
                images[sample["row"]] = rng.integers(0, 256, images.shape[1:])
        write_array(dataset.block_path("pixels", block), images)


@pytest.mark.parametrize(
    ("changed", "is_same"), [({"validation", "test"}, True), ({"train"}, False)]
)
def test_official_validation_and_test_samples_are_not_fitted_on(
    make_dataset: MakeDataset, changed: set[str], is_same: bool
) -> None:
    before = measure_quality(make_dataset(COUNTS, "one", official=True), workers=1)
    after = make_dataset(COUNTS, "two", official=True)
    overwrite(after, changed)
    after = measure_quality(after, workers=1)
    splits = np.array(before.samples(["split"])["split"].to_pylist())
    for name in PCA_SCORES:
        untouched = ~np.isin(splits, list(changed))
        same = scores_of(before, name)[untouched] == scores_of(after, name)[untouched]
        assert same.all() == is_same
    assert before.stage("quality").counts["pca_samples"] == 70


def test_a_set_without_training_samples_is_fitted_on_all(make_dataset: MakeDataset) -> None:
    dataset = make_dataset({"test": {"anger": 12}}, official=True)
    dataset = measure_quality(dataset, workers=1)
    assert dataset.stage("quality").counts["pca_samples"] == 12


def test_settings_decide_the_components_and_are_kept(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(COUNTS)
    asked = QualitySettings(pca_components=3)
    few = measure_quality(dataset, asked, workers=1)
    assert few.stage("quality").counts["pca_components"] == 3
    assert QualitySettings.from_json(few.stage("quality").settings) == asked
    asked = QualitySettings(pca_variance=0.9)
    many = measure_quality(dataset, asked, workers=1)
    assert many.stage("quality").counts["pca_components"] > 3
    assert many.stage("quality").counts["pca_variance"] >= 0.9
    assert QualitySettings.from_json(many.stage("quality").settings) == asked
    assert (scores_of(many, "pca_error") <= scores_of(few, "pca_error")).all()


def test_progress_ends_at_all_samples(make_dataset: MakeDataset) -> None:
    seen: list[tuple[int, int]] = []
    measure_quality(make_dataset(COUNTS), workers=1, on_progress=lambda *step: seen.append(step))
    assert seen == sorted(seen)
    assert seen[-1] == (89, 89)


def test_a_blank_sample_stands_at_the_ends(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(COUNTS)
    images = np.array(dataset.pixels(0))
    images[3] = 128
    write_array(dataset.block_path("pixels", 0), images)
    dataset = measure_quality(dataset, workers=1)
    for name in ("entropy", "contrast", "sharpness", "edge_share", "effective_rank"):
        assert scores_of(dataset, name).argmin() == 3, name
    for name in ("flat_share", "relfcs", "relfcs_squared", "pca_relative"):
        assert scores_of(dataset, name).argmax() == 3, name


@pytest.mark.parametrize(
    ("name", "value"),
    [("pca_components", 0), ("pca_variance", 0.0), ("pca_variance", 1.0), ("pca_variance", -1.0)],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be .*; received {value}"):
        QualitySettings(**{name: value})


def test_a_face_score_without_weights_is_refused_before_any_work(
    make_dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("FERKIT_DETECTOR_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dataset = make_dataset(COUNTS)
    with pytest.raises(SettingsError, match="needs the weights of a detector"):
        measure_quality(dataset, QualitySettings(faces=True), workers=1)
    named = QualitySettings(faces=True, detector_weights=tmp_path / "none.onnx")
    with pytest.raises(SettingsError, match="no such file"):
        measure_quality(dataset, named, workers=1)


@pytest.mark.realdata
def test_the_face_score_is_published_where_it_is_asked_for(
    make_dataset: MakeDataset, real_data_dir: Path
) -> None:
    weights = real_data_dir / "yunet_n_640_640.onnx"
    asked = QualitySettings(faces=True, detector_weights=weights)
    dataset = measure_quality(make_dataset(COUNTS), asked, workers=2)
    assert dataset.table("quality").column_names[-1] == "face_score"
    # the place of the weights says nothing about the scores
    assert dataset.stage("quality").settings == QualitySettings(faces=True).to_json()


def test_the_documentation_has_every_score_as_it_is_registered() -> None:
    text = (Path(__file__).parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if re.match(r"\| `\w+` \|", line)
    ]
    expected = [
        [
            f"`{name}`",
            score.formula,
            f"{score.lowest:g} to {score.highest:,.0f}",
            score.low_side or "nothing",
            score.high_side or "nothing",
            score.source,
        ]
        for name, score in SCORES.items()
    ]
    assert rows == expected
