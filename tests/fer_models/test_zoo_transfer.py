"""Transfer networks: how they prepare pixels, what learns, and where their weights come from."""

from __future__ import annotations

import dataclasses
import shutil
import urllib.error

import h5py
import numpy as np
import pytest

from fer_data.errors import SettingsError
from fer_models import session, train
from fer_models.errors import MissingWeightsError
from fer_models.settings import TrainSettings
from fer_models.zoo import (
    NETWORKS,
    NetworkSpec,
    build_network,
    mobilenet,
    network_defaults,
    resnet50,
    vgg16,
)
from fer_models.zoo.transfer import build_features

BACKBONES = {
    "vgg16": vgg16.BACKBONE,
    "resnet50": resnet50.BACKBONE,
    "mobilenet": mobilenet.BACKBONE,
}


def make_spec(side=128, channels=3, **changes):
    usual = NetworkSpec(
        image_shape=(side, side, channels),
        num_classes=7,
        pixel_mean=(0.5,) * channels,
        pixel_std=(0.25,) * channels,
        weights="none",
    )
    return dataclasses.replace(usual, **changes)


def body_of(network):
    return next(layer for layer in network.layers if hasattr(layer, "layers"))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", BACKBONES)
def test_pixels_are_prepared_as_its_authors_did(name, channels):
    import keras

    network = build_network(name, make_spec(channels=channels))
    prepared = keras.Model(network.input, network.get_layer("prepare").output)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 128, 128, channels), dtype=np.uint8)
    application = getattr(keras.applications, name)
    colored = np.repeat(pixels, 3 // channels, axis=3).astype(np.float32)
    expected = application.preprocess_input(colored)
    np.testing.assert_allclose(np.array(prepared(pixels)), expected, atol=1e-4)


@pytest.mark.parametrize("name", BACKBONES)
def test_only_pictures_below_its_side_are_enlarged(name):
    side = BACKBONES[name].side
    for given in (8, side - 1, side, side + 16):
        network = build_features(make_spec(given, 1), BACKBONES[name])
        assert body_of(network).input_shape == (None, *(max(given, side),) * 2, 3)
        enlarged = any(layer.name == "enlarge" for layer in network.layers)
        assert enlarged == (given < side)
    assert f"at least {side}x{side}" in NETWORKS[name].summary


def test_oblong_pictures_keep_their_ratio():
    network = build_features(make_spec(image_shape=(48, 96, 1)), mobilenet.BACKBONE)
    assert body_of(network).input_shape == (None, 128, 256, 3)


def test_a_finetuned_backbone_is_spared_while_the_head_is_random():
    for name in ("vgg16", "resnet50", "mobilenet"):
        usual = network_defaults(name)
        assert (usual.preset, usual.schedule, usual.warmup) == ("finetuned", "cosine", 1.0)


def test_a_frozen_backbone_stays_and_a_finetuned_one_learns():
    import keras

    pixels = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1), dtype=np.uint8)
    changed = {}
    for preset in ("finetuned", "frozen"):
        network = build_network("mobilenet", make_spec(48, 1, preset=preset))
        before = body_of(network).get_weights()
        network.compile(
            keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", run_eagerly=True
        )
        network.train_on_batch(pixels, np.arange(4))
        after = body_of(network).get_weights()
        changed[preset] = sum((a != b).any() for a, b in zip(before, after, strict=True))
        assert (len(network.trainable_weights) == 2) == (preset == "frozen")
    assert changed["frozen"] == 0
    assert changed["finetuned"] > 100


@pytest.fixture(scope="module")
def other_body():
    """MobileNet without its top, with weights of its own."""
    import keras

    keras.utils.set_random_seed(7)
    return keras.applications.MobileNet(include_top=False, weights=None, input_shape=(128, 128, 3))


@pytest.fixture(scope="module")
def weights_files(other_body, tmp_path_factory):
    """Its weights as Keras 3 writes them, and as the files of keras.applications are."""
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    folder = tmp_path_factory.mktemp("weights")
    new, old = folder / "body.weights.h5", folder / "mobilenet_1_0_128_tf_no_top.h5"
    other_body.save_weights(new)
    with h5py.File(old, "w") as file:
        save_weights_to_hdf5_group(file, other_body)
    return new, old


