"""Small generated sets in the exact layouts of the known data sets, each with what it must give."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import face_pixels, png_bytes

Counts = dict[str, dict[str, int]]

FER2013_NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
FERPLUS_NAMES = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
)  # fmt: skip
AFFECTNET_NAMES = (
    "neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt",
)  # fmt: skip
VOTES_HEADER = ["Usage", "Image name", *FERPLUS_NAMES, "unknown", "NF"]


@dataclass(frozen=True, kw_only=True)
class Miniature:
    """A generated set.

    Attributes:
        raw: what is given to ingest.
        manifest: what it must be understood as.
        counts: split ("" without) → class name → samples.
        reasons: reason → rejections.
        subjects: all of them.
        votes: file of votes to be given with it, or None.
    """

    raw: Path
    manifest: str
    counts: Counts
    reasons: dict[str, int] = field(default_factory=dict)
    subjects: set[str] = field(default_factory=set)
    votes: Path | None = None


class _Faces:
    """Gives another face every time."""

    def __init__(self) -> None:
        self._seed = 0

    def pixels(self, size: int = 48) -> NDArray[np.uint8]:
        self._seed += 1
        return face_pixels(self._seed, size)

    def color(self, size: int) -> NDArray[np.uint8]:
        return np.stack([self.pixels(size) for _ in range(3)], axis=-1)


def save(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Writes a picture in the format that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".tif", ".tiff"):
        Image.fromarray(pixels).save(path)
        return
    done, data = cv2.imencode(path.suffix, pixels)
    assert done
    path.write_bytes(data.tobytes())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def _csv_text(rows: Iterable[Sequence[object]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


def fer2013_folders(root: Path) -> Miniature:
    """FER2013 as class folders in split folders, as its archives have it."""
    faces, row = _Faces(), 0
    for split in ("train", "public_test"):
        for name in ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"):
            for _ in range(2):
                save(root / "fer2013" / split / name / f"fer{row:07d}.png", faces.pixels())
                row += 1
    each = dict.fromkeys(FER2013_NAMES, 2)
    return Miniature(raw=root, manifest="fer2013", counts={"train": each, "validation": each})


def fer2013_copy(root: Path) -> Miniature:
    """The copy whose folder `test` holds both test splits."""
    faces = _Faces()
    for number, name in enumerate(
        ["angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised"]
    ):
        save(root / "train" / name / f"Training_{number}.jpg", faces.pixels())
        save(root / "test" / name / f"PublicTest_{number}.jpg", faces.pixels())
        save(root / "test" / name / f"PrivateTest_{number}.jpg", faces.pixels())
    each = dict.fromkeys(FER2013_NAMES, 1)
    counts = {"train": each, "validation": each, "test": each}
    return Miniature(raw=root, manifest="fer2013", counts=counts)


def fer2013_numbered(root: Path) -> Miniature:
    """The copy with `im<n>.png`."""
    faces = _Faces()
    for number, name in enumerate(
        ["angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised"]
    ):
        save(root / "train" / name / f"im{number}.png", faces.pixels())
        save(root / "test" / name / f"im{number}.png", faces.pixels())
    each = dict.fromkeys(FER2013_NAMES, 1)
    return Miniature(raw=root, manifest="fer2013", counts={"train": each, "test": each})


def _fer2013_rows() -> list[tuple[int, str, str]]:
    """Code, split and pixels of each row."""
    faces = _Faces()
    return [
        (row % 7, usage, " ".join(map(str, faces.pixels().ravel())))
        for row, usage in enumerate(["Training"] * 7 + ["PublicTest"] * 7 + ["PrivateTest"] * 7)
    ]


def fer2013_csv(root: Path) -> Miniature:
    """The original table."""
    rows = [(code, pixels, usage) for code, usage, pixels in _fer2013_rows()]
    _write(root / "fer2013.csv", _csv_text([("emotion", "pixels", "Usage"), *rows]))
    each = dict.fromkeys(FER2013_NAMES, 1)
    counts = {"train": each, "validation": each, "test": each}
    return Miniature(raw=root / "fer2013.csv", manifest="fer2013", counts=counts)


def icml_face_data(root: Path) -> Miniature:
    """The table with blanks in its header and another order of columns."""
    path = root / "icml_face_data.csv"
    _write(path, _csv_text([("emotion", " Usage", " pixels"), *_fer2013_rows()]))
    return Miniature(raw=path, manifest="fer2013", counts=fer2013_csv(root / "other").counts)


def majority(name: str) -> list[int]:
    """Eight of ten votes for a class, one for another, one for unknown."""
    votes = [8 * (each == name) for each in FERPLUS_NAMES]
    votes[FERPLUS_NAMES.index("neutral" if name != "neutral" else "sadness")] = 1
    return [*votes, 1, 0]


NOT_A_FACE = [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]
NO_MAJORITY = [5, 0, 0, 5, 0, 0, 0, 0, 0, 0]
UNKNOWN = [1, 0, 0, 0, 0, 0, 0, 0, 9, 0]


def ferplus_votes(root: Path) -> Miniature:
    """FER2013 with fer2013new.csv: names in it are blank or doubled, rows in the same order."""
    fer = fer2013_folders(root / "raw")
    votes = [majority(FERPLUS_NAMES[row % 8]) for row in range(28)]
    votes[3], votes[5], votes[20] = NOT_A_FACE, NO_MAJORITY, UNKNOWN
    names = [f"fer{row:07d}.png" for row in range(28)]
    names[3] = ""  # taken out
    # behind it all names count on without it, and one stands twice
    names[4:] = [f"fer{row - 1:07d}.png" for row in range(4, 28)]
    names[9] = names[8]
    usages = ["Training"] * 14 + ["PublicTest"] * 14
    rows = [[usages[row], names[row], *votes[row]] for row in range(28)]
    _write(root / "fer2013new.csv", _csv_text([VOTES_HEADER, *rows]))
    counts: Counts = {}
    for row in range(28):
        if row not in (3, 5, 20):
            split = counts.setdefault("train" if row < 14 else "validation", {})
            split[FERPLUS_NAMES[row % 8]] = split.get(FERPLUS_NAMES[row % 8], 0) + 1
    return Miniature(
        raw=fer.raw,
        manifest="ferplus",
        counts=counts,
        reasons={"not-a-face": 1, "no-majority": 2},
        votes=root / "fer2013new.csv",
    )


def ferplus_folders(root: Path) -> Miniature:
    """What FER+'s own script writes."""
    faces = _Faces()
    counts: Counts = {}
    for split, folder in (("train", "Train"), ("validation", "Valid"), ("test", "Test")):
        rows: list[list[object]] = []
        for number, name in enumerate(FERPLUS_NAMES):
            path = f"fer{number:07d}.png"
            save(root / "data" / f"FER2013{folder}" / path, faces.pixels())
            rows.append([path, "(0, 0, 48, 48)", *majority(name)])
        save(root / "data" / f"FER2013{folder}" / "fer0000099.png", faces.pixels())
        rows.append(["fer0000099.png", "(0, 0, 48, 48)", *NO_MAJORITY])
        # written twice: the picture is that of the last row
        rows.append(["fer0000000.png", "(0, 0, 48, 48)", *majority("contempt")])
        _write(root / "data" / f"FER2013{folder}" / "label.csv", _csv_text(rows))
        counts[split] = {**dict.fromkeys(FERPLUS_NAMES[1:], 1), "contempt": 2}
    reasons = {"no-majority": 3, "support-file": 3}
    return Miniature(raw=root, manifest="ferplus", counts=counts, reasons=reasons)


