"""The same picture gives the same probabilities through shards and raw: no train/serve skew."""

from __future__ import annotations

import dataclasses
import functools
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_data.errors import SettingsError
from fer_data.face_align import FaceSettings
from fer_data.face_weights import WEIGHTS_VARIABLE
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings, ingest
from fer_data.pack import pack
from fer_data.pack_settings import PackSettings
from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_data.split import SplitSettings, split_samples
from fer_data.synth import SynthSettings, draw_face
from fer_models.bundle import write_bundle
from fer_models.picture_faces import PictureSettings
from fer_models.predict import Predictor

CLASSES = ("anger", "happiness")
AS_TRAINED = PictureSettings()
WHOLE, FIND = PictureSettings(faces="whole"), PictureSettings(faces="find")


def encode(pixels, format_="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_, **options)
    return file.getvalue()


def scene(*places, size=(300, 400)):
    """Drawn faces of 192 pixels in a room: RGB pixels."""
    pixels = np.full((*size, 3), (170, 190, 200), np.uint8)
    for number, (left, top) in enumerate(places):
        face = draw_face(SynthSettings(image_size=192, channels=3, seed=4), number).image
        pixels[top : top + 192, left : left + 192] = face
    return pixels


def face(number, size=192):
    return draw_face(SynthSettings(image_size=size, channels=3), number).image


@functools.cache
def pictures():
    """Files of every kind by name: small, shrunk while decoded, turned by EXIF, with alpha."""
    large = np.asarray(Image.fromarray(face(3)).resize((1920, 1920)))
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "plain.png": encode(face(0)),
        "tiny.png": encode(face(1, 48)),
        "gray.jpg": encode(face(2)[..., 0], "JPEG"),
        "large.jpg": encode(large, "JPEG"),
        "turned.jpg": encode(np.rot90(face(4)), "JPEG", exif=turned),
        "alpha.png": encode(np.dstack([face(5), np.full((192, 192), 200, np.uint8)])),
        "webp.webp": encode(face(6), "WEBP"),
        "two.png": encode(scene((10, 20), (200, 100))),
    }


def train(folder, image, faces):
    """The shards of the pictures, and a bundle of a network that was made for them."""
    import keras

    for number, (name, data) in enumerate(pictures().items()):
        path = folder / "raw" / CLASSES[number % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    settings = IngestSettings(image=image, faces=faces, max_rejected=1.0)
    dataset, _ = ingest(folder / "raw", folder / "dataset", settings, workers=1)
    dataset, _ = split_samples(dataset, SplitSettings(ratios=(100, 0, 0), group_by=()))
    pack(dataset, folder / "shards", PackSettings(), workers=1)
    index = read_index(folder / "shards")
    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [
            keras.Input(index.image_shape, dtype="uint8"),
            keras.layers.Rescaling(1 / 255.0),
            keras.layers.Flatten(),
            keras.layers.Dense(len(index.class_names), activation="softmax"),
        ]
    )
    bundle_dir = write_bundle(folder, network, index, model="tiny", index_sha256="0", epoch=1)
    return Predictor.load(bundle_dir), read_split(folder / "shards", index, "train")


def assert_as_in_training(predictor, samples, settings=AS_TRAINED):
    """Every sample of the shards is among the faces of its picture, with the same probabilities."""
    files = pictures()
    data = list(files.values())
    found = dict(zip(files, predictor.predict_pictures(data, settings), strict=True))
    cut = dict(zip(files, predictor.cutter(settings).cut_files(data), strict=True))
    assert len(samples) > 0
    rows = predictor.predict(samples.images)
    for key, pixels, row in zip(samples.keys, samples.images, rows, strict=True):
        name, _, number = Path(key).name.partition("#face-")
        place = int(number or 1) - 1
        np.testing.assert_array_equal(cut[name][place].pixels, pixels, err_msg=key)
        np.testing.assert_allclose(found[name].faces[place].probabilities, row, rtol=0, atol=1e-6)
    return found


@pytest.mark.parametrize(
    ("aligned", "color", "equalize"),
    [
        *itertools.product([False], ["gray", "rgb"], ["none", "hist", "clahe"]),
        *[(True, "gray", "none"), (True, "gray", "hist"), (True, "rgb", "clahe")],
    ],
)
def test_a_picture_is_seen_as_in_training(tmp_path, aligned, color, equalize):
    image = ImageSettings(size=32, color=color, equalize=equalize)
    faces = FaceSettings() if aligned else None
    predictor, samples = train(tmp_path, image, faces)
    assert predictor.face_settings == faces
    found = assert_as_in_training(predictor, samples)
    assert all((each.box is None) != aligned for row in found.values() for each in row.faces)