@pytest.mark.parametrize("number", [0, 1], ids=["weights.h5", "notop"])
def test_weights_come_from_a_file(other_body, weights_files, number):
    network = build_network("mobilenet", make_spec(48, 1, weights=str(weights_files[number])))
    for ours, theirs in zip(body_of(network).get_weights(), other_body.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_file_of_something_else_is_refused(weights_files, tmp_path):
    junk = tmp_path / "junk.weights.h5"
    junk.write_bytes(b"no weights at all")
    for name, path in [
        ("mobilenet", junk),
        ("vgg16", weights_files[0]),
        ("vgg16", weights_files[1]),
    ]:
        with pytest.raises(SettingsError, match=r"not the weights of .* without its top") as caught:
            build_network(name, make_spec(48, 1, weights=str(path)))
        said = str(caught.value)
        assert str(path) in said
        assert BACKBONES[name].file_name in said
        assert "\n" not in said
    with pytest.raises(MissingWeightsError, match=r"gone.h5: no such file.*MobileNet.*https://"):
        build_network("mobilenet", make_spec(48, 1, weights=str(tmp_path / "gone.h5")))


@pytest.fixture
def download(monkeypatch, tmp_path):
    """Keras with an empty cache, and its download in our hands."""
    from keras.src.utils import file_utils

    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))

    def use(fetch):
        monkeypatch.setattr(file_utils, "urlretrieve", fetch)

    return use


@pytest.mark.parametrize("name", BACKBONES)
def test_a_failed_download_names_the_address_and_the_way_out(name, download, capsys):
    def offline(url, path, hook=None):
        raise urllib.error.URLError("no route to host")

    download(offline)
    with pytest.raises(MissingWeightsError) as caught:
        build_network(name, make_spec(48, 1, weights=""))
    said = str(caught.value)
    for part in (BACKBONES[name].url, "no route to host", "--weights FILE", "--weights none"):
        assert part in said
    assert "\n" not in said
    assert capsys.readouterr().out == ""


def test_a_download_is_made_once(download, weights_files, other_body):
    urls = []

    def fetch(url, path, hook=None):
        urls.append(url)
        shutil.copy(weights_files[1], path)

    download(fetch)
    for _ in range(2):
        network = build_network("mobilenet", make_spec(48, 1, weights=""))
        np.testing.assert_array_equal(
            body_of(network).get_weights()[0], other_body.get_weights()[0]
        )
    assert urls == [mobilenet.BACKBONE.url]


@pytest.mark.parametrize("name", BACKBONES)
def test_the_address_is_the_one_keras_itself_uses(name, monkeypatch):
    import keras
    from keras.src.utils import file_utils

    class AskedError(Exception):
        pass

    asked = []

    def get_file(file_name, url, **options):
        asked.append((file_name, url, options.get("cache_subdir"), options.get("file_hash")))
        raise AskedError

    monkeypatch.setattr(file_utils, "get_file", get_file)
    backbone = BACKBONES[name]
    with pytest.raises(AskedError):
        getattr(keras.applications, backbone.application)(
            include_top=False, input_shape=(128, 128, 3)
        )
    assert asked == [(backbone.file_name, backbone.url, "models", backbone.weights_md5)]


def test_weights_are_asked_for_once_in_a_run(make_shards, tmp_path, monkeypatch):
    """Neither the bundle nor a resumed run needs the file of weights again."""
    import keras

    asked = []

    def build(name, spec):
        asked.append((name, spec.preset, spec.weights))
        inputs = keras.Input(spec.image_shape, dtype="uint8")
        flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
        return keras.Model(inputs, keras.layers.Dense(spec.num_classes, "softmax")(flat))

    monkeypatch.setattr(session, "build_network", build)
    shards_dir, _ = make_shards({"train": [12], "validation": [6]})
    settings = TrainSettings(
        model="mobilenet", preset="frozen", weights="body.h5", epochs=1, batch_size=4
    )
    report = train.train(shards_dir, tmp_path / "run", settings)
    assert asked == [("mobilenet", "frozen", w) for w in ("body.h5", "none")]
    train.train(shards_dir, report.run_dir, settings, resume=True)
    assert [weights for _, _, weights in asked[2:]] == ["none", "none"]
