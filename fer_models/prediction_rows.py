"""What was predicted, as rows: one a face (and moment), and one of each file without any."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_data.sources.listing import readable_text
from fer_models.predict import FacePrediction, PicturePrediction
from fer_models.video import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What was predicted on one face of a picture, or of a video at one moment.

    Attributes:
        path: of the file.
        time: of the moment, in seconds; None of a picture, and where the file cannot be used.
        person: the same number is the same person, from 1 on; None likewise.
        face: number of the face, the largest 1; None where the file cannot be used, as of the
            next five.
        box: left, top, width and height of the face, in pixels of the upright picture; None too
            where the whole picture was taken for a face.
        confidence: of the detector, 0 to 1; None too where it gives none.
        class_name: the most probable class.
        probability: of that class.
        probabilities: of all classes, in the order of the bundle; empty where there are none.
        reason: why the file cannot be used, one of `fer_data.image.REASONS` or `"unreadable"`;
            None where it can.
        detail: the reason in words; None likewise.
    """

    path: Path
    time: float | None = None
    person: int | None = None
    face: int | None = None
    box: tuple[float, float, float, float] | None = None
    confidence: float | None = None
    class_name: str | None = None
    probability: float | None = None
    probabilities: tuple[float, ...] = ()
    reason: str | None = None
    detail: str | None = None

    def to_json(self, class_names: Sequence[str]) -> dict[str, Any]:
        """The row as JSON values; probabilities by class name."""
        named = zip(class_names, self.probabilities, strict=False)
        fields = dataclasses.asdict(self)
        box = None if self.box is None else [round(value, 1) for value in self.box]
        changed = {"path": shown_path(self.path), "time": _rounded(self.time)}
        return fields | changed | {"box": box, "probabilities": dict(named)}


#: Called with the rows of some files after another.
TakeRows = Callable[[Sequence[Prediction]], None]


def make_rows(path: Path, picture: PicturePrediction) -> list[Prediction]:
    """The rows of one picture file: its faces, or the one that says why there is none."""
    if picture.reason is not None:
        return [Prediction(path=path, reason=picture.reason, detail=picture.detail)]
    return [_row(path, number, face) for number, face in enumerate(picture.faces, 1)]


def make_moment_rows(path: Path, moment: Moment) -> list[Prediction]:
    """The rows of one moment of a video: its faces."""
    seen = zip(moment.people, make_rows(path, PicturePrediction(faces=moment.faces)), strict=True)
    return [dataclasses.replace(row, time=moment.time, person=person) for person, row in seen]


def _row(path: Path, number: int, face: FacePrediction) -> Prediction:
    return Prediction(
        path=path,
        face=number,
        box=face.box,
        confidence=face.confidence,
        class_name=face.class_name,
        probability=face.probability,
        probabilities=face.probabilities,
    )


def shown_path(path: Path) -> str:
    """A path as text, whatever bytes are in it."""
    return readable_text(str(path))


def column_names(class_names: Sequence[str]) -> list[str]:
    """The names of the columns of a table of rows."""
    places = ["left", "top", "width", "height"]
    probabilities = [f"p_{name}" for name in class_names]
    found = ["path", "time", "person", "face", *places, "confidence", "class", "probability"]
    return [*found, *probabilities, "reason", "detail"]


def column_values(row: Prediction, class_names: Sequence[str]) -> list[Any]:
    """The values of a row in the order of `column_names`; None where there is none."""
    box = (None,) * 4 if row.box is None else [round(value, 1) for value in row.box]
    probabilities = row.probabilities or (None,) * len(class_names)
    start = [shown_path(row.path), _rounded(row.time), row.person]
    found = [row.face, *box, row.confidence, row.class_name, row.probability]
    return [*start, *found, *probabilities, row.reason, row.detail]


def csv_values(row: Prediction, class_names: Sequence[str]) -> list[Any]:
    """The values of a row as a CSV file has them: six decimals at most, nothing where is None."""
    return [
        f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
        for value in column_values(row, class_names)
    ]


def _rounded(time: float | None) -> float | None:
    """To milliseconds."""
    return None if time is None else round(time, 3)
