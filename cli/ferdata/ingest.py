"""`ferdata ingest`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fer_data.dataset import SourceRecord
from fer_data.errors import SettingsError
from fer_data.face_align import FaceSettings
from fer_data.face_weights import download_detector_weights, find_detector_weights
from fer_data.image import COLORS, EQUALIZE, ImageSettings
from fer_data.ingest import IngestSettings, inspect_source
from fer_data.ingest import ingest as ingest_source
from fer_data.ingest_report import IngestReport
from fer_data.manifest import load_manifest, manifest_names
from fer_data.sources.opening import SourceSettings
from fercli.hold import hold
from fercli.options import (
    dataset_option,
    detector_weights_option,
    download_detector_option,
    dry_run_option,
    json_option,
    scheduler_option,
    workers_option,
)
from fercli.output import Output
from ferdata.parameters import ClassMapping, Percent
from ferdata.tables import show_classes
from ferdata.workers import choose_workers

_NO_WEIGHTS = (
    "no weights of YuNet were found: scikit-image's LBP cascade is used, which finds fewer faces "
    "and no eyes; name a file with --detector-weights, or fetch it with --download-detector"
)
_IMAGE_OPTIONS = tuple(ImageSettings.__dataclass_fields__)
_SOURCE_OPTIONS = tuple(SourceSettings.__dataclass_fields__)


@click.command()
@click.argument("raw", type=click.Path(path_type=Path), nargs=-1)
@dataset_option
@click.option("--manifest", help="Known data set, or TOML file; found out where not given.")
@click.option("--name", help="What to call the source; after its file where not given.")
@click.option("--labels", type=click.Path(path_type=Path), help="CSV file of paths and labels.")
@click.option("--path-column", help="Its column of paths; found out where not given.")
@click.option("--label-column", help="Its column of labels; found out where not given.")
@click.option("--split-column", help="Its column of splits, if it has one.")
@click.option("--votes", type=click.Path(path_type=Path), help="FER+ votes, for FER2013.")
@click.option("--keep-labels", is_flag=True, help="Put --votes beside the labels, which stay.")
@click.option(
    "--map", "class_map", type=ClassMapping(), multiple=True,
    help="Another class for one, or drop it: contempt=drop.",
)  # fmt: skip
@click.option("--include", multiple=True, help="Read only files that match, as in 'train/*'.")
@click.option("--exclude", multiple=True, help="Leave out files that match.")
@click.option("--limit", type=click.IntRange(min=1), help="Read the first so many files.")
@click.option("--max-per-class", type=click.IntRange(min=1), help="Read so many of each class.")
@click.option("--size", type=int, help="Height and width of every sample.  [default: 48]")
@click.option("--color", type=click.Choice(COLORS), help="[default: gray]")
@click.option("--equalize", type=click.Choice(EQUALIZE), help="Even out the light.")
@click.option("--align", is_flag=True, help="Find the face, level its eyes, cut it out.")
@detector_weights_option
@download_detector_option
@click.option(
    "--several", type=click.Choice(["largest", "all", "reject"]), default="largest",
    show_default=True, help="Where --align finds several faces.",
)  # fmt: skip
@click.option(
    "--no-face", type=click.Choice(["reject", "keep"]), default="reject", show_default=True,
    help="Where --align finds none.",
)  # fmt: skip
@click.option(
    "--max-rejected", type=Percent(), default="5%", show_default=True,
    help="Fail when more of the files cannot be used.",
)  # fmt: skip
@click.option(
    "--on-error", type=click.Choice(["reject", "raise"]), default="reject", show_default=True,
    help="Go on after a bad file, or stop.",
)  # fmt: skip
@workers_option
@scheduler_option
@dry_run_option
@json_option
def ingest(
    raw: tuple[Path, ...],
    dataset_dir: Path,
    workers: int | None,
    scheduler: str | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Read RAW into the data set: a folder, a .zip or .tar, or fer2013.csv; by default ./raw.

    Every file becomes a sample or a rejection with a reason. Sources are never changed. A killed
    run goes on where it was; another RAW is added to the same data set.

    \b
    Example:
      ferdata ingest FER2013.zip
      ferdata ingest FER2013.zip --votes fer2013new.csv --dataset ferplus
      ferdata ingest FER2013.zip --votes fer2013new.csv --keep-labels --dataset both
      ferdata ingest photos/ --size 96 --color rgb --align --dataset photos96
    """
    output = Output(as_json=as_json)
    _check_name(options["name"], raw)
    settings = _settings(options)
    if settings.faces is not None and settings.faces.detector_weights is None:
        output.warn(_NO_WEIGHTS)
    paths, report = raw or (Path("raw"),), None
    if dry_run:
        _inspect(output, paths, dataset_dir, settings)
        return
    hold(dataset_dir, make=True)
    chosen = choose_workers(workers, scheduler)
    for path in paths:
        with output.progress("Reading", "files") as on_progress:
            _, report = ingest_source(
                path,
                dataset_dir,
                settings,
                workers=chosen,
                on_source=lambda *source: _say_source(output, *source),
                on_progress=on_progress,
            )
    if report is not None:
        _show(output, report, dataset_dir)


