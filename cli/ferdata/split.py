"""`ferdata split`."""

from __future__ import annotations

from pathlib import Path

import click

from fer_data.dataset import Dataset
from fer_data.pipeline import Runner
from fer_data.split import SplitSettings
from fercli.options import dataset_option, dry_run_option, json_option, seed_option
from fercli.output import Output
from ferdata.parameters import Ratios
from ferdata.tables import show_classes


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
@seed_option
@dry_run_option
@json_option
def split(
    dataset_dir: Path,
    ratios: tuple[float, float, float],
    keep_official: bool,
    seed: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put kept samples into train, validation and test: stratified, identical pictures together.

    \b
    Example:
      ferdata split --ratios 70/10/20 --seed 1
    """
    output = Output(as_json=as_json)
    settings = SplitSettings(ratios=ratios, keep_official=keep_official, seed=seed)
    dataset = Dataset.open(dataset_dir)
    _, report = Runner(say=output.note).split(dataset, settings, dry_run=dry_run)
    show_classes(output, "Split", report.classes)
    output.note(f"{report.num_official:,} samples stay where their source had put them.")
    if report.leaks:
        places = ", ".join(f"{count:,} in {name}" for name, count in report.leaked.items())
        output.warn(
            f"{report.leaks:,} pictures stand in several official splits ({places}); "
            "`ferdata filter --leaks drop-train` takes them out of train"
        )
    output.result(
        {
            "classes": {name: dict(counts) for name, counts in report.classes.items()},
            "official": report.num_official,
            "leaks": report.leaks,
            "leaked": dict(report.leaked),
        }
    )
