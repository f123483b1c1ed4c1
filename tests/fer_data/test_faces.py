"""Laws of alignment on faces of known geometry, and detection on real ones."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import math
import random
import subprocess
import sys
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data import face_weights
from fer_data.errors import ImageError, SettingsError, SourceError
from fer_data.face_align import alignment
from fer_data.face_weights import cached_weights_path
from fer_data.faces import (
    WEIGHTS_SHA256,
    Detector,
    Face,
    FaceSettings,
    Point,
    PreparedFace,
    align_face,
    detector_for,
    download_detector_weights,
    find_detector_weights,
    prepare_faces,
    settle_landmarks,
)
from fer_data.image import ImageSettings, prepare_image
from fer_data.synth import SynthSettings, describe_face
from fer_data.synth.face import render
from fer_data.synth.geometry import make_geometry
from fer_data.synth.sketch import Pose
from tests.conftest import png_bytes

ROLLS = [-30, -20, -10, 0, 10, 20, 30]
RGB_96 = ImageSettings(size=96, color="rgb")


def synthetic_face(
    index: int, roll: float = 0.0, image_size: int = 192
) -> tuple[NDArray[np.uint8], Face]:
    """A drawn face, held upright but for its roll, and where its eyes, nose and mouth are."""
    facts = describe_face(SynthSettings(), index)
    pose = Pose(roll=roll, scale=0.3)
    facts = dataclasses.replace(facts, pose=pose, occlusion="none")
    geometry = make_geometry(facts.identity, facts.action_units)
    turn = complex(math.cos(math.radians(roll)), math.sin(math.radians(roll)))

    def place(point: Point) -> Point:
        moved = complex(*point) * turn * pose.scale + complex(pose.x, pose.y)
        return moved.real * image_size - 0.5, moved.imag * image_size - 0.5

    eyes = [place(eye.center) for eye in geometry.eyes]
    mouth = [place(geometry.mouth.left), place(geometry.mouth.right)]
    landmarks = (eyes[0], eyes[1], place((0.0, geometry.nose_y)), mouth[0], mouth[1])
    side = 2 * pose.scale * image_size
    box = (image_size / 2 - side / 2, image_size / 2 - side / 2, side, side)
    return render(facts, image_size, 3), Face(box=box, landmarks=landmarks)


def moved(points: tuple[Point, ...], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(points) @ matrix[:, :2].T + matrix[:, 2]


def eye_error(landmarks: tuple[Point, ...], settings: FaceSettings, size: int) -> float:
    """How far the eyes are from their places, in pixels of the result."""
    targets = settings.places(size)[:2]
    return max(math.dist(eye, target) for eye, target in zip(landmarks, targets, strict=False))


@pytest.mark.parametrize("roll", ROLLS)
@pytest.mark.parametrize("index", range(12))
def test_eyes_come_within_two_pixels_of_their_places(index: int, roll: float) -> None:
    _, face = synthetic_face(index, roll)
    settings = FaceSettings()
    eyes = moved(face.landmarks, alignment(face, settings, 96))[:2]
    assert eye_error(tuple(map(tuple, eyes.tolist())), settings, 96) < 2
    assert abs(eyes[0, 1] - eyes[1, 1]) < 1e-6  # level


@pytest.mark.parametrize("size", [48, 96, 224])
@pytest.mark.parametrize("roll", [-30, 0, 30])
def test_what_is_at_the_eyes_comes_to_their_places(size: int, roll: float) -> None:
    """Seen in the pixels themselves: each eye is marked in a colour of its own."""
    _, face = synthetic_face(3, roll, 512)
    pixels = np.zeros((512, 512, 3), np.uint8)
    for channel, (x, y) in enumerate(face.landmarks[:2]):
        dot = np.zeros((512, 512), np.uint8)
        cv2.circle(dot, (round(x * 16), round(y * 16)), 8 * 16, 255, -1, cv2.LINE_AA, 4)
        pixels[..., channel] = dot
    result = align_face(pixels, face, FaceSettings(), ImageSettings(size=size, color="rgb"))
    found = []
    for channel in range(2):
        weights = result[..., channel].astype(float)
        y, x = np.indices(weights.shape)
        found.append(((weights * x).sum() / weights.sum(), (weights * y).sum() / weights.sum()))
    assert eye_error(tuple(found), FaceSettings(), size) < 2 * size / 96


def test_a_head_turned_aside_is_not_made_larger() -> None:
    """Its eyes seem half as far from each other; eyes and mouth stay as far as they were."""
    left, right, mouth = (30.0, 40.0), (70.0, 40.0), (50.0, 81.0)
    aside = ((40.0, 40.0), (60.0, 40.0), mouth, mouth, mouth)
    facing = (left, right, mouth, mouth, mouth)
    scales = [
        alignment(Face(box=(0, 0, 99, 99), landmarks=landmarks), FaceSettings(), 96)[0, 0]
        for landmarks in (facing, aside)
    ]
    assert 1 < scales[1] / scales[0] < 1.3  # by the eyes alone it would be 2


@pytest.mark.parametrize("roll", ROLLS)
def test_the_same_face_looks_the_same_however_it_is_turned(roll: float) -> None:
    settings, form = FaceSettings(), ImageSettings(size=96)
    pixels, face = synthetic_face(5, 0)
    upright = align_face(pixels, face, settings, form).astype(int)
    center = (95.5, 95.5)
    matrix = cv2.getRotationMatrix2D(center, -roll, 1.0)
    turned = cv2.warpAffine(pixels, matrix, (192, 192), flags=cv2.INTER_CUBIC)
    landmarks = tuple(map(tuple, moved(face.landmarks, matrix).tolist()))
    again = align_face(turned, dataclasses.replace(face, landmarks=landmarks), settings, form)
    middle = slice(20, 76)
    assert np.abs(upright - again)[middle, middle].mean() < 4


@pytest.mark.parametrize("index", range(6))
def test_an_aligned_face_stays_where_it_is(index: int) -> None:
    settings = FaceSettings()
    _, face = synthetic_face(index, 17)
    once = moved(face.landmarks, alignment(face, settings, 96))
    aligned = Face(box=(0, 0, 96, 96), landmarks=tuple(map(tuple, once.tolist())))
    twice = moved(aligned.landmarks, alignment(aligned, settings, 96))
    assert np.abs(once - twice).max() < 0.01


def test_eyes_where_they_belong_leave_the_picture_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    left, right, mouth = FaceSettings().places(96)
    face = Face(box=(0, 0, 96, 96), landmarks=(left, right, mouth, mouth, mouth))
    np.testing.assert_array_equal(align_face(pixels, face, FaceSettings(), RGB_96), pixels)


@pytest.mark.parametrize("size", [24, 48, 100])
def test_a_large_picture_is_averaged_not_skipped_through(size: int) -> None:
    """Fine stripes become grey: the mean of what a pixel covers, not one of its stripes."""
    stripes = np.zeros((1200, 1200), np.uint8)
    stripes[::2] = 200
    left, right, mouth = FaceSettings().places(1200)
    face = Face(box=(0, 0, 1200, 1200), landmarks=(left, right, mouth, mouth, mouth))
    result = align_face(stripes, face, FaceSettings(), ImageSettings(size=size))
    assert np.abs(result[2:-2, 2:-2].astype(int) - 100).max() <= 20
    assert abs(result[2:-2, 2:-2].mean() - 100) < 2


def test_a_margin_shows_more_around_the_face() -> None:
    pixels, face = synthetic_face(2)
    distances = []
    for margin in (0.0, 0.25, 0.5):
        settings = FaceSettings(margin=margin)
        eyes = moved(face.landmarks, alignment(face, settings, 96))
        distances.append(eyes[1, 0] - eyes[0, 0])
        assert align_face(pixels, face, settings, RGB_96).shape == (96, 96, 3)
    assert distances[1] == pytest.approx(distances[0] / 1.5)
    assert distances[2] == pytest.approx(distances[0] / 2)


def test_a_face_at_the_edge_repeats_the_edge() -> None:
    pixels = np.full((60, 60), 150, np.uint8)
    face = Face(box=(-30, -30, 60, 60), landmarks=((-9, -8), (11, -8), (1, 0), (-4, 9), (6, 9)))
    result = align_face(pixels, face, FaceSettings(), ImageSettings())
    assert (result == 150).all()


def test_a_face_far_outside_of_the_picture_is_no_crash() -> None:
    pixels = np.full((60, 60, 3), 150, np.uint8)
    face = Face(box=(9000, 9000, 5, 5))
    assert (align_face(pixels, face, FaceSettings(), RGB_96) == 150).all()


def test_without_landmarks_the_box_is_cut_upright() -> None:
    _, face = synthetic_face(4)
    matrix = alignment(Face(box=face.box, method="lbp"), FaceSettings(), 96)
    assert matrix[1, 0] == 0
    eyes = moved(face.landmarks, matrix)[:2]
    assert eye_error(tuple(map(tuple, eyes.tolist())), FaceSettings(), 96) < 12


@pytest.mark.parametrize("color", ["gray", "rgb"])
@pytest.mark.parametrize("equalize", ["none", "hist", "clahe"])
def test_the_result_has_the_form_asked_for(color: str, equalize: str) -> None:
    pixels, face = synthetic_face(1)
    before = pixels.copy()
    form = ImageSettings(size=56, color=color, equalize=equalize)
    result = align_face(pixels, face, FaceSettings(), form)
    assert result.shape == form.image_shape
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(align_face(pixels, face, FaceSettings(), form), result)


class FakeDetector(Detector):
    """Finds what it is told."""

    def __init__(self, *faces: Face) -> None:
        super().__init__()
        self.faces = sorted(faces, key=lambda face: -face.area)

    def detect(self, pixels: NDArray[np.uint8], *, every: bool = False) -> list[Face]:
        return self.faces


SMALL, LARGE = Face(box=(2, 2, 20, 20)), Face(box=(30, 10, 50, 50), confidence=0.8)
PICTURE = png_bytes(np.random.default_rng(1).integers(0, 256, (80, 120, 3), dtype=np.uint8))


def prepare(detector: Detector, **options: str) -> list[PreparedFace]:
    return prepare_faces(PICTURE, ImageSettings(), FaceSettings(**options), detector)  # type: ignore[arg-type]


def test_of_several_faces_the_largest_is_taken() -> None:
    (face,) = prepare(FakeDetector(SMALL, LARGE))
    assert (face.box, face.confidence, face.method) == (LARGE.box, 0.8, "yunet")
    assert (face.height, face.width) == (80, 120)


def test_of_several_faces_all_are_taken_largest_first() -> None:
    boxes = [face.box for face in prepare(FakeDetector(SMALL, LARGE), several="all")]
    assert boxes == [LARGE.box, SMALL.box]


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
    assert (face.box, face.landmarks, face.confidence, face.method) == (None, (), None, "none")
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


def test_weights_are_found_by_argument_variable_and_cache(tmp_path: Path) -> None:
    named, other = tmp_path / "named.onnx", tmp_path / "other.onnx"
    named.write_bytes(b"1")
    other.write_bytes(b"2")
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    assert find_detector_weights(None, environ) is None
    cached = cached_weights_path(environ)
    assert cached == tmp_path / "ferkit" / "yunet_n_640_640.onnx"
    cached.parent.mkdir()
    cached.write_bytes(b"3")
    assert find_detector_weights(None, environ) == cached
    environ["FERKIT_DETECTOR_WEIGHTS"] = str(other)
    assert find_detector_weights(None, environ) == other
    assert find_detector_weights(named, environ) == named


def test_weights_that_are_named_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing.onnx"
    with pytest.raises(SettingsError, match=r"missing.onnx: no such file; expected weights"):
        find_detector_weights(missing, {})
    with pytest.raises(SettingsError, match="FERKIT_DETECTOR_WEIGHTS"):
        find_detector_weights(None, {"FERKIT_DETECTOR_WEIGHTS": str(missing)})


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.onnx"
    path.write_bytes(b"these are no weights")
    with pytest.raises(SettingsError, match=r"weights.onnx: not weights of YuNet"):
        Detector(path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address on this machine, and the folder it serves."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", tmp_path
        httpd.shutdown()
        thread.join()


def test_downloaded_weights_are_checked_and_kept(
    server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = server
    (folder / "weights").write_bytes(b"weights")
    environ = {"XDG_CACHE_HOME": str(folder / "cache")}
    with pytest.raises(SourceError, match="SHA-256 .*expected 25a606a.*--detector-weights"):
        download_detector_weights(f"{url}/weights", environ)
    assert find_detector_weights(None, environ) is None
    monkeypatch.setattr(face_weights, "WEIGHTS_SHA256", hashlib.sha256(b"weights").hexdigest())
    path = download_detector_weights(f"{url}/weights", environ)
    assert path.read_bytes() == b"weights"
    assert find_detector_weights(None, environ) == path


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/weights", "{server}/missing"])
def test_without_a_network_one_error_says_where_to_put_the_file(
    server: tuple[str, Path], address: str
) -> None:
    environ = {"XDG_CACHE_HOME": str(server[1])}
    with pytest.raises(SourceError, match=r"no download .* put it at .*yunet_n_640_640.onnx"):
        download_detector_weights(address.format(server=server[0]), environ)


# --- with the cascade that scikit-image ships


def photograph() -> NDArray[np.uint8]:
    """Eileen Collins, an astronaut (NASA, public domain), as scikit-image ships it."""
    data = pytest.importorskip("skimage.data")
    return np.asarray(data.astronaut(), dtype=np.uint8)


def test_without_weights_the_cascade_finds_a_box_and_says_so() -> None:
    data = png_bytes(photograph()[..., ::-1])
    (face,) = prepare_faces(data, RGB_96, FaceSettings(), detector_for(FaceSettings()))
    assert (face.method, face.landmarks, face.confidence) == ("lbp", (), None)
    assert face.box is not None
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
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == WEIGHTS_SHA256


@pytest.mark.realdata
@pytest.mark.parametrize("roll", ROLLS)
def test_a_turned_photograph_is_turned_back(yunet: Detector, roll: float) -> None:
    pixels = photograph()
    matrix = cv2.getRotationMatrix2D((224, 125), -roll, 1)
    turned = cv2.warpAffine(pixels, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    found = yunet.detect(np.asarray(turned, dtype=np.uint8))[0]
    face = settle_landmarks(np.asarray(turned, dtype=np.uint8), found, yunet)
    (left_x, left_y), (right_x, right_y) = face.landmarks[:2]
    seen = math.degrees(math.atan2(right_y - left_y, right_x - left_x))
    assert abs(seen - roll - 2) < 5  # she holds her head 2 degrees aslant


@pytest.mark.realdata
@pytest.mark.parametrize("side", [48, 110, 400, 2000])
def test_a_face_is_found_at_any_size(yunet: Detector, side: int) -> None:
    crop = photograph()[55:175, 165:285]
    method = cv2.INTER_AREA if side < 120 else cv2.INTER_LINEAR
    data = png_bytes(cv2.resize(crop, (side, side), interpolation=method)[..., ::-1])
    (face,) = prepare_faces(data, RGB_96, FaceSettings(), yunet)
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
    faces = [prepare_faces(data, ImageSettings(), settings, yunet)[0] for data in pictures]
    found = [face for face in faces if face.box is not None]
    assert len(found) / len(faces) > 0.94
    again = [prepare_faces(data, ImageSettings(), settings, yunet)[0] for data in pictures[:40]]
    assert all((a.pixels == b.pixels).all() for a, b in zip(faces, again, strict=False))
    # The places of alignment are where FER2013 has eyes and mouth, so its scale hardly changes.
    eyes = np.median([face.landmarks[:2] for face in found], axis=0)
    assert np.abs(eyes - FaceSettings().places(48)[:2]).max() < 1.5
