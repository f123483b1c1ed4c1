"""Progressive resolution: what is learned from smaller images, and what stays as it was."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from fer_data.errors import SettingsError
from fer_models import fitting, session, train
from fer_models.augmentation import AugmentSettings
from fer_models.events import BatchDone
from fer_models.image_growth import (
    GrowingSide,
    shrinking_matrix,
    side_of_epoch,
    with_growth,
)
from fer_models.settings import SIDE_STEP, TrainSettings
from fer_models.zoo import NetworkSpec, build_network
from tests.fer_models.same_run import assert_same_run
from tests.fer_models.tiny_network import build_plain

SIDE = 24
USUAL = TrainSettings(
    epochs=4, batch_size=16, learning_rate=3e-3, first_side=8, grow_epochs=3, seed=3,
    augment=AugmentSettings(),
)  # fmt: skip


def build_pooling(_name, spec):
    """A network that takes images of any side."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(spec.image_shape, dtype="uint8"),
            layers.Rescaling(1 / 255.0),
            layers.Conv2D(6, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.25),
            layers.Dense(spec.num_classes, activation="softmax"),
        ],
        name="pooling",
    )


@pytest.fixture
def shards_dir(make_shards):
    sizes = {"train": [40, 40, 17], "validation": [30]}
    return make_shards(sizes, image_shape=(SIDE, SIDE, 1))[0]


def spec_of(side):
    return NetworkSpec(
        image_shape=(side, side, 1), num_classes=7, pixel_mean=(0.5,), pixel_std=(0.25,)
    )


@given(
    first=st.integers(1, 60), more=st.integers(1, 60), grow=st.integers(1, 50),
    epochs=st.integers(50, 60),
)  # fmt: skip
def test_images_grow_evenly_to_their_own_side(first, more, grow, epochs):
    side = first + more
    settings = TrainSettings(epochs=epochs, first_side=first, grow_epochs=grow)
    sides = [side_of_epoch(settings, epoch, side) for epoch in range(epochs)]
    assert sides == sorted(sides)
    assert sides[0] == first
    assert set(sides[grow:]) <= {side}
    assert max(sides[:grow]) < side
    assert all((each - first) % SIDE_STEP == 0 for each in sides[:grow])
    counts = [sides[:grow].count(each) for each in set(sides[:grow])]
    assert max(counts) - min(counts) <= 1


def test_images_of_an_own_side_throughout_never_change():
    settings = TrainSettings(epochs=3)
    assert [side_of_epoch(settings, epoch, 48) for epoch in range(3)] == [48, 48, 48]


@pytest.mark.parametrize(("before", "after"), [(48, 24), (48, 40), (33, 16), (8, 8)])
def test_shrinking_is_antialiased_bilinear_interpolation(before, after):
    pixels = np.random.default_rng(0).integers(0, 256, (3, before, before, 1)).astype(np.float32)
    matrix = shrinking_matrix(before, after)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-6)
    ours = np.einsum("bhwc,yh,xw->byxc", pixels, matrix, matrix)
    theirs = tf.image.resize(pixels, (after, after), "bilinear", antialias=True).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-2)


@pytest.mark.parametrize("name", ["fer-lite", "fer-resnet18"])
def test_the_network_is_the_same_one_at_every_side(name):
    network, side = build_network(name, spec_of(SIDE)), GrowingSide(8)
    grown = with_growth(network, side)
    assert all(a is b for a, b in zip(network.weights, grown.weights, strict=True))
    images = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 1), dtype=np.uint8)
    matrix = shrinking_matrix(SIDE, 8)
    small = np.einsum("bhwc,yh,xw->byxc", images, matrix, matrix).round().astype(np.uint8)
    smaller = build_network(name, spec_of(8))
    smaller.set_weights(network.get_weights())
    np.testing.assert_allclose(np.array(grown(images)), np.array(smaller(small)), atol=1e-5)
    side.now = SIDE
    np.testing.assert_array_equal(np.array(grown(images)), np.array(network(images)))


def test_each_epoch_learns_from_images_of_its_side(shards_dir, tmp_path, monkeypatch):
    seen = []

    def build(name, spec):
        network = build_pooling(name, spec)
        call = network.layers[1].call

        def watched(inputs, *args, **kwargs):
            if inputs.shape[1] is not None:
                seen.append(inputs.shape[1])
            return call(inputs, *args, **kwargs)

        network.layers[1].call = watched
        return network

    monkeypatch.setattr(session, "build_network", build)
    report = train.train(shards_dir, tmp_path / "run", USUAL)
    learned = [side for side in dict.fromkeys(seen) if side != SIDE]  # judged at its own side too
    assert learned == [8, 16]
    assert seen[-1] == SIDE
    assert [row.epoch for row in report.history] == [1, 2, 3, 4]


class KilledError(Exception):
    pass


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_run_killed_while_its_images_grow_goes_on_as_if_it_had_not_been(
    shards_dir, tmp_path, monkeypatch, epoch
):
    monkeypatch.setattr(session, "build_network", build_pooling)
    monkeypatch.setattr(fitting, "_SECONDS_BETWEEN_EVENTS", 0.0)
    settings = dataclasses.replace(USUAL, save_minutes=0.0)

    def kill(event):
        if isinstance(event, BatchDone) and (event.epoch, event.batch) >= (epoch + 1, 3):
            raise KilledError

    train.train(shards_dir, tmp_path / "whole", USUAL)
    with pytest.raises(KilledError):
        train.train(shards_dir, tmp_path / "killed", settings, kill)
    train.train(shards_dir, tmp_path / "killed", settings, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


def test_images_grow_without_other_changes_too(shards_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "build_network", build_pooling)
    settings = dataclasses.replace(USUAL, augment=None, epochs=3)
    report = train.train(shards_dir, tmp_path / "run", settings)
    assert report.stopped == "finished"


@pytest.mark.parametrize("name", ["cnn4-sched", "dnn", "tiny"])
def test_a_network_of_one_size_is_refused_before_a_run_is_begun(
    shards_dir, tmp_path, monkeypatch, name
):
    if name == "tiny":
        monkeypatch.setattr(session, "build_network", build_plain)
    settings = dataclasses.replace(USUAL, model="cnn4" if name == "tiny" else name)
    with pytest.raises(SettingsError, match=r"first_side 8: .* takes images of 24x24 only"):
        train.train(shards_dir, tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()


def test_sides_that_make_no_sense_are_refused(shards_dir, make_shards, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "build_network", build_pooling)
    with pytest.raises(SettingsError, match="first_side and grow_epochs belong together"):
        TrainSettings(first_side=8)
    with pytest.raises(SettingsError, match="grow_epochs must be at most the 4 epochs"):
        dataclasses.replace(USUAL, grow_epochs=5)
    with pytest.raises(SettingsError, match=r"smaller at first; received 24 for images of 24x24"):
        train.train(shards_dir, tmp_path / "run", dataclasses.replace(USUAL, first_side=24))
    wide = make_shards({"train": [20]}, image_shape=(16, 24, 1))[0]
    with pytest.raises(SettingsError, match=r"square images smaller .* received 8 for .* 16x24"):
        train.train(wide, tmp_path / "run", USUAL)
    assert not (tmp_path / "run").exists()