def affectnet_old(root: Path) -> Miniature:
    """Two lists, pictures in numbered folders, a box a face."""
    faces = _Faces()
    header = [
        "subDirectory_filePath", "face_x", "face_y", "face_width", "face_height",
        "facial_landmarks", "expression", "valence", "arousal",
    ]  # fmt: skip
    for split, codes in (("training", range(11)), ("validation", range(8))):
        rows: list[list[object]] = []
        for code in codes:
            path = f"{code % 3 + 1}/{split}{code:02d}.jpg"
            save(root / "Manually_Annotated_Images" / path, faces.color(80))
            box = [10, 12, 60, 56] if code < 8 else ["NULL"] * 4
            rows.append([path, *box, "1.5;2.5;3.5;4.5", code, -0.25, 0.5])
        text = _csv_text([header, *rows] if split == "training" else rows)
        _write(root / "Manually_Annotated_file_lists" / f"{split}.csv", text)
    each = dict.fromkeys(AFFECTNET_NAMES, 1)
    return Miniature(
        raw=root,
        manifest="affectnet",
        counts={"train": each, "validation": each},
        reasons={"no-emotion": 1, "uncertain": 1, "not-a-face": 1, "support-file": 2},
    )


def affectnet_2021(root: Path) -> Miniature:
    """One NumPy file a picture and quantity."""
    faces = _Faces()
    for folder, codes in (("train_set", range(11)), ("val_set", range(8))):
        for number, code in enumerate(codes):
            save(root / folder / "images" / f"{number}.jpg", faces.color(64))
            notes = root / folder / "annotations"
            notes.mkdir(parents=True, exist_ok=True)
            np.save(notes / f"{number}_exp.npy", np.array(str(code)))
            np.save(notes / f"{number}_val.npy", np.array("-0.25"))
            np.save(notes / f"{number}_aro.npy", np.array(0.5))
            np.save(notes / f"{number}_lnd.npy", np.zeros(136))
    each = dict.fromkeys(AFFECTNET_NAMES, 1)
    reasons = {"no-emotion": 1, "uncertain": 1, "not-a-face": 1, "support-file": 4 * 19}
    return Miniature(
        raw=root,
        manifest="affectnet",
        counts={"train": each, "validation": each},
        reasons=reasons,
    )


