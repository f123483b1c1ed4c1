"""`ferdata filter`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import click

from fer_data.dataset import Dataset
from fer_data.files import write_file
from fer_data.filter import FilterReport
from fer_data.filter_evidence import threshold_curve, threshold_sheet
from fer_data.filter_settings import (
    BLANK,
    PRESETS,
    FilterSettings,
    Rule,
    default_filter,
    find_preset,
)
from fer_data.pipeline import Runner
from fer_data.verdicts import Decisions, read_decisions
from fercli.hold import hold
from fercli.options import dataset_option, json_option, scheduler_option, workers_option
from fercli.output import Output
from ferdata.parameters import Percent, Threshold
from ferdata.workers import choose_workers


@click.command("filter")
@dataset_option
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Settings that suit a data set.")
@click.option(
    "--blank", is_flag=True, help=f"Drop where one grey fills over {BLANK.threshold:.0%}."
)
@click.option("--relfcs", type=float, help="Drop where the first component has a larger share.")
@click.option("--pca-error", type=float, help="Drop where less is left to rebuild: no detail.")
@click.option("--blur", type=float, help="Drop where the sharpness is lower.")
@click.option(
    "--above", type=Threshold(), multiple=True,
    help="Drop beyond a score, as in pca_relative=0.9, or its highest 1%.",
)  # fmt: skip
@click.option("--below", type=Threshold(), multiple=True, help="Likewise on the low side.")
@click.option(
    "--conflicts", type=click.Choice(["drop", "majority", "keep"]), help="Twins of other labels."
)
@click.option("--leaks", type=click.Choice(["drop-train", "keep"]), help="Twins of test samples.")
@click.option("--duplicates", type=click.Choice(["keep-one", "keep-all"]), help="Other twins.")
@click.option("--near", is_flag=True, help="Near and mirrored pictures are twins too.")
@click.option(
    "--official", type=click.Choice(["flag", "drop"]), help="Samples of official test splits."
)
@click.option(
    "--decisions", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV file: key or path, action (keep, drop, relabel), label.",
)  # fmt: skip
@click.option("--keep", multiple=True, metavar="KEY", help="Keep this sample whatever it scores.")
@click.option("--drop", multiple=True, metavar="KEY", help="Drop this sample.")
@click.option(
    "--max-loss", type=Percent(), default="20%", show_default=True,
    help="Decide nothing when a class would lose more.",
)  # fmt: skip
@click.option("--none", "undo", is_flag=True, help="Undo: keep every sample.")
@workers_option
@scheduler_option
@click.option(
    "--dry-run", is_flag=True, help="Measure, and show what would be dropped; decide nothing."
)
@json_option
def filter_(
    dataset_dir: Path,
    preset: str | None,
    blank: bool,
    relfcs: float | None,
    pca_error: float | None,
    blur: float | None,
    above: Sequence[tuple[str, float, bool]],
    below: Sequence[tuple[str, float, bool]],
    conflicts: str | None,
    leaks: str | None,
    duplicates: str | None,
    near: bool,
    official: str | None,
    decisions: Path | None,
    keep: tuple[str, ...],
    drop: tuple[str, ...],
    max_loss: float,
    undo: bool,
    workers: int | None,
    scheduler: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Decide which samples to keep; without options, all filters at their strict defaults.

    Nothing is deleted: run it again with other options, or with --none, and the decision is
    another. Samples of official validation and test splits are flagged, not dropped. For each
    threshold the loss around it is shown, and a sheet of pictures written to reports/.

    \b
    Example:
      ferdata filter --dry-run
      ferdata filter --preset fer2013
      ferdata filter --blank --relfcs 0.80 --below sharpness=1% --leaks drop-train
    """
    output = Output(as_json=as_json)
    hold(dataset_dir)
    dataset = Dataset.open(dataset_dir)
    if undo:
        return _undo(output, dataset, dry_run=dry_run)
    rules = [
        *([BLANK] if blank else []),
        *([Rule("relfcs", "above", relfcs)] if relfcs is not None else []),
        *([Rule("pca_error", "below", pca_error)] if pca_error is not None else []),
        *([Rule("sharpness", "below", blur)] if blur is not None else []),
        *(Rule(score, "above", value, is_share) for score, value, is_share in above),
        *(Rule(score, "below", value, is_share) for score, value, is_share in below),
    ]
    single = read_decisions(decisions) if decisions is not None else Decisions()
    changes = {
        "conflicts": conflicts,
        "leaks": leaks,
        "duplicates": duplicates,
        "official": official,
        "twins": "near" if near else None,
        "keep": (*single.keep, *keep),
        "drop": (*single.drop, *drop),
        "relabel": single.relabel,
    }
    asked = {name: value for name, value in changes.items() if value}
    settings = default_filter(dataset.info.image.color)
    if preset is not None or rules or asked:
        start = find_preset(preset) if preset is not None else FilterSettings()
        settings = dataclasses.replace(start, rules=(*start.rules, *rules), **asked)  # type: ignore[arg-type]
        if settings.changes_nothing:
            raise click.UsageError(
                "these options alone drop nothing; say what to drop as well, as in "
                "--duplicates keep-one or --preset, or undo the filter with --none"
            )
    settings = dataclasses.replace(settings, max_loss=max_loss)
    chosen = choose_workers(workers, scheduler)
    with output.progress("Measuring", "samples") as on_progress:
        runner = Runner(workers=chosen, say=output.note, on_progress=on_progress)
        dataset = runner.measure(dataset, faces=settings.needs_faces)
    for rule in settings.rules:
        _show_evidence(output, dataset, rule)
    _, report = runner.filter(dataset, settings, dry_run=dry_run)
    _show(output, report, dry_run=dry_run)


