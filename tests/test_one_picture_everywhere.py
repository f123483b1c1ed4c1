"""The same picture out of shards, as a file, through the page and in an exported network."""

from __future__ import annotations

import csv
from pathlib import Path

import httpx
import numpy as np
import pytest

from fer_data.face_align import FaceSettings
from fer_data.image import ImageSettings
from fer_models.export.run import export_run
from fer_models.picture_faces import PictureSettings
from fer_models.predict_files import PredictSettings, predict_files
from fer_models.serve.app import ServeSettings, create_app
from tests.fer_models.served import running
from tests.fer_models.test_export import predict_with
from tests.fer_models.test_picture_faces import pictures, train

TOLERANCE = 1e-4


# what Keras says of its own old ways is no fault of ours
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("aligned", [False, True], ids=["whole", "aligned"])
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_a_picture_has_the_same_probabilities_everywhere(tmp_path, color, aligned):
    faces = FaceSettings() if aligned else None
    predictor, samples = train(tmp_path, ImageSettings(size=32, color=color), faces)
    names = predictor.bundle.class_names
    expected = dict(zip(samples.keys.tolist(), predictor.predict(samples.images), strict=True))
    assert len(expected) >= (4 if aligned else 8)
    files = {Path(key).name: key for key in expected}

    rule = PictureSettings()
    folder, table = tmp_path / "raw", tmp_path / "faces.csv"
    predict_files(tmp_path, [folder], PredictSettings(pictures=rule, table=table))
    with table.open(encoding="utf-8", newline="") as file:
        rows = {Path(row["path"]).name: row for row in csv.DictReader(file) if row["face"] == "1"}
    for name, key in files.items():
        found = [float(rows[name][f"p_{each}"]) for each in names]
        np.testing.assert_allclose(found, expected[key], rtol=0, atol=TOLERANCE)

    app = create_app(predictor, predictor.cutter(rule), ServeSettings(), [])
    with running(app) as address:
        uploads = [("files", (name, data)) for name, data in pictures().items()]
        answer = httpx.post(f"{address}/predict", files=uploads, timeout=60).json()
    told = {picture["name"]: picture["faces"] for picture in answer["pictures"]}
    for name, key in files.items():
        found = list(told[name][0]["probabilities"].values())
        np.testing.assert_allclose(found, expected[key], rtol=0, atol=TOLERANCE)

    formats = ("onnx", "tflite", "saved-model", "keras")
    export_run(tmp_path, formats)
    right = np.stack(list(expected.values()))
    for name in formats:
        found = predict_with(tmp_path, name, samples.images)
        np.testing.assert_allclose(found, right, rtol=0, atol=TOLERANCE)
