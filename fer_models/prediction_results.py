"""What is predicted on files -> counts, rows, copies, time lines and the sheet of nine."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fer_models.annotated_files import write_annotated
from fer_models.annotated_video import TakeMoment, annotating_video
from fer_models.mirrored_folder import MirroredFolder
from fer_models.picture_files import PictureFile
from fer_models.predict import PicturePrediction
from fer_models.prediction_grid import PredictionGrid
from fer_models.prediction_rows import (
    Prediction,
    TakeRows,
    make_moment_rows,
    make_rows,
    shown_path,
)
from fer_models.timeline import writing_timeline
from fer_models.video import Moment, read_frame


class PredictedFile(NamedTuple):
    """A picture file, and what was predicted on it.

    Attributes:
        file: the file.
        data: its bytes; empty where they cannot be read.
        prediction: on its faces.
    """

    file: PictureFile
    data: bytes
    prediction: PicturePrediction


class PredictResults:
    """Counts what is predicted, and puts it into what is to be written.

    Args:
        class_names: in the order of the bundle.

    Attributes:
        classes: class → faces.
        reasons: reason → files that could not be used.
        num_looks: looks at videos.
        row_takers: given all rows.
        copies: takes annotated copies; None: there are to be none.
        timelines: takes a figure and a table of each video; None likewise.
        grid: takes faces for a sheet; None likewise.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = class_names
        self.classes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.num_looks = 0
        self.row_takers: list[TakeRows] = []
        self.copies: MirroredFolder | None = None
        self.timelines: MirroredFolder | None = None
        self.grid: PredictionGrid | None = None
        self._num_files = 0

    def take_picture(self, predicted: PredictedFile) -> None:
        """Takes what was predicted on a picture."""
        file, data, prediction = predicted
        if self.copies is not None:
            write_annotated(self.copies, file, data, prediction, self.class_names)
        if self.grid is not None:
            self.grid.take(self._num_files, file, data, prediction)
        self._num_files += 1
        self.reasons.update([prediction.reason] if prediction.reason is not None else [])
        self._take_rows(make_rows(file.path, prediction))

    def take_video(self, file: PictureFile, path: Path, moments: Iterable[Moment]) -> None:
        """Takes the moments of a video as they come.

        Args:
            file: as it was given.
            path: where it can be opened.
            moments: of it.
        """
        num_looks = 0
        with contextlib.ExitStack() as stack:
            takers: list[TakeMoment] | None = None
            for moment in moments:
                num_looks += 1
                if takers is None and moment.faces:
                    takers = [stack.enter_context(each) for each in self._open(file, path)]
                    self._show(file, path, moment)
                for take in takers or ():
                    take(moment)
                self._take_rows(make_moment_rows(file.path, moment))
        self.num_looks += num_looks
        if takers is None:
            self.refuse(file, "no-face", f"no face at any of {num_looks:,} looks")
        else:
            self._num_files += 1

    def refuse(self, file: PictureFile, reason: str, detail: str) -> None:
        """Takes a file that cannot be used."""
        self.take_picture(PredictedFile(file, b"", PicturePrediction(reason=reason, detail=detail)))

    def _open(
        self, file: PictureFile, path: Path
    ) -> Iterator[contextlib.AbstractContextManager[TakeMoment]]:
        """What the moments of a video are to be taken into."""
        if self.copies is not None:
            copy = self.copies.free_path(file, f"{file.path.stem}.mp4")
            yield annotating_video(path, copy, self.class_names)
        if self.timelines is not None:
            table, figure = (
                self.timelines.free_path(file, f"{file.path.name}.{ending}")
                for ending in ("csv", "png")
            )
            yield writing_timeline(
                shown_path(Path(file.path.name)), table, figure, self.class_names
            )

    def _show(self, file: PictureFile, path: Path, moment: Moment) -> None:
        """Shows a moment of a video on the sheet."""
        if self.grid is not None:
            seen = PicturePrediction(faces=moment.faces)
            self.grid.take(self._num_files, file, read_frame(path, moment.frame), seen)

    def _take_rows(self, rows: Sequence[Prediction]) -> None:
        self.classes.update(row.class_name for row in rows if row.class_name is not None)
        for take in self.row_takers:
            take(rows)
