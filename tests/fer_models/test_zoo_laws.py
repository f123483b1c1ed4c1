"""What every Keras network keeps to, whatever it is built for."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np
import pytest

from fer_models.bundle import load_network, read_bundle, write_bundle
from fer_models.zoo import NETWORKS, NetworkSpec, build_network

HEAVY = {"emosense-8l", "emosense-10l", "fer-resnet18", "vgg16", "resnet50", "mobilenet"}
NAMES = [name for name, network in NETWORKS.items() if network.kind == "keras"]
LIGHT = [name for name in NAMES if name not in HEAVY]
ALL_FORMS = [
    ((side, side, channels), classes)
    for channels, side, classes in itertools.product((1, 3), (48, 96), (7, 8))
]
TWO_FORMS = [((48, 48, 1), 7), ((96, 96, 3), 8)]
FORMS = [(name, form) for name in NAMES for form in (TWO_FORMS if name in HEAVY else ALL_FORMS)]
VARIANTS = [*((name, "") for name in LIGHT), ("cnn4-sched", "plain")]  # of other layers


def make_spec(image_shape, num_classes, **changes):
    channels = image_shape[2]
    usual = NetworkSpec(
        image_shape=image_shape,
        num_classes=num_classes,
        pixel_mean=(0.5,) * channels,
        pixel_std=(0.25,) * channels,
        weights="none",
    )
    return dataclasses.replace(usual, **changes)


@functools.cache
def built(name, image_shape=(48, 48, 1), num_classes=7):
    """A network that no test trains."""
    return build_network(name, make_spec(image_shape, num_classes))


def fresh(name, spec, seed=0):
    import keras

    keras.utils.set_random_seed(seed)
    return build_network(name, spec)


def compiled(network, rate, *, eager):
    """Compiled; `eager` saves the seconds that a graph takes to make, for a few steps."""
    import keras

    loss = "sparse_categorical_crossentropy"
    network.compile(keras.optimizers.Adam(rate), loss, run_eagerly=eager)
    return network


def draw_samples(number, image_shape, num_classes):
    """Noisy pictures of as many patterns as there are classes, and which pattern each is of."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 216, (num_classes, 4, 4, image_shape[2]))
    rows = np.arange(image_shape[0]) * 4 // image_shape[0]
    patterns = coarse[:, rows][:, :, rows]  # (num_classes, side, side, channels)
    labels = np.arange(number) % num_classes
    pixels = patterns[labels] + rng.integers(-20, 21, (number, *image_shape))
    return pixels.astype(np.uint8), labels


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_raw_pixels_of_every_form_become_probabilities(name, form):
    network = built(name, *form)
    pixels, _ = draw_samples(2, *form)
    probabilities = np.array(network(pixels))
    assert (probabilities.shape, probabilities.dtype) == ((2, form[1]), np.float32)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert not np.array_equal(probabilities[0], probabilities[1])


@pytest.mark.parametrize("name", NAMES)
def test_no_network_is_put_together_anew_at_each_layer_when_it_is_loaded(name):
    import keras

    assert not isinstance(built(name, (48, 48, 1), 7), keras.Sequential)


@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_keeps_weights_and_probabilities_in_float32(name):
    import keras

    network = fresh(name, make_spec((48, 48, 1), 7, precision="mixed_bfloat16"))
    assert keras.config.dtype_policy().name == "float32"
    assert {weight.dtype for weight in network.weights} == {"float32"}
    inner = [layer.layers for layer in network.layers if hasattr(layer, "layers")]
    layers = [*network.layers, *itertools.chain(*inner)]
    computed = {layer.compute_dtype for layer in layers if "conv" in layer.name} or {
        layer.compute_dtype for layer in layers if "dense" in layer.name
    }
    assert computed == {"bfloat16"}
    probabilities = np.array(network(draw_samples(2, (48, 48, 1), 7)[0]))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", ["cnn4", "mobilenet"])
def test_mixed_precision_keeps_all_levels_of_the_pixels_apart(name):
    import keras

    network = fresh(name, make_spec((48, 48, 1), 7, precision="mixed_bfloat16"))
    layer = next(each for each in network.layers if isinstance(each, keras.layers.Rescaling))
    levels = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1)
    assert len(np.unique(np.array(layer(levels), np.float64))) == 256


@pytest.mark.parametrize(("name", "preset"), VARIANTS)
def test_64_samples_are_learned_without_a_fault(name, preset):
    shape = (NETWORKS[name].min_side,) * 2 + (1,)
    pixels, labels = draw_samples(64, shape, 7)
    network = compiled(fresh(name, make_spec(shape, 7, preset=preset)), 1e-3, eager=False)
    for _ in range(25):
        network.fit(pixels, labels, batch_size=16, epochs=2, verbose=0)
        right = np.array(network(pixels)).argmax(axis=1) == labels
        if right.all():
            break
    assert right.all()


@pytest.mark.parametrize("name", ["fer-lite", "fer-resnet18"])
def test_the_first_step_changes_every_kernel(name):
    shape = (16, 16, 1)
    network = compiled(fresh(name, make_spec(shape, 7)), 1e-3, eager=True)
    kernels = [weight for weight in network.trainable_weights if weight.name == "kernel"]
    before = [np.array(kernel) for kernel in kernels]
    network.train_on_batch(*draw_samples(14, shape, 7))
    moved = [not np.array_equal(old, new) for old, new in zip(before, kernels, strict=True)]
    assert [
        kernel.path for kernel, is_moved in zip(kernels, moved, strict=True) if not is_moved
    ] == []


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_two_steps_lower_the_loss(name):
    import keras

    shape = (48, 48, 1)
    pixels, labels = draw_samples(4, shape, 7)
    network = compiled(fresh(name, make_spec(shape, 7)), 1e-4, eager=True)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # its chance is larger than what two steps gain
    losses = [network.train_on_batch(pixels, labels) for _ in range(3)]
    assert losses[2] < losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_gives_the_same_weights_before_and_after_training(name):
    spec = make_spec((NETWORKS[name].min_side,) * 2 + (1,), 7)
    pixels, labels = draw_samples(8, spec.image_shape, 7)
    weights = []
    for seed in (3, 3, 4) if name in LIGHT else (3, 3):
        network = fresh(name, spec, seed)
        if name in LIGHT:
            compiled(network, 1e-3, eager=True).train_on_batch(pixels, labels)
        weights.append(network.get_weights())
    for one, same in zip(*weights[:2], strict=True):
        np.testing.assert_allclose(one, same, rtol=1e-5, atol=1e-7)
    if name in LIGHT:
        assert any((one != other).any() for one, other in zip(*weights[1:], strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_predicts_bit_for_bit_the_same(name, make_shards, tmp_path):
    _, index = make_shards({"train": [3]})
    names = tuple("abcdefg")
    index = dataclasses.replace(index, image_shape=(48, 48, 1), class_names=names)
    folder = write_bundle(tmp_path, built(name), index, model=name, index_sha256="00", epoch=1)
    loaded = load_network(folder, read_bundle(folder))
    pixels, _ = draw_samples(3, (48, 48, 1), 7)
    np.testing.assert_array_equal(np.array(loaded(pixels)), np.array(built(name)(pixels)))
