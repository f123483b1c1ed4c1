"""`ferdata split`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from click.core import ParameterSource

from fer_data.dataset import Dataset
from fer_data.pipeline import Runner
from fer_data.report.commands import as_typed
from fer_data.split import SplitReport, SplitSettings
from fercli.hold import hold
from fercli.options import dataset_option, dry_run_option, json_option, seed_option
from fercli.output import Output
from ferdata.parameters import Ratios
from ferdata.tables import show_classes

_MOST_LINES = 7


@click.command()
@dataset_option
@click.option(
    "--ratios", type=Ratios(), default="80/10/10", show_default=True,
    help="Shares of train, validation and test.",
)  # fmt: skip
@click.option(
    "--keep-official/--no-keep-official", default=True, show_default=True,
    help="Leave samples in the split their source gives them.",
)  # fmt: skip
@click.option(
    "--group-by", metavar="NAMES", default="duplicates,subject", show_default=True,
    help="What stays in one split: near and mirrored pictures (duplicates), and samples with the "
    "same value of an attribute; or none. Identical pictures always do.",
)  # fmt: skip
@click.option(
    "--folds", type=click.IntRange(2, 100), metavar="K",
    help="Deal all but an official test split into K folds for cross-validation.",
)  # fmt: skip
@click.option(
    "--fold", type=click.IntRange(min=1), metavar="N",
    help="The fold that is the validation split; the others are train.  [default: 1]",
)  # fmt: skip
@seed_option
@dry_run_option
@json_option
@click.pass_context
def split(
    context: click.Context,
    dataset_dir: Path,
    ratios: tuple[float, float, float],
    keep_official: bool,
    group_by: str,
    folds: int | None,
    fold: int | None,
    seed: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put kept samples into train, validation and test: stratified, groups kept whole.

    \b
    Example:
      ferdata split --ratios 70/10/20 --seed 1
      ferdata split --folds 5 --fold 2
    """
    _check_usage(context, folds, fold)
    output = Output(as_json=as_json)
    names = () if group_by == "none" else tuple(name.strip() for name in group_by.split(","))
    settings = SplitSettings(
        ratios=ratios, keep_official=keep_official, group_by=names, folds=folds or 0,
        fold=fold if fold is not None else 1, seed=seed,
    )  # fmt: skip
    if not dry_run:
        hold(dataset_dir)
    dataset = Dataset.open(dataset_dir)
    with output.progress("Comparing", "samples") as on_progress:
        runner = Runner(say=output.note, on_progress=on_progress)
        _, report = runner.split(dataset, settings, dry_run=dry_run)
    _show(output, report, dataset_dir)
    fields = dataclasses.asdict(report)
    output.result({"official": fields.pop("num_official"), **fields})


def _check_usage(context: click.Context, folds: int | None, fold: int | None) -> None:
    by_default = context.get_parameter_source("ratios") == ParameterSource.DEFAULT
    if folds is None and fold is not None:
        raise click.UsageError("--fold says which of --folds is the validation split; give both")
    if folds is not None and not by_default:
        raise click.UsageError("--ratios and --folds exclude each other: folds are of equal size")


def _show(output: Output, report: SplitReport, dataset_dir: Path) -> None:
    """Shows samples by class and split, and what stood in the way of the ratios."""
    show_classes(output, "Split", report.classes)
    if report.folds:
        _show_folds(output, report)
    output.note(f"{report.num_official:,} samples stay where their source had put them.")
    if report.num_groups:
        output.note(
            f"{report.num_groups:,} groups of {report.num_grouped:,} samples stay together; "
            f"the largest, {report.largest_name}, has {report.largest:,}."
        )
    _show_deviations(output, report)
    if report.leaks:
        places = ", ".join(f"{count:,} in {name}" for name, count in report.leaked.items())
        command = as_typed("ferdata filter --leaks drop-train", dataset_dir)
        output.warn(
            f"{report.leaks:,} pictures stand in several official splits ({places}); "
            f"`{command}` takes them out of train"
        )


def _show_folds(output: Output, report: SplitReport) -> None:
    numbers = {name: [c[name] for c in report.folds.values()] for name in report.folds[1]}
    rows = [[name, min(counts), max(counts), sum(counts)] for name, counts in numbers.items()]
    sizes = [sum(counts.values()) for counts in report.folds.values()]
    total = ["all", min(sizes), max(sizes), sum(sizes)]
    columns = ["class", "smallest fold", "largest fold", "all"]
    output.table(f"{len(report.folds)} folds", columns, rows, total=total)


def _show_deviations(output: Output, report: SplitReport) -> None:
    """Says how close the classes came to their ratios, and why some did not."""
    dealt = [each for each in report.off_ratio if not each.official]
    official = len({each.class_name for each in report.off_ratio if each.official})
    if official:
        output.note(
            f"Official splits, not the ratios, decide the shares of {official} classes; "
            "--no-keep-official sets them aside."
        )
    for each in dealt[:_MOST_LINES]:
        output.note(
            f"{each.class_name}: {each.reached:.1%} in {each.part} where {each.wanted:.1%} was "
            f"asked for; {each.why}."
        )
    if len(dealt) > _MOST_LINES:
        output.note(f"{len(dealt) - _MOST_LINES} more shares are off by over 1%; --json has all.")
    if not report.off_ratio:
        most = max(
            abs(report.reached[part][name] - wanted)
            for part, shares in report.wanted.items()
            for name, wanted in shares.items()
        )
        output.note(f"Every class is within 1% of its ratio; the furthest is off by {most:.2%}.")
