"""`ferdata ingest`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fer_data.dataset import SourceRecord
from fer_data.image import ImageSettings
from fer_data.ingest import IngestReport, IngestSettings, inspect_source
from fer_data.ingest import ingest as ingest_source
from fer_data.manifest import load_manifest
from fer_data.sources.opening import SourceSettings
from fercli.options import dataset_option, dry_run_option, json_option, workers_option
from fercli.output import Output
from ferdata.tables import show_classes


class Percent(click.ParamType[Any]):
    """A share, typed as "5%" or "0.05"."""

    name = "percent"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The share as a number from 0 to 1."""
        if isinstance(value, float):
            return value
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is not a share; expected for example 5% or 0.05", param, ctx)
        return share


@click.command()
@click.argument("raw", type=click.Path(path_type=Path), nargs=-1)
@dataset_option
@click.option("--manifest", help="Known data set, or TOML file; found out where not given.")
@click.option("--name", help="What to call the source; after its file where not given.")
@click.option("--size", type=int, help="Height and width of every sample.  [default: 48]")
@click.option("--color", type=click.Choice(["gray", "rgb"]), help="[default: gray]")
@click.option("--equalize", is_flag=True, help="Equalise the light of every sample.")
@click.option(
    "--max-rejected", type=Percent(), default="5%", show_default=True,
    help="Fail when more of the files cannot be used.",
)  # fmt: skip
@click.option(
    "--on-error", type=click.Choice(["reject", "raise"]), default="reject", show_default=True,
    help="Go on after a bad file, or stop.",
)  # fmt: skip
@workers_option
@dry_run_option
@json_option
def ingest(
    raw: tuple[Path, ...],
    dataset_dir: Path,
    manifest: str | None,
    name: str | None,
    size: int | None,
    color: str | None,
    equalize: bool,
    max_rejected: float,
    on_error: str,
    workers: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Read RAW into the data set: a folder, a .zip or .tar, or fer2013.csv; by default ./raw.

    Every file becomes a sample or a rejection with a reason. Sources are never changed. A killed
    run goes on where it was; another RAW is added to the same data set.

    \b
    Example:
      ferdata ingest FER2013.zip
      ferdata ingest photos/ --size 96 --color rgb --dataset photos96
    """
    output = Output(as_json=as_json)
    image = None
    if size is not None or color is not None or equalize:
        default = ImageSettings()
        image = ImageSettings(
            size=size if size is not None else default.size,
            color=color if color is not None else default.color,
            equalize=equalize,
        )
    settings = IngestSettings(
        image=image,
        source=SourceSettings(manifest=manifest, name=name),
        max_rejected=max_rejected,
        on_error=on_error,
    )
    report = None
    for path in raw or (Path("raw"),):
        if dry_run:
            _say_source(output, inspect_source(path, settings))
            continue
        with output.progress("Reading", "files") as on_progress:
            _, report = ingest_source(
                path,
                dataset_dir,
                settings,
                workers=workers,
                on_source=lambda record: _say_source(output, record),
                on_progress=on_progress,
            )
    if report is not None:
        _show(output, report, dataset_dir)


def _say_source(output: Output, source: SourceRecord) -> None:
    output.note(
        f"{source.name}: {source.kind}, {source.num_files:,} files, "
        f'understood as manifest "{source.manifest}"'
    )


def _show(output: Output, report: IngestReport, dataset_dir: Path) -> None:
    if report.num_blocks_done_before:
        output.note(f"{report.num_blocks_done_before} blocks were read by an earlier run.")
    show_classes(output, f"Samples in {dataset_dir}", report.classes)
    for remark in _remarks(report):
        output.note(remark)
    if report.reasons:
        rows = list(report.reasons.items())
        total = ["all", report.num_rejected]
        output.table("Rejected files", ["reason", "files"], rows, total=total)
    output.note(
        f"{report.num_files:,} files = {report.num_samples:,} samples "
        f"+ {report.num_rejected:,} rejected."
    )
    output.result(
        {
            "files": report.num_files,
            "samples": report.num_samples,
            "rejected": report.num_rejected,
            "reasons": dict(report.reasons),
            "classes": {split: dict(counts) for split, counts in report.classes.items()},
        }
    )


def _remarks(report: IngestReport) -> list[str]:
    """How the one source compares with the complete data set, where its size is known."""
    if len(report.sources) != 1 or report.sources[0].manifest.endswith(".toml"):
        return []
    manifest = load_manifest(report.sources[0].manifest)
    return [f"{manifest.name} {remark}" for remark in manifest.count_remarks(report.classes)]
