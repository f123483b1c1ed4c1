"""Canonical class names of the field and their synonyms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fer_data.errors import UnknownNameError

#: Canonical names, in the order of the FER2013 label codes, then contempt.
EMOTIONS = (
    "anger",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
    "neutral",
    "contempt",
)

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "anger": ("angry", "an", "ang", "anger"),
    "disgust": ("disgusted", "di", "dis", "disgust"),
    "fear": ("fearful", "afraid", "scared", "fe", "fea", "fear"),
    "happiness": ("happy", "joy", "ha", "hap", "happiness"),
    "sadness": ("sad", "sa", "sadness"),
    "surprise": ("surprised", "su", "sur", "surprise"),
    "neutral": ("normal", "ne", "neu", "neutrality", "neutral"),
    "contempt": ("contemptuous", "co", "con", "contempt"),
}
_CANONICAL = {synonym: name for name, synonyms in _SYNONYMS.items() for synonym in synonyms}


def canonical_emotion(name: str) -> str | None:
    """The canonical name of an emotion word, or None when it is not one.

    Example:
        >>> canonical_emotion("Happy"), canonical_emotion("ANGER"), canonical_emotion("cats")
        ('happiness', 'anger', None)
    """
    return _CANONICAL.get(name.strip().lower())


def emotion_synonyms(name: str) -> tuple[str, ...]:
    """Other words for a canonical emotion; none where the name is no emotion.

    Example:
        >>> emotion_synonyms("neutral")
        ('normal', 'ne', 'neu', 'neutrality')
    """
    return tuple(word for word in _SYNONYMS.get(name, ()) if word != name)


def canonical_class_name(name: str) -> str:
    """The canonical emotion where the name is one, else the name itself, trimmed and lower-case.

    Example:
        >>> canonical_class_name("Surprised"), canonical_class_name(" Tired ")
        ('surprise', 'tired')
    """
    return canonical_emotion(name) or name.strip().lower()


def order_class_names(names: Iterable[str]) -> tuple[str, ...]:
    """Class names in ferkit's order: emotions as in `EMOTIONS`, then others by alphabet.

    Example:
        >>> order_class_names(["tired", "sadness", "anger"])
        ('anger', 'sadness', 'tired')
    """
    unique = set(names)
    return (*(e for e in EMOTIONS if e in unique), *sorted(unique.difference(EMOTIONS)))


def find_class_name(name: str, class_names: Sequence[str]) -> str:
    """The one of `class_names` that `name`, or a synonym of it, stands for.

    Raises:
        UnknownNameError: no class has this name; the nearest one is suggested.

    Example:
        >>> find_class_name("happy", ["anger", "happiness"])
        'happiness'
    """
    canonical = canonical_class_name(name)
    if canonical in class_names:
        return canonical
    # "joyful" is near "joy", which stands for happiness
    synonyms = {s: c for c in class_names for s in _SYNONYMS.get(c, ()) if len(s) > 2 and s != c}
    raise UnknownNameError("class", name, class_names, synonyms)
