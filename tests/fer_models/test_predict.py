"""Bundles and predictions: good pictures, bad files, and what broken bundles say."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from fer_data.dataset import faces_to_json
from fer_data.errors import SettingsError
from fer_data.face_align import FaceSettings
from fer_models.bundle import read_bundle, write_bundle
from fer_models.errors import DamagedBundleError, MissingBundleError, MissingPicturesError
from fer_models.picture_files import open_pictures
from fer_models.predict import Predictor
from fer_models.predict_files import PredictSettings, predict_files
from fer_models.prediction_rows import Prediction, column_names
from fer_models.prediction_table import writing_table


@pytest.fixture(scope="module")
def index(tmp_path_factory, shard_writer):
    return shard_writer(tmp_path_factory.mktemp("shards"), {"train": [4]}, image_shape=(16, 16, 1))


@pytest.fixture(scope="module")
def bundle_dir(tmp_path_factory, index):
    run_dir = tmp_path_factory.mktemp("run")
    return write_bundle(
        run_dir, flat_network(index), index, model="tiny", index_sha256="00", epoch=1
    )


def flat_network(index):
    import keras

    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input(index.image_shape, dtype="uint8"),
            keras.layers.Rescaling(1 / 255.0),
            keras.layers.Flatten(),
            keras.layers.Dense(len(index.class_names), activation="softmax"),
        ]
    )


def write_picture(path, shape=(20, 30, 3)):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return path


def predict_rows(bundle_dir, paths, **options):
    rows = []
    settings = PredictSettings(**options)
    return predict_files(bundle_dir, paths, settings, on_rows=rows.extend), rows


def test_a_bundle_is_enough_to_predict(bundle_dir):
    predictor = Predictor.load(bundle_dir)
    assert Predictor.load(str(bundle_dir.parent)).bundle == predictor.bundle
    images = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 1), dtype=np.uint8)
    done = []
    probabilities = predictor.predict(images, lambda *counts: done.append(counts))
    assert probabilities.shape == (5, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert done == [(5, 5)]
    assert predictor.predict(images[:0]).shape == (0, 3)


def test_few_images_are_predicted_as_many_are(bundle_dir):
    images = np.random.default_rng(2).integers(0, 256, (1030, 16, 16, 1), dtype=np.uint8)
    predictor = Predictor.load(bundle_dir)
    many = predictor.predict(images)
    few = [predictor.predict(images[start : start + 300]) for start in range(0, len(images), 300)]
    np.testing.assert_allclose(np.concatenate(few), many, rtol=0, atol=1e-6)


@pytest.mark.parametrize("images", [np.zeros((1, 8, 8, 1), np.uint8), np.zeros((1, 16, 16, 1))])
def test_pixels_of_another_form_are_refused(bundle_dir, images):
    with pytest.raises(SettingsError, match="expected uint8 images of shape"):
        Predictor.load(bundle_dir).predict(images)


def test_bad_files_are_rows_with_a_reason(bundle_dir, tmp_path):
    good = write_picture(tmp_path / "faces" / "gut-ä.png")
    write_picture(tmp_path / "faces" / ".hidden.png")
    (tmp_path / "faces" / "empty.png").touch()
    (tmp_path / "faces" / "text.jpg").write_text("no picture")
    cut = write_picture(tmp_path / "faces" / "cut.png")
    cut.write_bytes(cut.read_bytes()[:200])
    (tmp_path / "faces" / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "faces" / "loop").symlink_to(tmp_path / "faces")
    report, listed = predict_rows(bundle_dir, [tmp_path / "faces", good])
    rows = {row.path.name: row for row in listed}
    assert len(rows) == len(listed) == report.num_files == 5
    assert (report.num_faces, report.num_failed) == (1, 4)
    assert rows[good.name].class_name in report.class_names
    assert rows[good.name].probability == max(rows[good.name].probabilities)
    assert rows["empty.png"].reason == "empty"
    assert rows["text.jpg"].reason == "not-an-image"
    assert rows["cut.png"].reason in {"truncated", "corrupt"}
    assert rows["gone.png"].reason == "unreadable"
    assert (rows[good.name].face, rows[good.name].box) == (1, None)
    assert json.dumps([row.to_json(report.class_names) for row in listed])


def test_a_picture_is_prepared_as_in_training(bundle_dir, tmp_path):
    """The same pixels give the same probabilities, as a file or as an array."""
    predictor = Predictor.load(bundle_dir)
    pixels = np.random.default_rng(2).integers(0, 256, (16, 16, 1), dtype=np.uint8)
    path = tmp_path / "same.png"
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    (row,) = predict_rows(bundle_dir, [path])[1]
    np.testing.assert_allclose(row.probabilities, predictor.predict(pixels[None])[0], rtol=1e-5)


def test_nothing_to_predict_on_is_one_clear_error(bundle_dir, tmp_path):
    with pytest.raises(MissingPicturesError, match="no such file or folder"):
        predict_rows(bundle_dir, [tmp_path / "none.png"])
    with pytest.raises(MissingPicturesError, match="no files; expected pictures"):
        open_pictures([tmp_path]).__enter__()


def read_table(path):
    """The rows of a table as strings, numbers and None."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
    return pq.read_table(path).to_pylist()


