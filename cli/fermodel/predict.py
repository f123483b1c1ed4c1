"""`fermodel predict`."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fercli.options import json_option
from fercli.output import Output

if TYPE_CHECKING:
    from fer_models.predict import PredictReport


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--csv", "as_csv", is_flag=True, help="Print a line a file as CSV.")
@json_option
def predict(run_dir: Path, paths: tuple[Path, ...], as_csv: bool, as_json: bool) -> None:
    """Name the expression on each picture PATH with the network of the run or bundle RUN.

    Folders are walked. A picture is cut to its centre square: give faces.

    \b
    Example:
      fermodel predict runs/cnn4-001 face.jpg more-faces/
    """
    from fermodel.quiet import load_keras_for

    if as_csv and as_json:
        raise click.UsageError("--csv or --json, not both")
    load_keras_for(run_dir)
    from fer_models.predict import predict_files

    out = Output(as_json=as_json)
    with out.progress("Predicting", "files") as progress:
        report = predict_files(run_dir, paths, progress)
    _show_csv(report) if as_csv else _show_report(out, report)
    if report.num_failed == len(report.predictions):
        sys.exit(1)


def _show_csv(report: PredictReport) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(
        ["path", "class", "probability", *(f"p_{n}" for n in report.class_names), "reason"]
    )
    for row in report.predictions:
        values = [f"{value:.6f}" for value in row.probabilities] or [""] * len(report.class_names)
        probability = "" if row.probability is None else f"{row.probability:.6f}"
        writer.writerow([row.path, row.class_name, probability, *values, row.reason])


def _show_report(out: Output, report: PredictReport) -> None:
    rows: list[tuple[object, ...]] = []
    for row in report.predictions:
        if row.probability is None:
            rows.append((row.path, "-", "", f"{row.reason}: {row.detail}"))
            continue
        order = sorted(zip(row.probabilities, report.class_names, strict=True), reverse=True)
        others = ", ".join(f"{name} {value:.0%}" for value, name in order[1:4])
        rows.append((row.path, row.class_name, f"{row.probability:.0%}", others))
    out.table("Predictions", ("file", "class", "probability", "others, or why not"), rows)
    good = len(report.predictions) - report.num_failed
    out.note(f"{good:,} of {len(report.predictions):,} files predicted")
    out.note("Next:  --csv or --json gives all probabilities")
    out.result(report.to_json())
