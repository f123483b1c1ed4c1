"""The face score on real faces, and on what is none."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_data.face_score import face_scores


@pytest.fixture(scope="module")
def weights(real_data_dir: Path) -> Path:
    path = real_data_dir / "yunet_n_640_640.onnx"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {real_data_dir}")
    return path


@pytest.fixture(scope="module")
def faces(real_data_dir: Path) -> NDArray[np.uint8]:
    """100 pictures of FER2013: uint8 (100, 48, 48, 1)."""
    with zipfile.ZipFile(real_data_dir / "fer2013.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))[::320][:100]
        data = [np.frombuffer(archive.read(name), np.uint8) for name in names]
    return np.stack([cv2.imdecode(d, cv2.IMREAD_GRAYSCALE) for d in data])[..., None]


def things() -> NDArray[np.uint8]:
    """Blank, noise, stripes and a checkerboard: uint8 (4, 48, 48, 1)."""
    rows, columns = np.indices((48, 48))
    noise = np.random.default_rng(0).integers(0, 256, (48, 48))
    pictures = [np.full((48, 48), 90), noise, 5 * columns, 200 * ((rows // 6 + columns // 6) % 2)]
    return np.stack(pictures).astype(np.uint8)[..., None]


@pytest.mark.realdata
def test_faces_score_high_and_other_things_low(faces: NDArray[np.uint8], weights: Path) -> None:
    scores = face_scores(faces, weights)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert np.median(scores) > 0.8
    assert (scores > 0.3).mean() > 0.95
    assert (face_scores(things(), weights) < 0.1).all()


@pytest.mark.realdata
def test_a_face_that_does_not_fill_the_picture_scores_lower(
    faces: NDArray[np.uint8], weights: Path
) -> None:
    small = np.stack([cv2.resize(face, (20, 20), interpolation=cv2.INTER_AREA) for face in faces])
    inset = np.pad(small, ((0, 0), (14, 14), (14, 14)), mode="edge")[..., None]
    assert face_scores(inset, weights).mean() < 0.7 * face_scores(faces, weights).mean()


@pytest.mark.realdata
def test_a_face_lying_on_its_side_scores_lower(faces: NDArray[np.uint8], weights: Path) -> None:
    lying = np.rot90(faces, axes=(1, 2))
    assert face_scores(lying, weights).mean() < 0.7 * face_scores(faces, weights).mean()


@pytest.mark.realdata
def test_grey_faces_score_the_same_in_colour_and_alone(
    faces: NDArray[np.uint8], weights: Path
) -> None:
    scores = face_scores(faces[:10], weights)
    np.testing.assert_array_equal(face_scores(np.repeat(faces[:10], 3, axis=3), weights), scores)
    np.testing.assert_array_equal(face_scores(faces[[3]], weights), scores[[3]])


def test_a_file_that_holds_no_weights_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"no weights")
    with pytest.raises(SettingsError, match="yunet.onnx: not weights of YuNet"):
        face_scores(things(), path)
