"""What face number i shall be: its class, its person and its split.

Everything here is a pure function of the settings and the index, so that face i is the same
however many faces are drawn, in whatever order and in whatever process.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fer_data.emotions import EMOTIONS
from fer_data.errors import SettingsError

#: Faces a class of FER2013's Training split (Goodfellow et al. 2013, "Challenges in
#: representation learning"), which has no contempt: ours is as rare as its disgust.
_FER2013_COUNTS = {
    "anger": 3995,
    "disgust": 436,
    "fear": 4097,
    "happiness": 7215,
    "sadness": 4830,
    "surprise": 3171,
    "neutral": 4965,
    "contempt": 400,
}
_GOLDEN_RATIO = (5**0.5 - 1) / 2
#: Each run of six faces shows three persons: one in one picture, one in two, one in three.
_PERSON_OF_PICTURE = (0, 1, 1, 2, 2, 2)
_MAX_DIRT = 0.5

#: Keys that keep the random streams of one seed apart.
FACE_STREAM, IDENTITY_STREAM, DIRT_STREAM = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthSettings:
    """What to draw.

    Attributes:
        num_samples: number of clean faces, at least 1.
        seed: any integer from 0 on; same seed, same bytes.
        image_size: height and width in pixels, 16 to 1024.
        channels: 1 for grey, 3 for RGB.
        num_classes: 7 emotions, or 8 with contempt.
        dirt: broken, doubled and mislabelled files to add, as a share of `num_samples`,
            0 to 0.5; above 0 there is at least one of each kind.
        even_dirt: add that share of every kind, instead of that share in all, and
            near-duplicates of harder sorts too: to measure what finds them.
        splits: write the official splits train and test (80/20, no person in both).
        balanced: as many faces in each class, instead of FER2013's proportions.
    """

    num_samples: int = 6000
    seed: int = 0
    image_size: int = 48
    channels: int = 1
    num_classes: int = 7
    dirt: float = 0.0
    even_dirt: bool = False
    splits: bool = False
    balanced: bool = False

    def __post_init__(self) -> None:
        if self.num_samples < 1:
            raise SettingsError(f"num_samples is {self.num_samples}; expected at least 1.")
        if self.seed < 0:
            raise SettingsError(f"seed is {self.seed}; expected 0 or more.")
        if not 16 <= self.image_size <= 1024:
            raise SettingsError(f"image_size is {self.image_size}; expected 16 to 1024 pixels.")
        if self.channels not in (1, 3):
            raise SettingsError(f"channels is {self.channels}; expected 1 (grey) or 3 (RGB).")
        if self.num_classes not in (7, 8):
            raise SettingsError(
                f"num_classes is {self.num_classes}; expected 7, or 8 with contempt."
            )
        if not 0 <= self.dirt <= _MAX_DIRT:
            raise SettingsError(
                f"dirt is {self.dirt}; expected a share from 0 to {_MAX_DIRT}, e.g. 0.05."
            )

    @property
    def class_names(self) -> tuple[str, ...]:
        """The emotions drawn, in canonical order."""
        return EMOTIONS[: self.num_classes]


def random_stream(seed: int, stream: int, number: int) -> np.random.Generator:
    """The random numbers of one thing: face, person or dirty file `number` of `seed`."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, stream, number))))


def class_shares(settings: SynthSettings) -> dict[str, float]:
    """The share of each class, summing to 1.

    Example:
        >>> round(class_shares(SynthSettings())["disgust"], 3)
        0.015
    """
    counts = {n: 1 if settings.balanced else _FER2013_COUNTS[n] for n in settings.class_names}
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def emotion_of(settings: SynthSettings, index: int) -> str:
    """The emotion of face `index`.

    The first faces show one of each class, so that the smallest set has them all. The
    others follow a golden-ratio sequence, whose every stretch keeps the shares closely.

    Example:
        >>> [emotion_of(SynthSettings(), i) for i in (0, 1, 6)]
        ['anger', 'disgust', 'neutral']
    """
    if index < settings.num_classes:
        return settings.class_names[index]
    position = (index * _GOLDEN_RATIO + settings.seed * 0.37) % 1.0
    for name, share in class_shares(settings).items():
        position -= share
        if position < 0:
            return name
    return settings.class_names[-1]


def identity_of(index: int) -> int:
    """The number of the person on face `index`.

    Example:
        >>> [identity_of(i) for i in range(8)]
        [0, 1, 1, 2, 2, 2, 3, 4]
    """
    return index // 6 * 3 + _PERSON_OF_PICTURE[index % 6]


def split_of(settings: SynthSettings, index: int) -> str:
    """The official split of face `index`: train or test, or "" without splits.

    Whole runs of six faces go to test, so no person stands in both splits.

    Example:
        >>> split_of(SynthSettings(splits=True), 12), split_of(SynthSettings(), 12)
        ('test', '')
    """
    if not settings.splits:
        return ""
    return "test" if index // 6 % 5 == 2 else "train"