@pytest.fixture(scope="module")
def weights(real_data_dir):
    path = real_data_dir / "yunet_n_640_640.onnx"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


@pytest.mark.realdata
@pytest.mark.parametrize("several", ["largest", "all"])
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_a_face_that_yunet_finds_is_seen_as_in_training(tmp_path, weights, several, color):
    faces = FaceSettings(detector_weights=weights, several=several, margin=0.1)
    predictor, samples = train(tmp_path, ImageSettings(size=32, color=color), faces)
    found = assert_as_in_training(predictor, samples, PictureSettings(detector_weights=weights))
    assert len(found["two.png"].faces) == 2
    assert len(samples) == len(found) + (several == "all")


@pytest.mark.realdata
def test_boxes_are_in_pixels_of_the_upright_picture(tmp_path, weights):
    predictor, _ = train(tmp_path, ImageSettings(size=32), None)
    files = pictures()
    wide = np.asarray(Image.fromarray(scene((200, 100))).resize((4000, 3000)))
    turned = Image.Exif()
    turned[0x0112] = 6
    files["wide.jpg"] = encode(np.rot90(wide), "JPEG", exif=turned)
    settings = PictureSettings(faces="find", detector_weights=weights)
    found = predictor.predict_pictures(list(files.values()), settings)
    found = dict(zip(files, (picture.faces for picture in found), strict=True))
    first, second = sorted(found["two.png"], key=lambda each: each.box[0])
    for each, left, top, scale in (
        (first, 10, 20, 1),
        (second, 200, 100, 1),
        (found["wide.jpg"][0], 200, 100, 10),
        (found["large.jpg"][0], 0, 0, 10),
        (found["turned.jpg"][0], 0, 0, 1),
    ):
        x, y = each.box[0] + each.box[2] / 2, each.box[1] + each.box[3] / 2
        assert abs(x - (left + 96) * scale) < 40 * scale
        assert abs(y - (top + 96) * scale) < 40 * scale
        assert 0.6 <= each.confidence <= 1
    assert found["tiny.png"][0].box is None  # a face cut out already
    assert found["plain.png"][0].box is not None


def test_pixels_are_seen_as_the_file_that_holds_them(tmp_path):
    predictor, _ = train(tmp_path, ImageSettings(size=32, color="rgb"), FaceSettings())
    pixels = [face(0), scene((10, 20), (200, 100)), np.zeros((4, 9, 3), np.uint8)]
    for settings in (AS_TRAINED, WHOLE, FIND):
        files = predictor.predict_pictures([encode(each) for each in pixels], settings)
        frames = predictor.predict_pixels(pixels, settings)
        assert [each.faces for each in frames] == [each.faces for each in files]
        assert [each.reason for each in frames] == [each.reason for each in files]
    with pytest.raises(SettingsError, match=r"expected uint8 pixels of shape \(height, width, 3\)"):
        predictor.predict_pixels([pixels[0][..., 0]])


def test_pictures_without_a_face_and_bad_ones_have_a_reason(tmp_path):
    predictor, _ = train(tmp_path, ImageSettings(size=32), FaceSettings())
    empty = encode(scene())
    found = predictor.predict_pictures([empty, b"", encode(face(0)), b"no picture"])
    assert [each.reason for each in found] == ["no-face", "empty", None, "not-an-image"]
    assert found[0].detail == "lbp finds none in 400x300 pixels"
    (whole,) = predictor.predict_pictures([empty], WHOLE)[0].faces
    assert (whole.box, whole.confidence) == (None, None)
    assert predictor.predict_pictures([]) == []


def test_weights_that_are_not_there_are_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    predictor, _ = train(tmp_path, ImageSettings(size=32), None)
    fields = {"detector_weights": "yunet", "several": "all"}
    by_yunet = Predictor(dataclasses.replace(predictor.bundle, faces=fields), predictor._network)
    with pytest.raises(SettingsError, match=r"trained on faces that YuNet found.*--no-faces"):
        by_yunet.predict_pictures([])
    assert by_yunet.predict_pictures([encode(face(0))], WHOLE)[0].reason is None
    with pytest.raises(SettingsError, match="none.onnx: no such file"):
        predictor.predict_pictures(
            [], PictureSettings(faces="find", detector_weights=tmp_path / "none.onnx")
        )
    with pytest.raises(SettingsError, match='faces must be one of "as-trained"'):
        PictureSettings(faces="some")


def test_without_weights_faces_are_found_by_the_cascade_and_that_is_said(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    predictor, _ = train(tmp_path, ImageSettings(size=32), None)
    (found,) = predictor.predict_pictures([encode(face(0))], FIND)
    assert found.faces[0].box is not None
    assert found.faces[0].confidence is None
    assert "LBP cascade is used" in caplog.text
