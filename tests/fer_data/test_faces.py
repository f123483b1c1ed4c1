"""Which faces are taken from a picture, by pretended detectors, by the cascade, and by YuNet."""

from __future__ import annotations

import hashlib
import math
import random
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data.errors import ImageError, SettingsError
from fer_data.face_weights import WEIGHTS_BYTES, WEIGHTS_SHA256
from fer_data.faces import (
    Detector,
    Face,
    FaceSettings,
    detector_for,
    prepare_faces,
    settle_landmarks,
)
from fer_data.image import ImageSettings, PreparedImage, prepare_image
from fer_data.picture_decode import decode_picture
from tests.conftest import png_bytes
from tests.drawn_faces import ROLLS, synthetic_face

RGB_96 = ImageSettings(size=96, color="rgb")


class FakeDetector(Detector):
    """Finds what it is told."""

    def __init__(self, *faces: Face) -> None:
        super().__init__()
        self.faces = sorted(faces, key=lambda face: -face.area)

    def detect(self, pixels: NDArray[np.uint8], *, every: bool = False) -> list[Face]:
        return self.faces


SMALL, LARGE = Face(box=(2, 2, 20, 20)), Face(box=(30, 10, 50, 50), confidence=0.8)
PICTURE = png_bytes(np.random.default_rng(1).integers(0, 256, (80, 120, 3), dtype=np.uint8))


def prepare(detector: Detector, **options: str) -> list[PreparedImage]:
    return prepare_faces(PICTURE, ImageSettings(), FaceSettings(**options), detector)  # type: ignore[arg-type]


def test_of_several_faces_the_largest_is_taken() -> None:
    (face,), (expected,) = (prepare(FakeDetector(*found)) for found in ([SMALL, LARGE], [LARGE]))
    np.testing.assert_array_equal(face.pixels, expected.pixels)
    assert (face.height, face.width) == (80, 120)


def test_of_several_faces_all_are_taken_largest_first() -> None:
    faces = prepare(FakeDetector(SMALL, LARGE), several="all")
    expected = [*prepare(FakeDetector(LARGE)), *prepare(FakeDetector(SMALL))]
    np.testing.assert_array_equal([f.pixels for f in faces], [f.pixels for f in expected])


def test_pictures_of_several_faces_or_none_are_rejected_and_counted() -> None:
    reasons: Counter[str] = Counter()
    detectors = [FakeDetector(), FakeDetector(SMALL), FakeDetector(SMALL, LARGE), FakeDetector()]
    for detector in detectors:
        try:
            prepare(detector, several="reject")
            reasons["kept"] += 1
        except ImageError as error:
            reasons[error.reason] += 1
    assert reasons == {"no-face": 2, "several-faces": 1, "kept": 1}


def test_a_picture_without_a_face_can_be_kept_as_it_is() -> None:
    (face,) = prepare(FakeDetector(), none="keep")
    expected = prepare_image(PICTURE, ImageSettings()).pixels
    assert np.abs(face.pixels.astype(int) - expected).max() <= 2


