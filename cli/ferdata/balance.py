"""`ferdata balance`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from fer_data.balance import METHODS, BalancePlan, BalanceSettings, preview_balance
from fer_data.dataset import Dataset
from fer_data.operations_file import find_operations
from fer_data.pipeline import Runner
from fer_data.report.commands import as_typed
from fercli.hold import hold
from fercli.options import dataset_option, dry_run_option, json_option, seed_option
from fercli.output import Output
from ferdata.parameters import Level, Target


@click.command()
@dataset_option
@click.option(
    "--method", type=click.Choice(METHODS), default=METHODS[0], show_default=True,
    help="Add copies to small classes, leave out originals of large ones, or weigh classes.",
)  # fmt: skip
@click.option(
    "--target", "targets", type=Target(), multiple=True,
    help="Class to change, to a number or to the median class; may be given several times.",
)  # fmt: skip
@click.option("--to", type=Level(), help="Bring every other smaller (or larger) class to this.")
@click.option(
    "--operations", default="course", show_default=True,
    help="Changes: course (flip, rotate, zoom), generator (also shift), or a TOML file.",
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
    method: str,
    targets: tuple[tuple[str, int | None], ...],
    to: str | int | None,
    operations: str,
    max_copies: int,
    preview: Path | None,
    seed: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Plan how small classes come to be learned as well as large ones.

    Changed copies of training samples, by default. Validation and test are never touched.
    `ferdata pack` makes the copies.

    \b
    Example:
      ferdata balance --target disgust
      ferdata balance --target disgust=3000 --target surprise --preview copies.png
      ferdata balance --to max --operations mine.toml --max-copies 20
      ferdata balance --method undersample --to median
    """
    output = Output(as_json=as_json)
    settings = BalanceSettings(
        method=method,
        targets=dict(targets),
        to=to,
        operations=find_operations(operations),
        max_copies=max_copies,
        seed=seed,
    )
    if not dry_run:
        hold(dataset_dir)
    dataset = Dataset.open(dataset_dir)
    dataset, plan = Runner(say=output.note).balance(dataset, settings, dry_run=dry_run)
    if preview is not None:
        num_rows = preview_balance(dataset, plan.table, preview)
        shows = f"{preview} shows {num_rows} originals beside their copies."
        output.note(shows if num_rows else f"There are no copies to draw: no {preview}.")
    _show(output, plan)
    if not dry_run:
        output.note(f"Next: {as_typed('ferdata pack --format npz', dataset_dir)}")


def _show(output: Output, plan: BalancePlan) -> None:
    weights = plan.class_weights
    columns = ["class", "originals"]
    numbers: list[Mapping[str, int]] = [plan.before]
    if any(plan.left_out.values()):
        columns.append("left out")
        numbers.append(plan.left_out)
    if any(plan.copies.values()):
        columns.append("copies")
        numbers.append(plan.copies)
    columns.append("after")
    numbers.append(plan.after)
    rows = [
        [name, *(n[name] for n in numbers), *(f"{w[name]:.3f}" for w in weights.values())]
        for name in plan.before
    ]
    total = ["all", *(sum(n.values()) for n in numbers), *("" for _ in weights)]
    columns += ["weight before", "weight after"]
    output.table("Training samples", columns, rows, total=total)
    output.result(
        {
            "before": dict(plan.before),
            "left_out": dict(plan.left_out),
            "after": plan.after,
            "copies": sum(plan.copies.values()),
            "class_weights": weights,
            "warnings": list(plan.warnings),
        }
    )