AFFECTNET_96_ROWS = (
    ("anger/image0000006.jpg", "surprise", 0.8731420695),
    ("anger/image0000060.jpg", "anger", 0.8523),
    ("contempt/image0000067.jpg", "contempt", 0.77),
    ("disgust/image0000068.jpg", "disgust", 0.79),
    ("fear/image0000069.jpg", "sad", 0.81),
    ("fear/image0000070.jpg", "fear", 0.81),
    ("happy/image0000071.jpg", "happy", 0.82),
    ("neutral/image0000072.jpg", "neutral", 0.83),
    ("sad/image0000073.jpg", "sad", 0.84),
    ("surprise/image0000074.jpg", "surprise", 0.85),
)


def affectnet_96(root: Path) -> Miniature:
    """The subset with labels.csv, whose folders are not its labels."""
    faces = _Faces()
    rows = [(number, *row) for number, row in enumerate(AFFECTNET_96_ROWS)]
    for path, _, _ in AFFECTNET_96_ROWS:
        save(root / path, faces.color(96))
    _write(root / "labels.csv", _csv_text([("", "pth", "label", "relFCs"), *rows]))
    counts = {
        "anger": 1, "disgust": 1, "fear": 1, "happiness": 1, "sadness": 2, "surprise": 2,
        "neutral": 1, "contempt": 1,
    }  # fmt: skip
    return Miniature(
        raw=root, manifest="affectnet-96", counts={"": counts}, reasons={"support-file": 1}
    )


RAFDB_NAMES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")


def rafdb(root: Path) -> Miniature:
    """Aligned and original pictures, and `list_patition_label.txt`."""
    faces = _Faces()
    lines = []
    for split in ("test", "train"):
        for number in range(14):
            stem = f"{split}_{number + 1:05d}"
            save(root / "Image" / "aligned" / f"{stem}_aligned.jpg", faces.color(100))
            save(root / "Image" / "original" / f"{stem}.jpg", faces.color(120))
            _write(root / "Annotation" / "manual" / f"{stem}_manu_attri.txt", "0\n1\n2\n")
            lines.append(f"{stem}.jpg {number % 7 + 1}\n")
    _write(root / "EmoLabel" / "list_patition_label.txt", "".join(lines))
    each = dict.fromkeys(RAFDB_NAMES, 2)
    return Miniature(
        raw=root,
        manifest="rafdb",
        counts={"train": each, "test": each},
        reasons={"support-file": 29, "other-form": 28},
    )


def rafdb_folders(root: Path) -> Miniature:
    """The copy with a folder a split and code."""
    faces = _Faces()
    for split in ("test", "train"):
        for code in range(1, 8):
            path = root / "DATASET" / split / str(code) / f"{split}_{code:05d}_aligned.jpg"
            save(path, faces.color(100))
    each = dict.fromkeys(RAFDB_NAMES, 1)
    return Miniature(raw=root, manifest="rafdb", counts={"train": each, "test": each})


CKPLUS_NAMES = (
    "neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise",
)  # fmt: skip


def ckplus(root: Path) -> Miniature:
    """Sequences of six frames; one sequence has no label, one an empty folder for it."""
    faces = _Faces()
    sequences: list[tuple[str, str, int | None]] = [
        *[(f"S{code + 4:03d}", "001", code) for code in range(1, 8)],
        ("S005", "002", None),
        ("S999", "003", None),
    ]
    for subject, number, code in sequences:
        for frame in range(1, 7):
            name = f"{subject}_{number}_{frame:08d}.png"
            save(root / "cohn-kanade-images" / subject / number / name, faces.pixels(64))
        folder = root / "Emotion" / subject / number
        folder.mkdir(parents=True)
        if code is not None:
            label = f"   {code:.7e}\n"
            _write(folder / f"{subject}_{number}_00000006_emotion.txt", label)
    (root / "cohn-kanade-images" / ".DS_Store").write_bytes(b"\0")
    return Miniature(
        raw=root,
        manifest="ckplus",
        counts={"": {"neutral": 7, **dict.fromkeys(CKPLUS_NAMES[1:], 3)}},
        reasons={"unlabelled-sequence": 12, "not-peak": 14, "support-file": 7, "hidden": 1},
        subjects={f"S{number:03d}" for number in range(5, 12)},
    )


