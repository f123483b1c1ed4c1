"""`ferdata balance`."""

from __future__ import annotations

from pathlib import Path

import click

from fer_data.balance import BalancePlan, BalanceSettings, preview_balance
from fer_data.dataset import Dataset
from fer_data.operations import find_preset
from fer_data.pipeline import Runner
from fercli.options import dataset_option, dry_run_option, json_option, seed_option
from fercli.output import Output
from ferdata.parameters import Level, Target


@click.command()
@dataset_option
@click.option(
    "--target", "targets", type=Target(), multiple=True,
    help="Class to lift, to a number or to the median class; may be given several times.",
)  # fmt: skip
@click.option("--to", type=Level(), help="Lift every smaller class to this.")
@click.option(
    "--operations", default="course", show_default=True,
    help="Preset of changes: course (flip, rotate, zoom) or generator (also shift).",
)  # fmt: skip
@click.option(
    "--max-copies", type=click.IntRange(min=1), default=10, show_default=True,
    help="Most copies of one original.",
)  # fmt: skip
@click.option("--preview", type=click.Path(path_type=Path, dir_okay=False), help="Draw a PNG.")
@seed_option
@dry_run_option
@json_option
def balance(
    dataset_dir: Path,
    targets: tuple[tuple[str, int | None], ...],
    to: str | int | None,
    operations: str,
    max_copies: int,
    preview: Path | None,
    seed: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Plan changed copies of training samples, so that small classes are learned as well.

    Validation and test are never touched. `ferdata pack` makes the copies.

    \b
    Example:
      ferdata balance --target disgust
      ferdata balance --target disgust=3000 --target surprise --preview copies.png
      ferdata balance --to median
    """
    output = Output(as_json=as_json)
    settings = BalanceSettings(
        targets=dict(targets),
        to=to,
        operations=find_preset(operations),
        max_copies=max_copies,
        seed=seed,
    )
    dataset = Dataset.open(dataset_dir)
    dataset, plan = Runner(say=output.note).balance(dataset, settings, dry_run=dry_run)
    if preview is not None:
        preview_balance(dataset, plan.table, preview)
        output.note(f"{preview} shows originals beside their copies.")
    _show(output, plan)


def _show(output: Output, plan: BalancePlan) -> None:
    rows = [[name, n, plan.after[name] - n, plan.after[name]] for name, n in plan.before.items()]
    sums = [sum(plan.before.values()), len(plan.table), sum(plan.after.values())]
    columns = ["class", "originals", "copies", "after"]
    output.table("Training samples", columns, rows, total=["all", *sums])
    output.note("Next: ferdata pack --format npz")
    output.result(
        {
            "before": dict(plan.before),
            "after": dict(plan.after),
            "copies": len(plan.table),
            "warnings": list(plan.warnings),
        }
    )
