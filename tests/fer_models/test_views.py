"""Test-time augmentation: views, and what predicts with them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fer_data.errors import SettingsError, UnknownNameError
from fer_models import predict
from fer_models.bundle import Bundle
from fer_models.predict import Predictor
from fer_models.predict_files import PredictSettings
from fer_models.views import NUM_VIEWS, check_tta, describe_tta, image_views, mean_probabilities
from fercli.options import tta_option

images_of_any_size = st.tuples(
    st.integers(0, 3), st.integers(12, 60), st.integers(12, 60), st.sampled_from([1, 2, 3, 5])
).flatmap(lambda shape: hnp.arrays(np.uint8, shape))


def mirrored(images):
    return images[:, :, ::-1]


@settings(deadline=None)
@given(images_of_any_size, st.sampled_from(list(NUM_VIEWS)))
def test_views_are_as_many_as_said_and_of_the_same_form(images, tta):
    before = images.copy()
    views = list(image_views(images, tta))
    assert len(views) == NUM_VIEWS[tta]
    assert {(view.shape, view.dtype) for view in views} == {(images.shape, images.dtype)}
    np.testing.assert_array_equal(images, before)


@settings(deadline=None)
@given(images_of_any_size, st.sampled_from(["flip", "ten-crop"]))
def test_a_mirrored_image_has_the_same_views(images, tta):
    def kinds(images):
        return sorted(view.tobytes() for view in image_views(images, tta))

    assert kinds(mirrored(images)) == kinds(images)


@settings(deadline=None)
@given(st.integers(12, 400))
def test_a_crop_keeps_eleven_twelfths_of_a_side(side):
    """A ramp of brightness says which part of it a crop shows."""
    ramp = np.linspace(0, 255, side)
    image = np.tile(ramp.astype(np.uint8)[None, None, :, None], (1, 12, 1, 1))
    spans = {(int(v[0, 0].min()), int(v[0, 0].max())) for v in image_views(image, "ten-crop")}
    kept = [(high - low) / 255 * (side - 1) + 1 for low, high in spans]
    pixel = side / 255 + 1
    assert kept == pytest.approx([side * 11 / 12] * len(kept), abs=2 * pixel)
    assert min(low for low, _ in spans) == 0
    assert max(high for _, high in spans) == image.max()


def test_crops_are_the_corners_and_the_middle():
    image = np.zeros((1, 48, 48, 1), np.uint8)
    image[0, :4, :4], image[0, :4, -4:], image[0, -4:, :4], image[0, -4:, -4:] = 50, 100, 150, 200
    crops = list(image_views(image, "ten-crop"))[::2]
    corners = [tuple(int(c[0, y, x, 0]) for y in (0, -1) for x in (0, -1)) for c in crops]
    assert corners[:4] == [(50, 0, 0, 0), (0, 100, 0, 0), (0, 0, 150, 0), (0, 0, 0, 200)]
    assert corners[4] == (50, 100, 150, 200)


@settings(deadline=None)
@given(st.integers(0, 255), st.integers(12, 50))
def test_a_crop_of_one_grey_is_that_grey(grey, side):
    image = np.full((1, side, side, 3), grey, np.uint8)
    assert all((view == grey).all() for view in image_views(image, "ten-crop"))


class Counting:
    """A network that says how bright the left of an image is, and counts what it is asked."""

    output_shape = (None, 2)

    def __init__(self):
        self.most = 0

    def predict(self, images, batch_size, verbose):
        self.most = max(self.most, len(images))
        share = (
            images[:, :, : images.shape[2] // 3 + 1].mean(axis=(1, 2, 3), dtype=np.float64) / 255
        )
        return np.stack([share, 1 - share], axis=1).astype(np.float32)


def predictor(tta, shape=(16, 20, 1), network=None):
    bundle = Bundle(
        model="x", class_names=("a", "b"), image_shape=shape, color="gray", equalize="none",
        pixel_mean=(0.5,), pixel_std=(0.2,), dataset="made", index_sha256="", epoch=1,
        ferkit_version="0", keras_version="", model_sha256="", kind="sklearn",
    )  # fmt: skip
    return Predictor(bundle, network or Counting(), tta)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (50, 16, 20, 1), dtype=np.uint8)


@pytest.mark.parametrize("tta", NUM_VIEWS)
def test_probabilities_are_the_mean_of_views_predicted_one_by_one(images, tta):
    found = predictor(tta).predict(images)
    one_by_one = [predictor("none").predict(view) for view in image_views(images, tta)]
    np.testing.assert_array_equal(found, mean_probabilities(one_by_one))
    np.testing.assert_allclose(found, np.mean(one_by_one, axis=0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=0, atol=1e-6)
    assert found.dtype == np.float32
    assert predictor(tta).predict(images[:0]).shape == (0, 2)


def test_without_augmentation_it_is_what_the_network_says(images):
    expected = Counting().predict(images, 0, 0)
    np.testing.assert_array_equal(predictor("none").predict(images), expected)


def test_a_mirrored_image_gives_the_same_probabilities(images):
    plain = predictor("none")
    assert not np.array_equal(plain.predict(images), plain.predict(mirrored(images)))
    for tta in ("flip", "ten-crop"):
        found = predictor(tta)
        np.testing.assert_array_equal(found.predict(images), found.predict(mirrored(images)))


def test_views_are_predicted_a_slice_at_a_time(images, monkeypatch):
    whole = predictor("ten-crop").predict(images)
    monkeypatch.setattr(predict, "_SLICE_SIZE", 16)
    network, done = Counting(), []
    parts = predictor("ten-crop", network=network).predict(images, lambda *n: done.append(n))
    np.testing.assert_array_equal(parts, whole)
    assert network.most == 16
    assert done == sorted(done)
    assert done[-1] == (50, 50)


def test_what_there_is_not_is_refused():
    with pytest.raises(UnknownNameError, match='unknown test-time augmentation "flop"'):
        PredictSettings(tta="flop")
    with pytest.raises(SettingsError, match="8x30 pixels are too small to be cropped"):
        predictor("ten-crop", (8, 30, 1))
    for tta in ("none", "flip"):
        check_tta(tta, (1, 1, 1))
    assert predictor("flip", (1, 1, 1)).predict(np.zeros((2, 1, 1, 1), np.uint8)).shape == (2, 2)


def test_the_option_and_the_notes_know_every_name():
    command = tta_option(lambda: None)
    (option,) = command.__click_params__
    assert tuple(option.type.choices) == tuple(NUM_VIEWS)
    assert json.dumps([len(describe_tta(tta)) for tta in NUM_VIEWS]) == "[0, 1, 1]"