def ck48(root: Path) -> Miniature:
    """Class folders of peak frames; the file name says the subject."""
    faces = _Faces()
    names = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
    for number, name in enumerate(names):
        for frame in range(17, 20):
            path = root / "CK+48" / name / f"S{number + 10:03d}_004_{frame:08d}.png"
            save(path, faces.pixels())
    return Miniature(
        raw=root,
        manifest="ck48",
        counts={"": dict.fromkeys(CKPLUS_NAMES[1:], 3)},
        subjects={f"S{number:03d}" for number in range(10, 17)},
    )


def jaffe(root: Path) -> Miniature:
    """TIFF files whose names say all, and a note beside them."""
    faces = _Faces()
    subjects = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
    number = 1
    for subject in subjects:
        for code in ("AN", "DI", "FE", "HA", "NE", "SA", "SU"):
            save(root / "jaffe" / f"{subject}.{code}1.{number}.tiff", faces.pixels(256))
            number += 1
    _write(root / "jaffe" / "README_FIRST.txt", "Please read.\n")
    return Miniature(
        raw=root,
        manifest="jaffe",
        counts={"": dict.fromkeys(FER2013_NAMES, 10)},
        reasons={"support-file": 1},
        subjects=set(subjects),
    )


def expw(root: Path) -> Miniature:
    """Whole pictures, some with several faces, and one list of boxes."""
    faces = _Faces()
    lines = []
    for code in range(7):
        path = f"ang{code}_{code}.jpg"
        save(root / "image" / "origin" / path, faces.color(160))
        lines.append(f"{path} 0 10 20 68 78 60.9 {code}\n")
        if code < 2:
            lines.append(f"{path} 1 80 90 140 150 30.1 {6 - code}\n")
    _write(root / "label" / "label.lst", "".join(lines))
    counts = {**dict.fromkeys(FER2013_NAMES, 1), "neutral": 2, "surprise": 2}
    return Miniature(raw=root, manifest="expw", counts={"": counts}, reasons={"support-file": 1})


def class_folders(root: Path) -> Miniature:
    """Folders called as people call classes."""
    faces = _Faces()
    for split in ("train", "val"):
        for name in ("Angry", "JOY", "surprised", "Normal"):
            save(root / split / name / "1.png", faces.pixels())
    each = dict.fromkeys(("anger", "happiness", "surprise", "neutral"), 1)
    return Miniature(raw=root, manifest="folders", counts={"train": each, "validation": each})


def csv_of_paths(root: Path) -> Miniature:
    """Pictures in one folder, and a table with their labels and who they show."""
    faces = _Faces()
    rows = [("image", "emotion", "usage", "subject", "age", "gender", "ethnicity")]
    for number, name in enumerate(["Happy", "sadness", "AFRAID", "neutral"]):
        save(root / "images" / f"{number}.png", faces.pixels())
        usage = "test" if number == 3 else "train"
        rows.append((f"images/{number}.png", name, usage, f"p{number}", "30", "f", "x"))
    _write(root / "faces.csv", _csv_text(rows))
    return Miniature(
        raw=root,
        manifest="csv",
        counts={"train": {"fear": 1, "happiness": 1, "sadness": 1}, "test": {"neutral": 1}},
        reasons={"support-file": 1},
        subjects={"p0", "p1", "p2", "p3"},
    )


def exported(root: Path) -> Miniature:
    """What `ferdata export` wrote of FER2013: its names, one class more, and a copy."""
    faces = _Faces()
    rows = [("path", "label", "split", "key", "parent", "votes")]
    for number, name in enumerate((*FER2013_NAMES, "contempt")):
        split = "test" if number == 3 else "train"
        path = f"{split}/{name}/fer{number:07d}.png"
        save(root / path, faces.pixels())
        rows.append((path, name, split, f"fer2013/{path}", "", ""))
    first = rows[1]
    path = first[0].replace(".png", "#1.png")
    save(root / path, faces.pixels())
    rows.append((path, first[1], "train", f"{first[3]}#1", first[3], ""))
    _write(root / "labels.csv", _csv_text(rows))
    _write(root / "export.json", "{}\n")
    train = {name: 1 for name in (*FER2013_NAMES, "contempt") if name != "happiness"}
    return Miniature(
        raw=root,
        manifest="ferkit-export",
        counts={"train": {**train, "anger": 2}, "test": {"happiness": 1}},
        reasons={"support-file": 2},
    )


MINIATURES: tuple[Callable[[Path], Miniature], ...] = (
    fer2013_folders, fer2013_copy, fer2013_numbered, fer2013_csv, icml_face_data, ferplus_votes,
    ferplus_folders, affectnet_old, affectnet_2021, affectnet_96, rafdb, rafdb_folders, ckplus,
    ck48, jaffe, expw, class_folders, csv_of_paths, exported,
)  # fmt: skip

__all__ = ["MINIATURES", "Miniature", "png_bytes", "save"]
