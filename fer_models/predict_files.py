"""Picture files -> what a trained network sees on them, in portions that fit any memory."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from fer_data.errors import ImageError
from fer_models.annotated_files import AnnotatedFolder
from fer_models.picture_faces import PictureSettings, SampleCutter, Samples
from fer_models.picture_files import PictureFile, open_pictures
from fer_models.predict import OnProgress, PicturePrediction, Predictor
from fer_models.prediction_grid import PredictionGrid, check_grid_name
from fer_models.prediction_rows import Prediction, TakeRows, make_rows
from fer_models.prediction_table import check_table_name, writing_table

_PORTION_FILES, _PORTION_BYTES = 256, 2**25


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictSettings:
    """What is taken from picture files, and what is written of them.

    Attributes:
        pictures: which samples are taken from the pictures.
        table: file of rows, its form by its ending: .csv, .jsonl or .parquet; None: none.
        annotate_dir: folder of copies with boxes and labels; None: none.
        grid: PNG file of a sheet of up to nine faces; None: none.
    """

    pictures: PictureSettings = field(default_factory=PictureSettings)
    table: Path | None = None
    annotate_dir: Path | None = None
    grid: Path | None = None

    @property
    def written(self) -> tuple[Path, ...]:
        """The files and folders that are asked for."""
        asked = (self.table, self.annotate_dir, self.grid)
        return tuple(path for path in asked if path is not None)

    def __post_init__(self) -> None:
        if self.table is not None:
            check_table_name(self.table)
        if self.grid is not None:
            check_grid_name(self.grid)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictReport:
    """What was predicted on some picture files, in numbers.

    Attributes:
        class_names: what the probabilities stand for.
        num_files: files.
        num_faces: faces on them.
        class_counts: class → faces.
        reasons: reason → files that could not be used.
        written: files and folders that were written.
    """

    class_names: tuple[str, ...]
    num_files: int
    num_faces: int
    class_counts: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    written: tuple[Path, ...] = ()

    @property
    def num_failed(self) -> int:
        """Files that could not be used."""
        return sum(self.reasons.values())

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        lists = {"class_names": list(self.class_names), "written": list(map(str, self.written))}
        return dataclasses.asdict(self) | lists


def predict_files(
    run_dir: Path,
    paths: Sequence[Path],
    settings: PredictSettings,
    *,
    on_rows: TakeRows | None = None,
    on_progress: OnProgress | None = None,
) -> PredictReport:
    """What a trained network sees on picture files; the files are read as they are needed.

    Args:
        run_dir: a run or a bundle.
        paths: as for `fer_models.picture_files.open_pictures`.
        settings: see `PredictSettings`.
        on_rows: given the rows of some files after another, in order.
        on_progress: told how many files are done.

    Raises:
        MissingPicturesError: a path does not exist, or there is no file at all.
        MissingBundleError: there is no trained network.
        DamagedBundleError: it cannot be read.
        SourceError: an archive is damaged.
        SettingsError: as `Predictor.cutter`.
    """
    classes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    num_done = 0
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(open_pictures(paths, left_out=settings.annotate_dir))
        predictor = Predictor.load(run_dir)
        cutter = predictor.cutter(settings.pictures)
        names = predictor.bundle.class_names
        takers = stack.enter_context(_writing(settings, files, names))
        for portion in predict_portions(predictor, cutter, files):
            for number, predicted in enumerate(portion, num_done):
                prediction = predicted.prediction
                classes.update(face.class_name for face in prediction.faces)
                reasons.update([prediction.reason] if prediction.reason is not None else [])
                for take in takers:
                    take(number, predicted)
            if on_rows is not None:
                on_rows(_rows(portion))
            num_done += len(portion)
            if on_progress is not None:
                on_progress(num_done, len(files))
    return PredictReport(
        class_names=names,
        num_files=num_done,
        num_faces=classes.total(),
        class_counts={name: classes[name] for name in names},
        reasons=dict(reasons.most_common()),
        written=settings.written,
    )


@contextlib.contextmanager
def _writing(
    settings: PredictSettings, files: Sequence[PictureFile], class_names: Sequence[str]
) -> Iterator[list[Callable[[int, PredictedFile], object]]]:
    """What takes each file and its number into what is to be written."""
    takers: list[Callable[[int, PredictedFile], object]] = []
    with contextlib.ExitStack() as stack:
        if settings.annotate_dir is not None:
            copies = AnnotatedFolder(settings.annotate_dir, files, class_names)
            takers.append(lambda _, predicted: copies.write(*predicted))
        if settings.table is not None:
            write_rows = stack.enter_context(writing_table(settings.table, class_names))
            takers.append(lambda _, predicted: write_rows(_rows([predicted])))
        if settings.grid is not None:
            grid = PredictionGrid(len(files), class_names)
            takers.append(lambda number, predicted: grid.take(number, *predicted))
        yield takers
        if settings.grid is not None:
            grid.write(settings.grid)


def _rows(portion: Sequence[PredictedFile]) -> list[Prediction]:
    return [row for each in portion for row in make_rows(each.file.path, each.prediction)]


def predict_portions(
    predictor: Predictor, cutter: SampleCutter, files: Iterable[PictureFile]
) -> Iterator[list[PredictedFile]]:
    """The files in order, in portions of at most 256 files and little more than 32 MB."""
    for portion in _read_portions(files):
        good = [data for _, data in portion if not isinstance(data, ImageError)]
        cut = iter(cutter.cut_files(good))
        samples: list[Samples] = [
            data if isinstance(data, ImageError) else next(cut) for _, data in portion
        ]
        predictions = predictor.predict_samples(samples)
        yield [
            PredictedFile(file, b"" if isinstance(data, ImageError) else data, prediction)
            for (file, data), prediction in zip(portion, predictions, strict=True)
        ]


def _read_portions(
    files: Iterable[PictureFile],
) -> Iterator[list[tuple[PictureFile, bytes | ImageError]]]:
    portion: list[tuple[PictureFile, bytes | ImageError]] = []
    num_bytes = 0
    for file in files:
        data = _read(file)
        portion.append((file, data))
        num_bytes += 0 if isinstance(data, ImageError) else len(data)
        if len(portion) >= _PORTION_FILES or num_bytes >= _PORTION_BYTES:
            yield portion
            portion, num_bytes = [], 0
    if portion:
        yield portion


def _read(file: PictureFile) -> bytes | ImageError:
    try:
        return file.read()
    except ImageError as error:
        return error