def test_every_form_of_the_table_holds_the_same_rows(bundle_dir, tmp_path):
    write_picture(tmp_path / "faces" / "gut-ä,\n.png")
    (tmp_path / "faces" / "empty.png").touch()
    tables = [tmp_path / "out" / f"table{suffix}" for suffix in (".csv", ".jsonl", ".parquet")]
    for path in tables:
        report, rows = predict_rows(bundle_dir, [tmp_path / "faces"], table=path)
    assert [row["path"] for row in read_table(tables[0])] == [str(row.path) for row in rows]
    lines = tables[1].read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [row.to_json(report.class_names) for row in rows]
    for found, expected in zip(read_table(tables[0]), read_table(tables[2]), strict=True):
        assert list(found) == list(expected) == column_names(report.class_names)
        for name, value in expected.items():
            if isinstance(value, float):
                assert abs(float(found[name]) - value) < 1e-6
            else:
                assert found[name] == (None if value is None else str(value))
    assert read_table(tables[2])[0]["reason"] == "empty"
    assert sorted((tmp_path / "out").iterdir()) == tables


def test_a_parquet_table_of_many_rows_is_whole(tmp_path):
    rows = [
        Prediction(path=Path(f"{n}.png"), face=1, class_name="a", probability=0.5, box=(1, 2, 3, 4),
                   probabilities=(0.5, 0.5))
        for n in range(20_000)
    ]  # fmt: skip
    path = tmp_path / "t.parquet"
    with writing_table(path, ("a", "b")) as take:
        for start in range(0, len(rows), 256):
            take(rows[start : start + 256])
    table = pq.read_table(path)
    assert table["path"].to_pylist() == [str(row.path) for row in rows]
    assert pq.ParquetFile(path).num_row_groups < 5


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_table_is_there_whole_or_not_at_all(tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    path.write_text("before")

    def rows():
        yield Prediction(path=Path("x.png"), reason="empty", detail="the file has no bytes")
        raise RuntimeError

    with pytest.raises(RuntimeError), writing_table(path, ("a",)) as take:
        take(rows())
    assert [each.read_text() for each in tmp_path.iterdir()] == ["before"]


def test_a_table_of_another_form_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(SettingsError, match=r"t\.xlsx: expected a name that ends with \.csv"):
        PredictSettings(table=Path("t.xlsx"))


def test_a_missing_bundle_says_what_to_do(tmp_path):
    with pytest.raises(MissingBundleError, match=r"no such folder.*Expected a run or a bundle"):
        Predictor.load(tmp_path / "none")
    with pytest.raises(MissingBundleError, match=r"no bundle\.json in it"):
        Predictor.load(tmp_path)
    (tmp_path / "settings.toml").write_text("")
    with pytest.raises(MissingBundleError, match="fermodel train --resume --run"):
        Predictor.load(tmp_path)


@pytest.fixture
def copied_bundle(bundle_dir, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in bundle_dir.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def test_a_cut_network_is_one_clear_error(copied_bundle):
    path = copied_bundle / "model.keras"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedBundleError, match=r"model\.keras: not the file that was written"):
        Predictor.load(copied_bundle)
    path.unlink()
    with pytest.raises(DamagedBundleError, match=r"model\.keras: No such file"):
        Predictor.load(copied_bundle)


def put_network(bundle_dir, data):
    """Makes bytes the network of a bundle, which says that they are."""
    (bundle_dir / "model.keras").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    bundle = dataclasses.replace(read_bundle(bundle_dir), model_sha256=sha256)
    (bundle_dir / "bundle.json").write_text(json.dumps(dataclasses.asdict(bundle)))


def test_a_network_that_keras_cannot_load_is_one_clear_error(copied_bundle):
    put_network(copied_bundle, b"no network")
    with pytest.raises(DamagedBundleError, match="Keras cannot load it"):
        Predictor.load(copied_bundle)


def test_code_in_a_network_is_never_run(copied_bundle, index, tmp_path):
    import keras

    marker = tmp_path / "ran"
    name = str(marker)
    network = flat_network(index)
    network.add(keras.layers.Lambda(lambda x: [Path(name).write_text("x"), x][1]))
    assert marker.exists()  # it is hostile
    network.save(tmp_path / "hostile.keras")
    marker.unlink()
    put_network(copied_bundle, (tmp_path / "hostile.keras").read_bytes())
    with pytest.raises(DamagedBundleError, match="Keras cannot load it"):
        Predictor.load(copied_bundle)
    assert not marker.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "zip", "format_version": 1}'])
