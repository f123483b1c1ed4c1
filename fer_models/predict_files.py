"""Pictures and videos -> what a trained network sees on them, in portions that fit any memory."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_data.errors import ImageError
from fer_models.errors import VideoError
from fer_models.file_portions import ReadPicture, VideoFile, read_portions
from fer_models.mirrored_folder import MirroredFolder
from fer_models.picture_faces import PictureSettings, SampleCutter, Samples
from fer_models.picture_files import PictureFile, open_pictures
from fer_models.predict import OnProgress, Predictor
from fer_models.prediction_grid import PredictionGrid, check_grid_name
from fer_models.prediction_results import PredictedFile, PredictResults
from fer_models.prediction_rows import TakeRows
from fer_models.prediction_table import check_table_name, writing_table
from fer_models.video import (
    Moment,
    check_looks,
    predict_video,
    read_facts,
    read_frames,
)
from fer_models.views import check_tta


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictSettings:
    """What is taken from picture files, and what is written of them.

    Attributes:
        pictures: which samples are taken from the pictures.
        looks_per_second: how often a video is looked at.
        tta: test-time augmentation, one of `fer_models.views.NUM_VIEWS`.
        table: file of rows, its form by its ending: .csv, .jsonl or .parquet; None: none.
        annotate_dir: folder of copies with boxes and labels; None: none.
        timeline_dir: folder of a figure and a table of each video; None: none.
        grid: PNG file of a sheet of up to nine faces; None: none.
    """

    pictures: PictureSettings = field(default_factory=PictureSettings)
    looks_per_second: float = 5.0
    tta: str = "none"
    table: Path | None = None
    annotate_dir: Path | None = None
    timeline_dir: Path | None = None
    grid: Path | None = None

    @property
    def written(self) -> tuple[Path, ...]:
        """The files and folders that are asked for."""
        asked = (self.table, *self.folders, self.grid)
        return tuple(path for path in asked if path is not None)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Those of them that are folders."""
        asked = dict.fromkeys((self.annotate_dir, self.timeline_dir))
        return tuple(path for path in asked if path is not None)

    def __post_init__(self) -> None:
        check_looks(self.looks_per_second)
        check_tta(self.tta)
        if self.table is not None:
            check_table_name(self.table)
        if self.grid is not None:
            check_grid_name(self.grid)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictReport:
    """What was predicted on some pictures and videos, in numbers.

    Attributes:
        class_names: what the probabilities stand for.
        num_files: files.
        num_faces: faces on them, of a video those at every look.
        num_looks: looks at videos.
        tta: test-time augmentation that the probabilities came of.
        class_counts: class → faces.
        reasons: reason → files that could not be used.
        written: files and folders that were written.
    """

    class_names: tuple[str, ...]
    num_files: int
    num_faces: int
    num_looks: int = 0
    tta: str = "none"
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
    """What a trained network sees on pictures and videos; they are read as they are needed.

    Args:
        run_dir: a run or a bundle.
        paths: as for `fer_models.picture_files.open_pictures`.
        settings: see `PredictSettings`.
        on_rows: given some rows after another, in order.
        on_progress: told how many pictures are done, and how many there are as far as is known; of
            a video each look is one.

    Raises:
        MissingPicturesError: a path does not exist, or there is no file at all.
        MissingBundleError: there is no trained network.
        DamagedBundleError: it cannot be read.
        SourceError: an archive is damaged.
        SettingsError: as `Predictor.cutter`, or the images are too small for the augmentation.
    """
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(open_pictures(paths, left_out=settings.folders))
        predictor = Predictor.load(run_dir, settings.tta)
        cutter = predictor.cutter(settings.pictures)
        names = predictor.bundle.class_names
        results = stack.enter_context(_writing(settings, files, names))
        if on_rows is not None:
            results.row_takers.append(on_rows)
        done = _Done(on_progress, len(files))
        for portion in read_portions(files):
            if isinstance(portion, VideoFile):
                _predict_video(portion, settings.looks_per_second, predictor, cutter, results, done)
                continue
            for predicted in _predict_pictures(portion, predictor, cutter):
                results.take_picture(predicted)
            done.tell(len(portion))
    return PredictReport(
        class_names=names,
        num_files=len(files),
        num_faces=results.classes.total(),
        num_looks=results.num_looks,
        tta=settings.tta,
        class_counts={name: results.classes[name] for name in names},
        reasons=dict(results.reasons.most_common()),
        written=settings.written,
    )


class _Done:
    """How much is done, for whoever asked to be told."""

    def __init__(self, on_progress: OnProgress | None, num_files: int) -> None:
        self._on_progress = on_progress
        self._num_done = 0
        self._num_all = num_files

    def expect(self, more: int) -> None:
        """There are so many more, or fewer, than was known."""
        self._num_all += more

    def tell(self, num_done: int) -> None:
        """So many more are done."""
        self._num_done += num_done
        if self._on_progress is not None:
            self._on_progress(self._num_done, max(self._num_all, self._num_done))


@contextlib.contextmanager
def _writing(
    settings: PredictSettings, files: Sequence[PictureFile], class_names: Sequence[str]
) -> Iterator[PredictResults]:
    """Takes what is predicted on the files into what is to be written."""
    results = PredictResults(class_names)
    folders = {path: MirroredFolder(path, files) for path in settings.folders}
    with contextlib.ExitStack() as stack:
        if settings.annotate_dir is not None:
            results.copies = folders[settings.annotate_dir]
        if settings.timeline_dir is not None:
            results.timelines = folders[settings.timeline_dir]
        if settings.table is not None:
            write_rows = stack.enter_context(writing_table(settings.table, class_names))
            results.row_takers.append(write_rows)
        if settings.grid is not None:
            results.grid = PredictionGrid(len(files), class_names)
        yield results
        if results.grid is not None and settings.grid is not None:
            results.grid.write(settings.grid)


def _predict_pictures(
    portion: Sequence[ReadPicture], predictor: Predictor, cutter: SampleCutter
) -> list[PredictedFile]:
    good = [data for _, data in portion if not isinstance(data, ImageError)]
    cut = iter(cutter.cut_files(good))
    samples: list[Samples] = [
        data if isinstance(data, ImageError) else next(cut) for _, data in portion
    ]
    predictions = predictor.predict_samples(samples)
    return [
        PredictedFile(file, b"" if isinstance(data, ImageError) else data, prediction)
        for (file, data), prediction in zip(portion, predictions, strict=True)
    ]


def _predict_video(
    video: VideoFile,
    looks_per_second: float,
    predictor: Predictor,
    cutter: SampleCutter,
    results: PredictResults,
    done: _Done,
) -> None:
    """One video; of a damaged one what can be read."""
    num_expected, num_seen = 1, 0

    def told(moments: Iterable[Moment]) -> Iterator[Moment]:
        nonlocal num_seen
        for moment in moments:
            num_seen += 1
            done.tell(1)
            yield moment

    with video.on_disk() as path:
        try:
            num_expected = max(1, read_facts(path).num_looks(looks_per_second))
            done.expect(num_expected - 1)
            frames = read_frames(path, looks_per_second)
            results.take_video(video.file, path, told(predict_video(predictor, cutter, frames)))
        except VideoError as error:
            detail = str(error).removeprefix(f"{path}: ")
            results.refuse(video.file, error.reason, detail)
            done.tell(1)
    done.expect(num_seen - num_expected if num_seen else 1 - num_expected)