def _check_name(name: str | None, raw: tuple[Path, ...]) -> None:
    if name and len(raw) > 1:
        raise SettingsError(
            f"--name is the name of one source; received {len(raw)} RAW: ingest them one by one"
        )


def _settings(options: dict[str, Any]) -> IngestSettings:
    source = {name: options[name] for name in _SOURCE_OPTIONS}
    image = {name: options[name] for name in _IMAGE_OPTIONS if options[name] is not None}
    faces = None
    if options["align"]:
        if options["download_detector"]:
            download_detector_weights()
        faces = FaceSettings(
            detector_weights=find_detector_weights(options["detector_weights"]),
            several=options["several"],
            none=options["no_face"],
        )
    return IngestSettings(
        image=ImageSettings(**image) if image else None,
        faces=faces,
        source=SourceSettings(**{**source, "class_map": dict(source["class_map"])}),
        max_rejected=options["max_rejected"],
        on_error=options["on_error"],
    )


def _inspect(
    output: Output, paths: tuple[Path, ...], dataset_dir: Path, settings: IngestSettings
) -> None:
    """Says what each path is understood to be; nothing is read."""
    found = [inspect_source(path, settings, dataset_dir=dataset_dir) for path in paths]
    for source, remarks in found:
        _say_source(output, source, remarks)
    sources = [
        {
            "name": source.name,
            "kind": source.kind,
            "manifest": source.manifest,
            "files": source.num_files,
            "remarks": list(remarks),
        }
        for source, remarks in found
    ]
    output.result({"sources": sources})


def _say_source(output: Output, source: SourceRecord, remarks: tuple[str, ...]) -> None:
    output.note(
        f"{source.name}: {source.kind}, {source.num_files:,} files, "
        f'understood as manifest "{source.manifest}"'
    )
    for remark in remarks:
        output.note(f"  {remark}")


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
    further = f" + {report.num_further:,} further faces" if report.num_further else ""
    output.note(
        f"{report.num_files:,} files{further} = {report.num_samples:,} samples "
        f"+ {report.num_rejected:,} rejected."
    )
    output.result(report.to_json())


def _remarks(report: IngestReport) -> list[str]:
    """How the one source compares with the complete data set, where it was read as it is."""
    (source, *others) = report.sources
    is_part = set(source.settings) - {"votes", "keep_labels"}  # which change labels, for all of it
    if others or is_part or source.manifest not in manifest_names():
        return []
    manifest = load_manifest(source.manifest)
    return [f"{manifest.name} {remark}" for remark in manifest.count_remarks(report.classes)]
