"""Which files a synthetic set has: the clean faces and the dirt of real sets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np

from fer_data.synth.plan import DIRT_STREAM, SynthSettings, emotion_of, random_stream, split_of

#: Every kind of file, clean first. Dirt comes in these shares; `leaking` needs splits.
KINDS = (
    "clean", "duplicate", "near-duplicate", "leaking", "conflicting-label", "blank", "black",
    "non-face", "truncated", "zero-byte", "wrong-type", "hidden",
)  # fmt: skip
_DIRT_SHARES = {
    "duplicate": 0.20,
    "near-duplicate": 0.20,
    "leaking": 0.12,
    "conflicting-label": 0.10,
    "blank": 0.08,
    "black": 0.07,
    "non-face": 0.11,
    # Unreadable files are few: ingest stops when more than 5 % of all files are rejected.
    "truncated": 0.04,
    "zero-byte": 0.03,
    "wrong-type": 0.03,
    "hidden": 0.02,
}
#: Kinds made from another file of the set.
COPIED_KINDS = ("duplicate", "near-duplicate", "leaking", "conflicting-label")
NEAR_DUPLICATES = ("jpeg", "brighter", "cropped", "resized")
#: As FER2013 has them beside these; with even dirt only.
HARDER_NEAR_DUPLICATES = ("contrast", "cut", "shifted", "mirrored", "watermarked")
WRONG_TYPES = (".png", ".txt", ".pdf")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """One file of the set, before it is written.

    Attributes:
        path: where, below the set's folder, with forward slashes.
        class_name: the class folder it stands in: its label, true or not.
        split: train or test, or "" without splits.
        kind: one of `KINDS`.
        number: the number in its name; also the seed of what chance decides in it.
        face_index: the face it shows, or None where there is none.
        source_path: the file it was made from, or "".
        variant: which sort of near-duplicate or wrong type.
    """

    path: str
    class_name: str
    split: str
    kind: str
    number: int
    face_index: int | None = None
    source_path: str = ""
    variant: str = ""


def plan_files(settings: SynthSettings) -> list[PlannedFile]:
    """Every file of the set, clean faces first, in the order they are written.

    Example:
        >>> plan_files(SynthSettings(num_samples=2))[1].path
        'disgust/face-000001.png'
    """
    files = [_plan_face(settings, index) for index in range(settings.num_samples)]
    if settings.dirt > 0:
        files += _plan_dirt(settings, files)
    return files


def count_dirt(settings: SynthSettings) -> dict[str, int]:
    """How many files of each kind of dirt the set has.

    Example:
        >>> sum(count_dirt(SynthSettings(num_samples=1000, dirt=0.05)).values())
        50
    """
    if settings.dirt == 0:
        return {}
    shares = {k: s for k, s in _DIRT_SHARES.items() if settings.splits or k != "leaking"}
    if settings.even_dirt:
        return dict.fromkeys(shares, max(1, round(settings.dirt * settings.num_samples)))
    # One of each, whatever the share; the rest by the shares.
    rest = max(0, round(settings.dirt * settings.num_samples) - len(shares))
    total = sum(shares.values())
    counts = {kind: 1 + int(share / total * rest) for kind, share in shares.items()}
    counts["duplicate"] += len(shares) + rest - sum(counts.values())
    return counts


def _plan_face(settings: SynthSettings, index: int, kind: str = "clean") -> PlannedFile:
    emotion, split = emotion_of(settings, index), split_of(settings, index)
    suffix = ".jpg" if kind == "truncated" and index % 2 else ".png"
    return PlannedFile(
        path=_path(split, emotion, f"face-{index:06d}{suffix}"),
        class_name=emotion,
        split=split,
        kind=kind,
        number=index,
        face_index=index,
    )


def _plan_dirt(settings: SynthSettings, faces: list[PlannedFile]) -> list[PlannedFile]:
    rng = random_stream(settings.seed, DIRT_STREAM, 0)
    order = rng.permutation(len(faces)).tolist()
    # A face is the source of one dirty file at most, while there are enough of them.
    sources = (faces[order[k % len(order)]] for k in count())
    folders = sorted({(face.split, face.class_name) for face in faces})
    numbers = count(settings.num_samples)
    files = []
    for kind, num_files in count_dirt(settings).items():
        for k in range(num_files):
            if kind == "hidden":
                files.append(_plan_hidden(folders, k))
            elif kind == "truncated":
                files.append(_plan_face(settings, next(numbers), kind))
            elif kind in COPIED_KINDS:
                source, number = next(sources), next(numbers)
                files.append(_plan_copy(settings, source, kind, number, rng))
            else:
                files.append(_plan_junk(settings, kind, next(numbers), k, rng))
    return files


def _plan_copy(
    settings: SynthSettings,
    source: PlannedFile,
    kind: str,
    number: int,
    rng: np.random.Generator,
) -> PlannedFile:
    """A file made from `source`: the same picture, elsewhere or a little changed."""
    class_name, split, variant, suffix = source.class_name, source.split, "", ".png"
    if kind == "leaking":
        split = "train" if split == "test" else "test"
    elif kind == "conflicting-label":
        others = [name for name in settings.class_names if name != class_name]
        class_name = others[int(rng.integers(len(others)))]
    elif kind == "near-duplicate":
        variants = NEAR_DUPLICATES + HARDER_NEAR_DUPLICATES * settings.even_dirt
        variant = variants[number % len(variants)]
        suffix = ".jpg" if variant == "jpeg" else ".png"
    return PlannedFile(
        path=_path(split, class_name, f"face-{number:06d}{suffix}"),
        class_name=class_name,
        split=split,
        kind=kind,
        number=number,
        face_index=source.face_index,
        source_path=source.path,
        variant=variant,
    )


def _plan_junk(
    settings: SynthSettings, kind: str, number: int, turn: int, rng: np.random.Generator
) -> PlannedFile:
    """A file that shows no face at all, in a class chosen by lot."""
    class_name = settings.class_names[int(rng.integers(settings.num_classes))]
    split = ("test" if rng.random() < 0.2 else "train") if settings.splits else ""
    suffix = WRONG_TYPES[turn % len(WRONG_TYPES)] if kind == "wrong-type" else ".png"
    return PlannedFile(
        path=_path(split, class_name, f"face-{number:06d}{suffix}"),
        class_name=class_name,
        split=split,
        kind=kind,
        number=number,
        variant=suffix if kind == "wrong-type" else "",
    )


def _plan_hidden(folders: list[tuple[str, str]], turn: int) -> PlannedFile:
    """What macOS leaves behind: one .DS_Store a folder, then AppleDouble files."""
    split, class_name = folders[turn % len(folders)]
    round_number = turn // len(folders)
    name = f"._face-{round_number:06d}.png" if round_number else ".DS_Store"
    return PlannedFile(
        path=_path(split, class_name, name),
        class_name=class_name,
        split=split,
        kind="hidden",
        number=turn,
        variant="apple-double" if round_number else "ds-store",
    )


def _path(split: str, class_name: str, name: str) -> str:
    return "/".join(part for part in (split, class_name, name) if part)
