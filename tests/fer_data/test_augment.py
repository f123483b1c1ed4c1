"""Laws of augmentation, and what would tell that Augmentor changed."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_data.augment import augment_image, augment_images
from fer_data.errors import SettingsError, UnknownNameError
from fer_data.operations import (
    OPERATIONS,
    PRESETS,
    Operation,
    operations_from_json,
    operations_to_json,
)
from fer_data.operations_file import find_operations
from tests.conftest import face_pixels

GEOMETRY = [o for o in OPERATIONS.values() if o.name not in ("brightness", "contrast", "erase")]
RECIPES = [*((operation,) for operation in OPERATIONS.values()), *PRESETS.values()]
# Digest of the copies of two faces by each operation, on Augmentor 0.2.12 and Pillow 12. Where
# one changes, packs made with the new version have other bytes: say so in CHANGELOG.md.
GOLDEN = {
    "brightness": "2c0afa3202159d7e",
    "contrast": "6b11437868cfdbf2",
    "distort": "90a34ce9a9d7fb42",
    "erase": "04ee97a37d15d726",
    "flip": "9c9be6482b11e096",
    "rotate": "dfc1602e4cb2f169",
    "shear": "97e6fd85fc9a2ce1",
    "shift": "5833603cacbf349d",
    "skew": "e946188c766809a6",
    "zoom": "a54cef8a305b29ee",
}
# What each operation draws, in order, from Python's generator and from NumPy's.
DRAWS = {
    "brightness": "np.uniform",
    "contrast": "np.uniform",
    "distort": " ".join(["randint"] * 18),
    "erase": "randint randint randint randint np.rand",
    "flip": "randint",
    "rotate": "randint randint randint",
    "shear": "uniform choice",
    "shift": "randint randint",
    "skew": "randint choice randint",
    "zoom": "uniform",
}


def face(seed: int, channels: int = 1, size: int = 48) -> NDArray[np.uint8]:
    return np.stack([face_pixels(seed + c, size) for c in range(channels)], axis=-1)


def name_of(recipe: tuple[Operation, ...]) -> str:
    return "+".join(operation.name for operation in recipe)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("recipe", RECIPES, ids=name_of)
def test_copy_depends_on_pixels_and_seed_only(recipe: tuple[Operation, ...], channels: int) -> None:
    original = face(1, channels)
    before = original.copy()
    first = augment_image(original, recipe, 5)
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    np.testing.assert_array_equal(augment_image(original, recipe, 5), first)
    np.testing.assert_array_equal(original, before)
    assert first.shape == original.shape
    assert first.dtype == np.uint8
    assert not np.shares_memory(first, original)
    assert (first != original).any()


@pytest.mark.parametrize("recipe", RECIPES, ids=name_of)
def test_global_generators_are_put_back(recipe: tuple[Operation, ...]) -> None:
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = random.random(), np.random.rand()  # noqa: NPY002
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    augment_image(face(1), recipe, 5)
    assert (random.random(), np.random.rand()) == expected  # noqa: NPY002


def test_global_generators_are_put_back_after_an_error() -> None:
    state = random.getstate()
    with pytest.raises(ValueError, match="zip"):
        augment_images(face(1)[np.newaxis], PRESETS["course"], [1, 2])
    assert random.getstate() == state


def test_copies_made_together_equal_those_made_alone() -> None:
    faces = np.stack([face(n) for n in range(6)])
    seeds = [2**64 - 1, 0, 7, 2**32, 2**63, 8]
    together = augment_images(faces, PRESETS["generator"], seeds)
    alone = [augment_image(f, PRESETS["generator"], s) for f, s in zip(faces, seeds, strict=True)]
    np.testing.assert_array_equal(together, np.stack(alone))


@pytest.mark.parametrize("size", [24, 48, 97, 224])
@pytest.mark.parametrize("operation", GEOMETRY, ids=lambda o: o.name)
def test_no_operation_leaves_black_corners(operation: Operation, size: int) -> None:
    white = np.full((60, size, size, 1), 255, np.uint8)
    strongest = {"rotate": {"low": -25, "high": 25}, "shear": {"low": -25, "high": 25}}
    for fill in ("crop", "nearest") if operation.name == "rotate" else ("crop",):
        magnitudes = strongest.get(operation.name, {"low": operation.low, "high": operation.high})
        strong = Operation(name=operation.name, fill=fill, **magnitudes)
        assert augment_images(white, [strong], range(60)).min() == 255


def test_probability_0_never_fires_and_1_always() -> None:
    faces = np.repeat(face(1)[np.newaxis], 100, axis=0)
    never = Operation(name="brightness", probability=0, low=0.5, high=0.5)
    flip = Operation(name="flip", probability=1)
    flipped = faces[:, :, ::-1]
    np.testing.assert_array_equal(augment_images(faces, [never, flip], range(100)), flipped)
    np.testing.assert_array_equal(augment_images(faces, [never], range(100)), faces)


def test_probability_between_fires_as_often_as_it_says() -> None:
    faces = np.repeat(face(1)[np.newaxis], 2000, axis=0)
    darker = Operation(name="brightness", low=0.5, high=0.5)
    flip = Operation(name="flip", probability=0.3)
    expected = augment_image(face(1), [darker], 0)[:, ::-1]
    copies = augment_images(faces, [flip, darker], range(2000))
    share = (copies == expected).all(axis=(1, 2, 3)).mean()
    assert abs(share - 0.3) < 0.04  # 4 standard deviations


def test_unlikely_operations_still_change_every_copy() -> None:
    faces = np.repeat(face(1)[np.newaxis], 200, axis=0)
    rare = [Operation(name=n, probability=0.01, low=-10, high=10) for n in ("rotate", "shear")]
    copies = augment_images(faces, rare, range(200))
    assert (copies != faces).any(axis=(1, 2, 3)).all()


def test_image_that_no_operation_can_change_comes_back() -> None:
    black = np.zeros((24, 24, 3), np.uint8)
    np.testing.assert_array_equal(augment_image(black, PRESETS["course"], 1), black)


@given(
    operations=st.lists(
        st.builds(
            lambda name, p: Operation(
                name=name, probability=p, low=OPERATIONS[name].low, high=OPERATIONS[name].high
            ),
            st.sampled_from(sorted(OPERATIONS)),
            st.floats(0, 1),
        ),
        max_size=4,
    )
)
@settings(max_examples=50, deadline=None)
def test_operations_survive_the_table(operations: list[Operation]) -> None:
    assert operations_from_json(operations_to_json(operations)) == tuple(operations)
    copy = augment_image(face(2, 3, 24), operations, 1)
    assert copy.shape == (24, 24, 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "flip", "probability": 1.5}, "flip: probability must be 0 to 1; received 1.5"),
        ({"name": "rotate", "high": 50}, "rotate: high must be 0 to 25; received 50"),
        ({"name": "rotate", "high": 2.5}, "rotate: high must be whole degrees; received 2.5"),
        ({"name": "zoom", "low": 1.2, "high": 1.1}, "zoom: low must not exceed high"),
        ({"name": "shift", "fill": "nearest"}, 'shift: fill must be "crop", or "nearest" for'),
        ({"name": "erase", "low": 0.0, "high": 0.3}, "erase: low must be 0.1 to 0.1"),
    ],
)
def test_wrong_magnitudes_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Operation(**fields)  # type: ignore[arg-type]


def test_unknown_names_are_told_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r'unknown operation "rotation".*"rotate"'):
        Operation(name="rotation")
    with pytest.raises(SettingsError, match=r'unknown preset "coarse".*"course"'):
        find_operations("coarse")
    with pytest.raises(SettingsError, match="not a list of operations"):
        operations_from_json("{")


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_pixels_are_those_of_the_known_augmentor(name: str) -> None:
    faces = np.stack([face(1), face(2)])
    copies = augment_images(faces, [OPERATIONS[name]], [11, 12])
    assert hashlib.sha256(copies.tobytes()).hexdigest()[:16] == GOLDEN[name]


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_augmentor_draws_what_it_is_known_to_draw(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = record_draws(monkeypatch)
    augment_image(face(1), [OPERATIONS[name]], 11)
    assert " ".join(drawn) == DRAWS[name]


def record_draws(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes each draw that Augmentor makes, from either global generator."""
    from Augmentor import Operations

    drawn: list[str] = []

    class Noting:
        def __init__(self, module: object, prefix: str) -> None:
            self._module, self._prefix = module, prefix

        def __getattr__(self, attribute: str) -> object:
            drawn.append(self._prefix + attribute)
            return getattr(self._module, attribute)

    class Numpy:
        random = Noting(np.random, "np.")

        def __getattr__(self, attribute: str) -> object:
            return getattr(np, attribute)

    monkeypatch.setattr(Operations, "random", Noting(random, ""))
    monkeypatch.setattr(Operations, "np", Numpy())
    return drawn
