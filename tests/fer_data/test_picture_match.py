"""Laws of the comparison on pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data.duplicate_settings import DuplicateSettings
from fer_data.picture_match import MATCH_SIDE, match_pictures, prepare_for_match
from fer_data.synth import SynthSettings, draw_face

NUM_FACES = 24
Pictures = NDArray[np.uint8]


@pytest.fixture(scope="module")
def faces() -> Pictures:
    settings = SynthSettings(seed=8)
    return np.stack([draw_face(settings, 6 * n).image[..., 0] for n in range(NUM_FACES)])


def are_near(first: Pictures, second: Pictures) -> NDArray[np.bool_]:
    match = match_pictures(first, second)
    settings = DuplicateSettings()
    near = match.similarity >= settings.min_similarity
    return near & (match.detail >= settings.min_detail)


def jpeg(picture: Pictures) -> Pictures:
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def cut(picture: Pictures) -> Pictures:
    return np.asarray(cv2.resize(picture[1:-2, 2:-1], (48, 48)), np.uint8)


def shifted(picture: Pictures) -> Pictures:
    return np.pad(picture, ((2, 0), (0, 1)), mode="edge")[:48, 1:]


def darker(picture: Pictures) -> Pictures:
    return (picture * 0.6 + 5).astype(np.uint8)


@pytest.mark.parametrize("change", [jpeg, cut, shifted, darker])
def test_the_same_picture_a_little_changed_is_near(faces: Pictures, change: object) -> None:
    assert callable(change)
    changed = np.stack([change(face) for face in faces])
    assert are_near(faces, changed).mean() > 0.9
    assert are_near(changed, faces).mean() > 0.9


def test_pictures_of_others_are_not_near(faces: Pictures) -> None:
    for distance in range(1, 6):
        assert not are_near(faces, np.roll(faces, distance, axis=0)).any()


def test_a_picture_matches_itself_perfectly(faces: Pictures) -> None:
    match = match_pictures(faces, faces)
    np.testing.assert_allclose(match.similarity, 1, atol=1e-4)
    np.testing.assert_allclose(match.detail, 1, atol=1e-3)


def test_a_pair_is_judged_the_same_in_any_company(faces: Pictures) -> None:
    second = np.stack([cut(face) for face in faces])
    together = match_pictures(faces, second)
    for n in range(NUM_FACES):
        alone = match_pictures(faces[[n]], second[[n]])
        np.testing.assert_allclose(alone.similarity[0], together.similarity[n], atol=1e-5)
        np.testing.assert_allclose(alone.detail[0], together.detail[n], atol=1e-5)


def test_a_flat_picture_matches_nothing(faces: Pictures) -> None:
    flat = np.full_like(faces, 90)
    for first, second in ((flat, faces), (faces, flat), (flat, flat)):
        match = match_pictures(first, second)
        assert (np.abs(match.similarity) < 1e-3).all()
        assert (np.abs(match.detail) < 1e-3).all()


@pytest.mark.parametrize("shape", [(48, 48), (24, 24), (96, 96), (100, 60)])
def test_pictures_of_any_size_are_prepared(shape: tuple[int, int]) -> None:
    gray = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    prepared = prepare_for_match(gray)
    assert prepared.shape == (3, MATCH_SIDE, MATCH_SIDE)
    assert prepared.dtype == np.uint8
