"""`ferdata filter`."""

from __future__ import annotations

from pathlib import Path

import click

from fer_data.dataset import Dataset
from fer_data.filter import DEFAULT_BLANK, FilterReport, FilterSettings
from fer_data.pipeline import Runner
from fercli.options import dataset_option, dry_run_option, json_option, workers_option
from fercli.output import Output
from ferdata.parameters import Percent


@click.command("filter")
@dataset_option
@click.option("--blank", is_flag=True, help=f"Drop where one grey fills over {DEFAULT_BLANK:.0%}.")
@click.option("--relfcs", type=float, help="Drop where the first component has a larger share.")
@click.option("--conflicts", type=click.Choice(["drop", "keep"]), help="Twins of other labels.")
@click.option("--leaks", type=click.Choice(["drop-train", "keep"]), help="Twins of test samples.")
@click.option("--duplicates", type=click.Choice(["keep-one", "keep-all"]), help="Other twins.")
@click.option(
    "--max-loss", type=Percent(), default="20%", show_default=True,
    help="Decide nothing when a class would lose more.",
)  # fmt: skip
@click.option("--none", "undo", is_flag=True, help="Undo: keep every sample.")
@workers_option
@dry_run_option
@json_option
def filter_(
    dataset_dir: Path,
    blank: bool,
    relfcs: float | None,
    conflicts: str | None,
    leaks: str | None,
    duplicates: str | None,
    max_loss: float,
    undo: bool,
    workers: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Decide which samples to keep; without options, all filters at their strict defaults.

    Nothing is deleted: run it again with other options, or with --none, and the decision is
    another. Samples of official validation and test splits are flagged, never dropped.

    \b
    Example:
      ferdata filter --dry-run
      ferdata filter --blank --relfcs 0.80 --leaks drop-train
    """
    output = Output(as_json=as_json)
    dataset = Dataset.open(dataset_dir)
    if undo:
        dataset.withdraw("filter")
        output.note("The filter is undone: every sample is kept.")
        return
    settings = None
    if blank or any(option is not None for option in (relfcs, conflicts, leaks, duplicates)):
        settings = FilterSettings(
            blank=DEFAULT_BLANK if blank else None,
            relfcs=relfcs,
            conflicts=conflicts or "keep",
            leaks=leaks or "keep",
            duplicates=duplicates or "keep-all",
        )
    with output.progress("Measuring", "samples") as on_progress:
        runner = Runner(workers=workers, say=output.note, on_progress=on_progress)
        _, report = runner.filter(dataset, settings, max_loss=max_loss, dry_run=dry_run)
    _show(output, report, dry_run=dry_run)


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
    output.result(
        {
            "samples": report.num_samples,
            "dropped": dict(report.reasons),
            "flagged": dict(report.flagged),
            "classes": {n: {"samples": b, "dropped": d} for n, (b, d) in report.classes.items()},
        }
    )