def _undo(output: Output, dataset: Dataset, *, dry_run: bool) -> None:
    num_samples = len(dataset.samples(["key"]))
    if not dry_run:
        dataset.withdraw("filter")
    output.note(f"The filter {'would be' if dry_run else 'is'} undone: every sample is kept.")
    output.result({"samples": num_samples, "dropped": {}})


def _show_evidence(output: Output, dataset: Dataset, rule: Rule) -> None:
    path = dataset.dir / "reports" / f"filter-{rule.reason}.png"
    write_file(path, threshold_sheet(dataset, rule))
    output.table(
        f"{rule.score}: thresholds around the one asked for",
        ["threshold", "samples beyond", "their brightness", "class that loses most", "loss", ""],
        [
            [
                f"{point.threshold:.6g}",
                point.num_beyond,
                f"{point.brightness:.0f}" if point.num_beyond else "",
                point.class_name,
                f"{point.class_loss:.1%}",
                "asked for" if point.is_chosen else "",
            ]
            for point in threshold_curve(dataset, rule)
        ],
    )
    output.note(f"Pictures on both sides of it: {path}")


def _show(output: Output, report: FilterReport, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    reasons = dict.fromkeys([*report.reasons, *report.flagged])
    output.table(
        "Filter",
        ["reason", f"{would}dropped", "flagged in official tests"],
        [[name, report.reasons.get(name, 0), report.flagged.get(name, 0)] for name in reasons],
        total=["all", report.num_dropped, sum(report.flagged.values())],
    )
    output.table(
        "Loss by class",
        ["class", "samples", "dropped", "kept", "loss"],
        [
            [name, before, dropped, before - dropped, f"{dropped / before:.1%}" if before else ""]
            for name, (before, dropped) in report.classes.items()
        ],
        total=[
            "all",
            report.num_samples,
            report.num_dropped,
            report.num_samples - report.num_dropped,
            f"{report.num_dropped / report.num_samples:.1%}",
        ],
    )
    output.note(
        f"{report.num_samples:,} samples = {report.num_samples - report.num_dropped:,} kept "
        f"+ {report.num_dropped:,} dropped."
    )
    if report.num_relabelled:
        output.note(f"{report.num_relabelled:,} samples {would}relabelled.")
    output.result(
        {
            "samples": report.num_samples,
            "dropped": dict(report.reasons),
            "flagged": dict(report.flagged),
            "relabelled": report.num_relabelled,
            "classes": {n: {"samples": b, "dropped": d} for n, (b, d) in report.classes.items()},
        }
    )
