"""Laws of the drawn faces: pure, in proportion, and moved by their action units."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_data.emotions import EMOTIONS
from fer_data.errors import SettingsError
from fer_data.synth import SynthSettings, describe_face, draw_face
from fer_data.synth.action_units import AU_NAMES, PROTOTYPES, full_expression
from fer_data.synth.geometry import FaceGeometry, make_geometry
from fer_data.synth.identity import make_identity
from fer_data.synth.plan import class_shares, emotion_of, identity_of, split_of


def geometry_of(emotion: str, intensity: float = 1.0, person: int = 0) -> FaceGeometry:
    return make_geometry(make_identity(0, person), full_expression(emotion, intensity))


def corner_rise(geometry: FaceGeometry) -> float:
    mouth = geometry.mouth
    return mouth.middle_y - 0.5 * (mouth.left[1] + mouth.right[1])


PERSONS = st.integers(0, 10_000)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**40), index=st.integers(0, 100_000))
def test_face_depends_on_seed_and_index_alone(seed: int, index: int) -> None:
    few, many = SynthSettings(seed=seed, num_samples=1), SynthSettings(seed=seed, dirt=0.2)
    first, second = draw_face(few, index), draw_face(many, index)
    np.testing.assert_array_equal(first.image, second.image)
    assert first.emotion == second.emotion


def test_face_is_the_same_in_any_order_and_thread() -> None:
    synth = SynthSettings(seed=3)
    forward = [draw_face(synth, i).image for i in range(24)]
    with ThreadPoolExecutor(4) as pool:
        backward = list(pool.map(lambda i: draw_face(synth, i).image, reversed(range(24))))
    np.testing.assert_array_equal(np.stack(forward), np.stack(backward[::-1]))


def test_other_seed_or_index_gives_another_face() -> None:
    faces = [draw_face(SynthSettings(seed=s), i).image.tobytes() for s in (0, 1) for i in range(50)]
    assert len(set(faces)) == len(faces)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("image_size", [16, 48, 97, 160])
def test_image_has_the_shape_asked_for(image_size: int, channels: int) -> None:
    image = draw_face(SynthSettings(image_size=image_size, channels=channels), 5).image
    assert image.shape == (image_size, image_size, channels)
    assert image.dtype == np.uint8
    assert image.std() > 5


def test_size_and_colour_do_not_change_what_is_shown() -> None:
    grey = draw_face(SynthSettings(image_size=48), 12)
    large = draw_face(SynthSettings(image_size=96, channels=3), 12)
    assert grey.emotion == large.emotion
    np.testing.assert_array_equal(grey.facts.action_units, large.facts.action_units)
    weights = np.array([0.299, 0.587, 0.114])
    half = large.image.reshape(48, 2, 48, 2, 3).mean(axis=(1, 3)) @ weights
    assert np.corrcoef(half.ravel(), grey.image[:, :, 0].ravel())[0, 1] > 0.9


@pytest.mark.parametrize("num_classes", [7, 8])
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 99])
def test_classes_keep_their_shares(num_classes: int, balanced: bool, seed: int) -> None:
    synth = SynthSettings(seed=seed, num_classes=num_classes, balanced=balanced)
    drawn = [emotion_of(synth, i) for i in range(2000)]
    assert set(drawn[:num_classes]) == set(synth.class_names)
    for name, share in class_shares(synth).items():
        assert drawn.count(name) == pytest.approx(2000 * share, abs=10)


def test_classes_are_as_unbalanced_as_fer2013() -> None:
    shares = class_shares(SynthSettings())
    assert max(shares, key=shares.__getitem__) == "happiness"
    assert shares["happiness"] / shares["disgust"] == pytest.approx(7215 / 436)


def test_no_person_stands_in_both_splits_and_test_is_a_fifth() -> None:
    synth = SynthSettings(splits=True)
    splits: dict[int, set[str]] = {}
    for index in range(3000):
        splits.setdefault(identity_of(index), set()).add(split_of(synth, index))
    assert all(len(names) == 1 for names in splits.values())
    assert len(splits) < 3000
    tests = [i for i in range(3000) if split_of(synth, i) == "test"]
    assert len(tests) == 600
    assert {emotion_of(synth, i) for i in tests} == set(synth.class_names)


def test_pictures_of_one_person_share_the_identity() -> None:
    first, second = (describe_face(SynthSettings(), i) for i in (1, 2))
    assert first.identity == second.identity
    assert first.pose != second.pose


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_prototypes_use_known_action_units(emotion: str) -> None:
    for prototype in PROTOTYPES[emotion]:
        assert set(prototype) <= set(AU_NAMES)
        assert all(0 < strength <= 1 for strength in prototype.values())


@settings(max_examples=30, deadline=None)
@given(index=st.integers(0, 5000))
def test_action_units_are_shares(index: int) -> None:
    facts = describe_face(SynthSettings(num_classes=8), index)
    assert facts.action_units.shape == (2, 44)
    assert facts.action_units.min() >= 0
    assert facts.action_units.max() <= 1
    assert (facts.intensity == 0) == (facts.emotion == "neutral")


@settings(max_examples=30, deadline=None)
@given(person=PERSONS)
def test_mouth_corners_rise_in_happiness_and_fall_in_sadness(person: int) -> None:
    rises = [corner_rise(geometry_of(e, 1.0, person)) for e in ("happiness", "neutral", "sadness")]
    assert rises[0] > rises[1] > rises[2]


@settings(max_examples=30, deadline=None)
@given(person=PERSONS)
def test_surprise_raises_brows_and_drops_the_jaw(person: int) -> None:
    surprise, neutral = geometry_of("surprise", 1.0, person), geometry_of("neutral", 1.0, person)
    assert surprise.mouth.opening > neutral.mouth.opening + 0.1
    assert surprise.chin_y > neutral.chin_y
    for side in (0, 1):
        assert surprise.brows[side].middle[1] < neutral.brows[side].middle[1]
        assert surprise.eyes[side].openness > neutral.eyes[side].openness


@settings(max_examples=30, deadline=None)
@given(person=PERSONS)
def test_anger_lowers_and_knits_the_brows(person: int) -> None:
    anger, neutral = geometry_of("anger", 1.0, person), geometry_of("neutral", 1.0, person)
    assert anger.brows[0].inner[1] > neutral.brows[0].inner[1]
    assert anger.brows[0].inner[0] > neutral.brows[0].inner[0]
    assert anger.frown_lines > neutral.frown_lines


@settings(max_examples=30, deadline=None)
@given(person=PERSONS)
def test_fear_stretches_the_mouth_where_surprise_rounds_it(person: int) -> None:
    fear, surprise = (geometry_of(e, 1.0, person).mouth for e in ("fear", "surprise"))
    assert fear.right[0] - fear.left[0] > surprise.right[0] - surprise.left[0]
    assert surprise.roundness > fear.roundness


def test_disgust_wrinkles_the_nose_and_contempt_is_one_sided() -> None:
    others = [geometry_of(e).nose_wrinkles for e in EMOTIONS if e != "disgust"]
    assert geometry_of("disgust").nose_wrinkles > max(others)
    contempt = geometry_of("contempt").mouth
    assert contempt.right[1] < contempt.left[1] - 0.05


@settings(max_examples=20, deadline=None)
@given(person=PERSONS, emotion=st.sampled_from(EMOTIONS))
def test_lids_and_lips_never_cross(person: int, emotion: str) -> None:
    geometry = geometry_of(emotion, 1.0, person)
    upper, lower = geometry.eyes[0].lids(np.linspace(-1, 1, 9))
    assert (upper <= lower).all()
    outer_upper, inner_upper, inner_lower, outer_lower = geometry.mouth.contours()
    assert (outer_upper[:, 1] <= inner_upper[:, 1] + 1e-9).all()
    assert (inner_upper[:, 1] <= inner_lower[:, 1] + 1e-9).all()
    assert (inner_lower[:, 1] <= outer_lower[:, 1] + 1e-9).all()


def test_stronger_expression_moves_further() -> None:
    rises = [corner_rise(geometry_of("happiness", k)) for k in (0.0, 0.3, 0.6, 1.0)]
    assert rises == sorted(rises)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_samples": 0}, "num_samples is 0; expected at least 1"),
        ({"seed": -1}, "seed is -1; expected 0 or more"),
        ({"image_size": 8}, "image_size is 8; expected 16 to 1024"),
        ({"channels": 2}, r"channels is 2; expected 1 \(grey\) or 3"),
        ({"num_classes": 6}, "num_classes is 6; expected 7, or 8 with contempt"),
        ({"dirt": 0.7}, "dirt is 0.7; expected a share from 0 to 0.5"),
        ({"dirt": float("nan")}, "dirt is nan"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SynthSettings(**wrong)  # type: ignore[arg-type]
