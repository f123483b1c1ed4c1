"""Laws of alignment, on faces of known geometry."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from fer_data.face_align import FaceSettings, align_face, alignment
from fer_data.face_detector import Face
from fer_data.image import ImageSettings
from tests.drawn_faces import ROLLS, eye_error, moved, synthetic_face

RGB_96 = ImageSettings(size=96, color="rgb")


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
