"""`fermodel export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fer_models.export.formats import FORMATS, find_formats
from fercli.options import json_option
from fercli.output import Output

if TYPE_CHECKING:
    from fer_models.export.run import ExportReport


@click.command()
@click.argument("run_dir", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "formats",
    type=click.Choice(tuple(FORMATS)),
    multiple=True,
    required=True,
    help="What to write; may be given several times.",
)
@click.option(
    "--out",
    "out_dir",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the files; earlier exports in it are replaced.  [default: RUN/export]",
)
@json_option
def export(
    run_dir: Path | None, formats: tuple[str, ...], out_dir: Path | None, as_json: bool
) -> None:
    """Write the network of RUN (default: the newest of ./runs) for other programs.

    It takes raw pixels and gives probabilities. Class names and how to prepare a picture are
    written beside it; what gives other probabilities than the network is not written.

    \b
    Example:
      fermodel export --format onnx
      fermodel export runs/cnn4-001 --format tflite --format saved-model --out app/
    """
    from fer_models.run import newest_run
    from fermodel.quiet import hushed, load_keras_for

    find_formats(formats)  # before TensorFlow is loaded
    run_dir = run_dir if run_dir is not None else newest_run()
    load_keras_for(run_dir)
    from fer_models.export.run import export_run

    with hushed():
        report = export_run(run_dir, formats, out_dir)
    _show_report(Output(as_json=as_json), report)


def _show_report(out: Output, report: ExportReport) -> None:
    out.table(
        f"{report.model}, exported",
        ("format", "file", "MB", "largest difference"),
        [
            (each.format, each.path, f"{each.num_bytes / 1e6:.1f}", f"{each.difference:.1e}")
            for each in report.files
        ],
    )
    out.note(f"Probabilities compared with the network's own on {report.num_images} images")
    out.note(f"Next:  {report.files[0].about_path} says how to prepare a picture")
    out.result(report.to_json())
