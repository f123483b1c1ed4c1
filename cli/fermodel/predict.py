"""`fermodel predict`."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fercli.options import (
    detector_weights_option,
    download_detector_option,
    json_option,
    tta_option,
)
from fercli.output import Output

if TYPE_CHECKING:
    from fer_models.picture_faces import PictureSettings
    from fer_models.predict_files import PredictReport
    from fer_models.prediction_rows import Prediction


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--faces/--no-faces", default=None,
    help="Find the faces, or take each picture for one.  [default: as in training]",
)  # fmt: skip
@detector_weights_option
@download_detector_option
@click.option(
    "--out", "table", type=click.Path(path_type=Path, dir_okay=False),
    help="Write a row a face here: .csv, .jsonl or .parquet.",
)  # fmt: skip
@click.option(
    "--annotate", "annotate_dir", type=click.Path(path_type=Path, file_okay=False),
    help="Copy pictures and videos here, with boxes and labels.",
)  # fmt: skip
@click.option(
    "--timeline", "timeline_dir", type=click.Path(path_type=Path, file_okay=False),
    help="Draw the probabilities in each video over time here.",
)  # fmt: skip
@click.option(
    "--grid", type=click.Path(path_type=Path, dir_okay=False),
    help="Draw nine of the faces on one sheet, grid.png.",
)  # fmt: skip
@click.option(
    "--looks", "looks_per_second", type=float, default=5.0, show_default=True, metavar="NUMBER",
    help="Look at a video so often per second.",
)  # fmt: skip
@tta_option
@click.option("--csv", "as_csv", is_flag=True, help="Print a line a face as CSV.")
@json_option
def predict(
    run_dir: Path,
    paths: tuple[Path, ...],
    faces: bool | None,
    detector_weights: Path | None,
    download_detector: bool,
    as_csv: bool,
    as_json: bool,
    **outputs: Any,
) -> None:
    """Name the expressions on pictures and videos PATH with the network of the run or bundle RUN.

    PATH is a picture, a video, a folder, a ZIP or tar archive, a quoted pattern, or - for a list of
    paths on standard input. Faces are found, aligned and prepared as in training; where the network
    was trained on pictures as they were, so are these, cut to their centre square.

    \b
    Example:
      fermodel predict runs/cnn4-001 face.jpg more-faces/
      fermodel predict runs/cnn4-001 --faces "photos/*.jpg"
      fermodel predict runs/cnn4-001 --faces clip.mp4 --annotate seen/ --timeline seen/
    """
    from fermodel.quiet import load_keras_for

    if as_csv and as_json:
        raise click.UsageError("--csv or --json, not both")
    pictures = _pictures(faces, detector_weights, download_detector)
    from fer_models.predict_files import PredictSettings, predict_files

    settings = PredictSettings(pictures=pictures, **outputs)
    load_keras_for(run_dir)

    out = Output(as_json=as_json)
    kept = _Kept(run_dir, as_csv=as_csv, as_json=as_json)
    keep = kept.take if as_csv or settings.table is None else None
    with out.progress("Predicting", "pictures") as progress:
        report = predict_files(run_dir, paths, settings, on_rows=keep, on_progress=progress)
    if not as_csv:
        _show(out, report, kept)
    if report.num_failed == report.num_files:
        sys.exit(1)


def _pictures(
    faces: bool | None, detector_weights: Path | None, download_detector: bool
) -> PictureSettings:
    from fer_data.face_weights import download_detector_weights
    from fer_models.picture_faces import PictureSettings

    if download_detector:
        download_detector_weights()
    rule = {None: "as-trained", True: "find", False: "whole"}[faces]
    return PictureSettings(faces=rule, detector_weights=detector_weights)


class _Kept:
    """Rows that are to be shown; as CSV they are printed as they come."""

    def __init__(self, run_dir: Path, *, as_csv: bool, as_json: bool) -> None:
        self.rows: list[Prediction] = []
        self.people: dict[tuple[Path, int], _Person] = {}
        self._run_dir = run_dir
        self._as_csv = as_csv
        self._as_json = as_json
        self._class_names: Sequence[str] = ()

    def take(self, rows: Sequence[Prediction]) -> None:
        """Takes the next rows."""
        if self._as_csv:
            self._print(rows)
        elif self._as_json:
            self.rows += rows
        else:
            self.rows += (row for row in rows if row.time is None)
            for row in rows:
                if row.time is not None and row.person is not None and row.class_name is not None:
                    person = self.people.setdefault((row.path, row.person), _Person(row.time))
                    person.last = row.time
                    person.classes[row.class_name] += 1

    def _print(self, rows: Sequence[Prediction]) -> None:
        from fer_models.bundle import find_bundle, read_bundle
        from fer_models.prediction_rows import column_names, csv_values

        writer = csv.writer(sys.stdout, lineterminator="\n")
        if not self._class_names:
            self._class_names = read_bundle(find_bundle(self._run_dir)).class_names
            writer.writerow(column_names(self._class_names))
        writer.writerows(csv_values(row, self._class_names) for row in rows)


@dataclass(slots=True)
class _Person:
    """Someone in a video: when they were seen, and with which expressions how often."""

    first: float
    last: float = 0.0
    classes: Counter[str] = field(default_factory=Counter)

    def tell(self) -> tuple[str, int, str, str]:
        """When, at how many looks, what mostly, and what else."""
        from fer_models.timeline import clock

        total = self.classes.total()
        shares = [f"{name} {count / total:.0%}" for name, count in self.classes.most_common(4)]
        seen = f"{clock(self.first)} to {clock(self.last)}"
        return seen, total, shares[0], ", ".join(shares[1:])


def _show(out: Output, report: PredictReport, kept: _Kept) -> None:
    from fer_models.views import describe_tta

    if kept.rows or kept.people:
        _show_rows(out, report, kept)
    else:
        counts = list(report.class_counts.items())
        out.table("Faces", ("class", "faces"), counts, total=("all", report.num_faces))
        if report.reasons:
            out.table("Not used", ("reason", "files"), list(report.reasons.items()))
    for note in describe_tta(report.tta):
        out.note(note)
    good = report.num_files - report.num_failed
    looks = f", {report.num_looks:,} looks at videos" if report.num_looks else ""
    out.note(f"{report.num_faces:,} faces on {good:,} of {report.num_files:,} files{looks}")
    for path in report.written:
        out.note(f"Wrote {path}")
    predictions = [row.to_json(report.class_names) for row in kept.rows]
    out.result(report.to_json() | ({"predictions": predictions} if predictions else {}))


def _show_rows(out: Output, report: PredictReport, kept: _Kept) -> None:
    lines: list[tuple[object, ...]] = []
    for row in kept.rows:
        if row.probability is None:
            lines.append((row.path, "", "-", "", f"{row.reason}: {row.detail}"))
            continue
        order = sorted(zip(row.probabilities, report.class_names, strict=True), reverse=True)
        others = ", ".join(f"{name} {value:.0%}" for value, name in order[1:4])
        lines.append((row.path, _place(row), row.class_name, f"{row.probability:.0%}", others))
    if lines:
        columns = ("file", "face", "class", "probability", "others, or why not")
        out.table("Predictions", columns, lines)
    if kept.people:
        heads = ("file", "person", "seen", "looks", "mostly", "others")
        people = [(*key, *person.tell()) for key, person in kept.people.items()]
        out.table("People in videos", heads, people)
    if lines and report.num_faces and all(row.box is None for row in kept.rows):
        out.note("Each picture was taken for one face: --faces finds those in photographs")
    out.note("Next:  --csv, --json or --out table.csv gives all probabilities")


def _place(row: Prediction) -> str:
    """Where a face is, in words."""
    if row.box is None:
        return "whole picture"
    left, top, width, height = (round(value) for value in row.box)
    return f"{width}x{height} at {left},{top}"