def test_a_bad_picture_is_rejected_before_faces_are_looked_for() -> None:
    with pytest.raises(ImageError, match="not-an-image"):
        prepare_faces(b"no picture at all", ImageSettings(), FaceSettings(), FakeDetector())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_confidence": 0.0}, "min_confidence must be above 0"),
        ({"several": "some"}, 'several must be one of "largest", "all", "reject"; received "some"'),
        ({"none": "maybe"}, 'none must be one of "reject", "keep"'),
        ({"margin": -0.1}, "margin must be 0 to 2"),
        ({"mouth_height": 0.2}, "the eyes above the mouth"),
    ],
)
def test_wrong_settings_say_what_is_right(options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        FaceSettings(**options)  # type: ignore[arg-type]


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.onnx"
    path.write_bytes(b"these are no weights")
    with pytest.raises(SettingsError, match=r"weights.onnx: not weights of YuNet"):
        Detector(path)


# --- with the cascade that scikit-image ships


def photograph() -> NDArray[np.uint8]:
    """Eileen Collins, an astronaut (NASA, public domain), as scikit-image ships it."""
    data = pytest.importorskip("skimage.data")
    return np.asarray(data.astronaut(), dtype=np.uint8)


def test_without_weights_the_cascade_finds_a_box_and_says_so() -> None:
    (face,) = detector_for(FaceSettings()).detect(photograph())
    assert (face.method, face.landmarks, face.confidence) == ("lbp", (), None)
    left, top, width, height = face.box
    assert left < 205  # both eyes
    assert left + width > 245
    assert top < 103  # eyes and mouth
    assert top + height > 145


def test_scikit_image_is_loaded_only_where_it_is_needed() -> None:
    code = "import sys, fer_data.faces as f; f.Detector(); sys.exit('skimage' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- with YuNet


@pytest.fixture(scope="module")
def weights(real_data_dir: Path) -> Path:
    path = real_data_dir / "yunet_n_640_640.onnx"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


@pytest.fixture(scope="module")
def yunet(weights: Path) -> Detector:
    return Detector(weights)


@pytest.mark.realdata
def test_the_weights_are_those_that_would_be_downloaded(weights: Path) -> None:
    data = weights.read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (WEIGHTS_BYTES, WEIGHTS_SHA256)


def roll_of(face: Face) -> float:
    """By how many degrees the eyes are not level."""
    (left_x, left_y), (right_x, right_y) = face.landmarks[:2]
    return math.degrees(math.atan2(right_y - left_y, right_x - left_x))


@pytest.mark.realdata
@pytest.mark.parametrize("roll", ROLLS)
def test_a_turned_photograph_is_turned_back(yunet: Detector, roll: float) -> None:
    pixels = photograph()
    matrix = cv2.getRotationMatrix2D((224, 125), -roll, 1)
    turned = cv2.warpAffine(pixels, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    found = yunet.detect(np.asarray(turned, dtype=np.uint8))[0]
    face = settle_landmarks(np.asarray(turned, dtype=np.uint8), found, yunet)
    assert abs(roll_of(face) - roll - 1.3) < 3  # she holds her head a little aslant


@pytest.mark.realdata
def test_drawn_faces_are_turned_upright_whatever_their_roll(yunet: Detector) -> None:
    errors = []
    for roll in ROLLS:
        for index in range(6):
            pixels, truth = synthetic_face(index, roll)
            face = settle_landmarks(pixels, yunet.detect(pixels)[0], yunet)
            errors.append(abs(roll_of(face) - roll_of(truth)))
    assert np.percentile(errors, 50) < 2.5
    assert np.percentile(errors, 90) < 8


@pytest.mark.realdata
def test_the_landmarks_of_a_mirrored_picture_are_mirrored(yunet: Detector) -> None:
    pixels = photograph()
    faces = [
        settle_landmarks(each, yunet.detect(each)[0], yunet)
        for each in (pixels, np.ascontiguousarray(pixels[:, ::-1]))
    ]
    left, right, nose, mouth_left, mouth_right = faces[1].landmarks
    mirrored = [(511 - x, y) for x, y in (right, left, nose, mouth_right, mouth_left)]
    assert np.abs(np.array(faces[0].landmarks) - mirrored).max() < 2


@pytest.mark.realdata
@pytest.mark.parametrize("side", [48, 110, 400, 2000])
def test_a_face_is_found_at_any_size(yunet: Detector, side: int) -> None:
    crop = photograph()[55:175, 165:285]
    method = cv2.INTER_AREA if side < 120 else cv2.INTER_LINEAR
    pixels = np.asarray(cv2.resize(crop, (side, side), interpolation=method), dtype=np.uint8)
    face = settle_landmarks(pixels, yunet.detect(pixels)[0], yunet)
    left, right = (np.array(eye) / side for eye in face.landmarks[:2])
    assert np.abs(left - ((203.5 - 165) / 120, (103 - 55) / 120)).max() < 0.06
    assert np.abs(right - ((246 - 165) / 120, (104 - 55) / 120)).max() < 0.06


@pytest.mark.realdata
def test_two_people_are_two_faces(yunet: Detector) -> None:
    pair = np.hstack([photograph(), photograph()[:, ::-1]])[..., ::-1]
    data = png_bytes(np.ascontiguousarray(pair))
    faces = prepare_faces(data, RGB_96, FaceSettings(several="all"), yunet)
    assert len(faces) == 2
    assert len(prepare_faces(data, RGB_96, FaceSettings(), yunet)) == 1
    with pytest.raises(ImageError, match="several-faces: yunet finds 2; expected one"):
        prepare_faces(data, RGB_96, FaceSettings(several="reject"), yunet)


@pytest.mark.realdata
@pytest.mark.parametrize("side", [48, 128, 200, 700, 1500])
def test_all_faces_are_those_of_the_first_look_and_others(yunet: Detector, side: int) -> None:
    astronaut = photograph()
    small = cv2.resize(astronaut, (96, 96), interpolation=cv2.INTER_AREA)
    scene = np.full((512, 1024, 3), 120, np.uint8)
    scene[:, :512], scene[300:396, 800:896] = astronaut, small
    pixels = cv2.resize(scene, (side, side // 2), interpolation=cv2.INTER_AREA)
    first, every = yunet.detect(pixels), yunet.detect_all(pixels)  # type: ignore[arg-type]
    assert set(first) <= set(every)
    assert len(every) == (2 if side >= 700 else 1)
    assert every == sorted(every, key=lambda face: -face.area)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket"])
def test_a_picture_without_people_has_no_face(yunet: Detector, name: str) -> None:
    data = pytest.importorskip("skimage.data")
    picture = png_bytes(np.ascontiguousarray(getattr(data, name)()[..., ::-1]))
    with pytest.raises(ImageError, match="no-face: yunet finds none"):
        prepare_faces(picture, RGB_96, FaceSettings(), yunet)


@pytest.mark.realdata
def test_most_faces_of_fer2013_are_found(yunet: Detector, real_data_dir: Path) -> None:
    with zipfile.ZipFile(real_data_dir / "fer2013.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        chosen = random.Random(7).sample(names, 300)
        pictures = [archive.read(name) for name in chosen]
    settings = FaceSettings(none="keep")
    decoded = [decode_picture(data, "rgb", 48)[0] for data in pictures]
    seen = [(pixels, face) for pixels in decoded for face in yunet.detect(pixels)[:1]]
    assert len(seen) / len(pictures) > 0.94
    found = [settle_landmarks(pixels, face, yunet) for pixels, face in seen]
    faces, again = (
        [prepare_faces(data, ImageSettings(), settings, yunet)[0] for data in pictures[:40]]
        for _ in range(2)
    )
    assert all((a.pixels == b.pixels).all() for a, b in zip(faces, again, strict=True))
    # The places of alignment are where FER2013 has eyes and mouth, so its scale hardly changes.
    eyes = np.median([face.landmarks[:2] for face in found], axis=0)
    assert np.abs(eyes - FaceSettings().places(48)[:2]).max() < 1.5
