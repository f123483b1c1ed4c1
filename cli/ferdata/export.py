"""`ferdata export`."""

from __future__ import annotations

from pathlib import Path

import click

from fer_data.export.shards import FORMATS, ExportReport, ExportSettings, export_shards
from fer_data.shards.index import SPLITS
from fercli.options import json_option
from fercli.output import Output


@click.command()
@click.argument("shards", type=click.Path(path_type=Path), default=Path("shards"))
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), required=True, help="What to write."
)
@click.option(
    "--out", type=click.Path(path_type=Path),
    help="Folder of the export; an earlier export there is replaced.  [default: SHARDS-FORMAT]",
)  # fmt: skip
@click.option(
    "--split", "splits", type=click.Choice(SPLITS), multiple=True,
    help="Only this split; may be given several times.",
)  # fmt: skip
@click.option("--originals-only", is_flag=True, help="Leave augmented samples out.")
@json_option
def export(
    shards: Path,
    format_: str,
    out: Path | None,
    splits: tuple[str, ...],
    originals_only: bool,
    as_json: bool,
) -> None:
    """Write SHARDS, by default ./shards, for other tools, with the same pixels.

    `ferdata ingest` reads imagefolder and csv back. The same shards give the same bytes; a killed
    export leaves no folder behind.

    \b
    Example:
      ferdata export --format imagefolder --out photos
      ferdata export shards/ --format csv --originals-only
    """
    output = Output(as_json=as_json)
    settings = ExportSettings(format=format_, splits=splits, originals_only=originals_only)
    out_dir = out if out is not None else shards.parent / f"{shards.resolve().name}-{format_}"
    with output.progress("Exporting", "samples") as on_progress:
        report = export_shards(shards, out_dir, settings, on_progress=on_progress)
    _show(output, report)


def _show(output: Output, report: ExportReport) -> None:
    splits = list(report.counts)
    class_names = list(dict.fromkeys(name for each in report.counts.values() for name in each))
    counts = {name: [report.counts[split][name] for split in splits] for name in class_names}
    rows = [[name, *numbers, sum(numbers)] for name, numbers in counts.items()]
    sums = [sum(report.counts[split].values()) for split in splits]
    output.table(
        f"Samples in {report.out_dir}",
        ["class", *splits, "all"],
        rows,
        total=["all", *sums, sum(sums)],
    )
    output.note(f"{report.num_files:,} files, {report.num_bytes:,} bytes.")
    output.result(
        {
            "out": str(report.out_dir),
            "counts": {split: dict(each) for split, each in report.counts.items()},
            "files": report.num_files,
            "bytes": report.num_bytes,
        }
    )