def test_a_broken_bundle_json_is_one_clear_error(copied_bundle, text):
    (copied_bundle / "bundle.json").write_text(text)
    with pytest.raises(DamagedBundleError, match=r"bundle\.json"):
        Predictor.load(copied_bundle)


def with_sources(index, *faces):
    """An index whose sources had their faces cut out so; None: taken as they are."""
    ingest = index.lineage["ingest"]
    sources = [
        {"name": f"source-{number}"} | ({"faces": faces_to_json(each)} if each else {})
        for number, each in enumerate(faces)
    ]
    settings = {**ingest["settings"], "sources": sources}
    lineage = {**index.lineage, "ingest": {**ingest, "settings": settings}}
    return dataclasses.replace(index, lineage=json.loads(json.dumps(lineage)))


def test_a_bundle_knows_how_faces_were_cut_out(index, tmp_path):
    asked = FaceSettings(detector_weights=tmp_path / "yunet.onnx", margin=0.25, several="all")
    made = with_sources(index, None, asked, FaceSettings(margin=0.5))
    network = flat_network(index)
    bundle_dir = write_bundle(tmp_path, network, made, model="tiny", index_sha256="00", epoch=1)
    bundle = read_bundle(bundle_dir)
    assert bundle.face_settings == dataclasses.replace(asked, detector_weights=None)
    assert bundle.face_detector == "yunet"
    assert str(tmp_path) not in (bundle_dir / "bundle.json").read_text()


def test_a_bundle_of_pictures_as_they_are_names_no_faces(index, bundle_dir, copied_bundle):
    assert read_bundle(bundle_dir).face_settings is None
    assert read_bundle(bundle_dir).face_detector == ""
    path = copied_bundle / "bundle.json"
    fields = json.loads(path.read_text())
    del fields["faces"]  # as bundles were written before
    path.write_text(json.dumps(fields))
    assert read_bundle(copied_bundle) == read_bundle(bundle_dir)


@pytest.mark.parametrize("faces", [{"margin": 0.25}, {"detector_weights": "lbp", "margin": 9}, "x"])
def test_faces_that_cannot_be_understood_are_one_clear_error(copied_bundle, faces):
    path = copied_bundle / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"faces": faces}))
    with pytest.raises(DamagedBundleError, match=r"bundle\.json: cannot be read"):
        read_bundle(copied_bundle)
