"""Emotion -> facial action units.

An action unit (AU) is one visible movement of the face (Ekman & Friesen 1978, "Facial Action
Coding System"). Each emotion has a few typical combinations of them (EMFACS, Friesen & Ekman
1983); a face shows one of these, as strongly as its intensity says, with some AUs weaker or
missing, and with movements that say nothing of the emotion, such as talking.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: What each AU used here does.
AU_NAMES = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    19: "tongue show",
    20: "lip stretcher",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
    43: "eyes closed",
}
NUM_AUS = 44
LEFT, RIGHT = 0, 1

#: The typical combinations of each emotion: AU -> intensity at full expression.
PROTOTYPES: dict[str, tuple[dict[int, float], ...]] = {
    "anger": (
        {4: 1.0, 5: 0.5, 7: 0.7, 23: 0.9},
        {4: 1.0, 7: 0.9, 24: 0.9, 17: 0.4},
        {4: 1.0, 5: 0.6, 7: 0.5, 10: 0.3, 16: 0.8, 25: 0.8, 26: 0.3},
    ),
    "disgust": (
        {9: 1.0, 10: 0.6, 15: 0.7, 16: 0.5, 25: 0.4, 7: 0.4},
        {9: 1.0, 10: 0.7, 15: 0.5, 17: 0.6, 4: 0.3, 7: 0.5},
        {9: 1.0, 10: 1.0, 16: 0.6, 19: 1.0, 25: 0.6, 26: 0.3, 7: 0.5},
    ),
    "fear": (
        {1: 0.9, 2: 0.5, 4: 0.6, 5: 1.0, 20: 0.8, 25: 0.6, 26: 0.4},
        {1: 0.9, 2: 0.4, 4: 0.7, 5: 1.0, 20: 1.0, 25: 0.7},
        {1: 1.0, 4: 0.6, 5: 0.9, 20: 0.9, 25: 0.5, 26: 0.5},
    ),
    "happiness": (
        {6: 0.8, 12: 0.9},
        {6: 0.7, 12: 0.9, 25: 0.8},
        {6: 1.0, 12: 1.0, 25: 1.0, 26: 0.5},
    ),
    "sadness": (
        {1: 0.9, 4: 0.6, 15: 0.9},
        {1: 1.0, 4: 0.7, 15: 0.9, 17: 0.7},
        {1: 0.9, 4: 0.6, 15: 0.9, 43: 0.35},
    ),
    "surprise": (
        {1: 0.9, 2: 0.9, 5: 0.8, 25: 0.6, 26: 0.9},
        {1: 1.0, 2: 1.0, 5: 0.6, 25: 0.4, 26: 0.6},
        {1: 1.0, 2: 1.0, 5: 1.0, 25: 0.8, 26: 1.0},
    ),
    "neutral": ({},),
    "contempt": ({12: 0.8, 14: 1.0}, {12: 0.6, 14: 0.9, 17: 0.3}),
}
_ONE_SIDED = "contempt"
#: Rare classes are only called so when they are plain to see.
_LEAST_INTENSITY = {"disgust": 0.55, "contempt": 0.55}
_SIGNATURE_AUS = frozenset({9, 14})  # never faint: nothing else tells their emotion
_JITTERED = np.array([au for au in AU_NAMES if au not in (19, 43)])


def full_expression(emotion: str, intensity: float = 1.0) -> NDArray[np.float64]:
    """The AUs of an emotion's first prototype, without any chance in it.

    Args:
        emotion: a canonical emotion.
        intensity: 0 (neutral) to 1 (full).

    Returns:
        float64 array of shape (2, 44): intensity in [0, 1] of AU n left and right in the image.

    Example:
        >>> full_expression("happiness")[0, 12]
        np.float64(0.9)
    """
    units = np.zeros((2, NUM_AUS))
    for au, strength in PROTOTYPES[emotion][0].items():
        units[:, au] = strength * intensity
    if emotion == _ONE_SIDED:
        units[LEFT] = 0.0
    return units


def draw_intensity(emotion: str, rng: np.random.Generator) -> float:
    """How strongly an emotion is shown, in [0, 1]; 0 for neutral. A few faces are hard to tell."""
    if emotion == "neutral":
        return 0.0
    least = _LEAST_INTENSITY.get(emotion, 0.36)
    return least + (1.0 - least) * float(rng.beta(2.2, 1.4))


def draw_action_units(
    emotion: str, intensity: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The AUs of one face that shows `emotion`.

    Returns:
        float64 array of shape (2, 44): intensity in [0, 1] of AU n left and right in the image.
    """
    units = np.zeros((2, NUM_AUS))
    prototypes = PROTOTYPES[emotion]
    for au, strength in prototypes[rng.integers(len(prototypes))].items():
        # Real expressions are seldom complete: an AU may be faint or stay away.
        faint = rng.random() < 0.10 and au not in _SIGNATURE_AUS
        share = 0.25 if faint else 0.80 + 0.40 * rng.random()
        units[:, au] = strength * intensity * share
    if emotion == _ONE_SIDED:
        units[int(rng.integers(2))] = 0.0
    _add_distractors(units, rng)
    # Both sides share most of the jitter; no face is quite symmetric.
    jitter = rng.normal(0.0, 0.06, size=(1, len(_JITTERED)))
    lopsided = rng.normal(0.0, 0.04, size=(2, len(_JITTERED)))
    units[:, _JITTERED] += jitter + lopsided
    return np.asarray(np.clip(units, 0.0, 1.0))


def _add_distractors(units: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Adds movements that come with any emotion, in place."""
    kind = rng.random()
    if kind < 0.08:  # talking
        units[:, 25] += 0.3 + 0.4 * rng.random()
        units[:, 26] += 0.1 + 0.5 * rng.random()
    elif kind < 0.11:  # blinking
        units[:, 43] += 0.5 + 0.5 * rng.random()
    elif kind < 0.14:  # squinting into the light
        units[:, 7] += 0.4 + 0.4 * rng.random()
        units[:, 4] += 0.3 * rng.random()
    elif kind < 0.17:  # lips pressed, in thought
        units[:, 24] += 0.3 + 0.5 * rng.random()
    elif kind < 0.20:  # a polite half smile
        units[:, 12] += 0.25 * rng.random()
