"""`ferdata inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from fer_data.dataset import Dataset
from fer_data.face_weights import download_detector_weights
from fer_data.files import write_file
from fer_data.inspection import QUANTILES, Inspection, inspect_dataset
from fer_data.pipeline import Runner
from fer_data.quality import QualitySettings
from fer_data.report.commands import as_typed
from fer_data.report.findings import find_trouble
from fer_data.report.page import render_inspection
from fercli.hold import hold
from fercli.options import (
    dataset_option,
    detector_weights_option,
    download_detector_option,
    json_option,
    scheduler_option,
    workers_option,
)
from fercli.output import Output
from ferdata.tables import show_classes
from ferdata.workers import choose_workers

_SHOWN = (0.0, 0.01, 0.5, 0.99, 1.0)


@click.command()
@dataset_option
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the HTML report goes.  [default: reports/inspection.html in the data set]",
)
@click.option(
    "--pca-components",
    type=click.IntRange(min=1),
    help="Of the PCA that pictures are rebuilt from.  [default: 10]",
)
@click.option(
    "--pca-variance", type=float, help="Share of the variance they shall explain, instead."
)
@click.option("--faces", is_flag=True, help="Measure how sure YuNet is of a face: slow.")
@detector_weights_option
@download_detector_option
@workers_option
@scheduler_option
@json_option
def inspect(
    dataset_dir: Path,
    report: Path | None,
    pca_components: int | None,
    pca_variance: float | None,
    faces: bool,
    detector_weights: Path | None,
    download_detector: bool,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Show what is in a data set and what is wrong with it, and write a report with pictures.

    Nothing is decided and no sample changed: scores and duplicates are measured, and what `ferdata
    filter` would do about them is shown.

    \b
    Example:
      ferdata inspect
      ferdata inspect --faces --json
    """
    output = Output(as_json=as_json)
    hold(dataset_dir)
    dataset = Dataset.open(dataset_dir)
    if download_detector:
        download_detector_weights()
    quality = None
    if pca_components is not None or pca_variance is not None or faces or detector_weights:
        quality = QualitySettings(
            **({} if pca_components is None else {"pca_components": pca_components}),
            pca_variance=pca_variance,
            faces=faces or detector_weights is not None,
            detector_weights=detector_weights,
        )
    chosen = choose_workers(workers, scheduler)
    with output.progress("Measuring", "samples") as on_progress:
        runner = Runner(workers=chosen, say=output.note, on_progress=on_progress)
        dataset = runner.measure(dataset, quality)
    inspection = inspect_dataset(dataset)
    path = report if report is not None else dataset.dir / "reports" / "inspection.html"
    write_file(path, render_inspection(dataset, inspection).encode())
    _show(output, inspection, dataset_dir)
    output.note(f"\nReport: {path}")
    output.result(inspection.to_json() | {"report": str(path)})


def _show(output: Output, inspection: Inspection, dataset_dir: Path) -> None:
    show_classes(output, "Samples", inspection.splits)
    places = [QUANTILES.index(quantile) for quantile in _SHOWN]
    output.table(
        "Scores",
        ["score", "lowest", "1% below", "median", "1% above", "highest"],
        [
            [name, *(facts.quantiles[place] for place in places)]
            for name, facts in inspection.scores.items()
        ],
    )
    findings = find_trouble(inspection)
    output.table(
        "What is wrong",
        ["", "", "against it"],
        [[f.number, f.title, as_typed(f.command, dataset_dir)] for f in findings],
    )
    if findings and not inspection.is_filtered:
        command = as_typed(inspection.filter_command, dataset_dir)
        output.note(f"Each run of the filter decides anew; all of it at once: {command}")
    if not findings:
        output.note("Nothing that can be measured here is wrong.")
    if inspection.rejections:
        counts = ", ".join(f"{reason} {n:,}" for reason, n in inspection.rejections.items())
        output.note(f"Rejected files: {counts}")
