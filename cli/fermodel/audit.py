"""`fermodel audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fercli.options import json_option
from fercli.output import Output

if TYPE_CHECKING:
    from fer_models.audit import AuditReport


@click.command()
@click.argument("run_dir", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.argument("shards_dir", metavar="[SHARDS]", required=False, type=click.Path(path_type=Path))
@click.option("--split", default="train", show_default=True, help="Whose labels are looked at.")
@click.option(
    "--folds",
    "num_folds",
    type=int,
    default=5,
    show_default=True,
    help="Trainings for the train split, each on all folds but one.",
)
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Of each training.  [default: the run's best]"
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the deal of the folds.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    help="Decide on so many, the most suspect.  [default: one of a hundred samples]",
)
@click.option(
    "--action",
    type=click.Choice(["drop", "relabel"]),
    default="drop",
    show_default=True,
    help="What is decided on them; relabel: to the likely class.",
)
@json_option
def audit(
    run_dir: Path | None,
    shards_dir: Path | None,
    split: str,
    num_folds: int,
    epochs: int | None,
    seed: int,
    top: int | None,
    action: str,
    as_json: bool,
) -> None:
    """Find labels that are likely wrong, with the network of RUN (default: the newest of ./runs).

    The train split is judged by cross-validation, other splits by the run itself. Writes pictures,
    a page to decide on, and decisions for `ferdata filter` into RUN/audit. The same command goes on
    after a kill.

    \b
    Example:
      fermodel audit
      fermodel audit runs/cnn4-001 --folds 3 --top 200
      ferdata filter --decisions runs/cnn4-001/audit/train/decisions.csv
    """
    from fer_models.run import newest_run
    from fermodel.progress import TrainProgress
    from fermodel.quiet import load_keras_for

    run_dir = run_dir if run_dir is not None else newest_run()
    load_keras_for(run_dir)
    from fer_models.audit import AuditSettings
    from fer_models.audit import audit as audit_run

    settings = AuditSettings(
        split=split,
        num_folds=num_folds,
        epochs=epochs or 0,
        seed=seed,
        top=top or 0,
        action=action,
    )
    with TrainProgress() as progress:
        report = audit_run(run_dir, shards_dir, settings, progress.say, progress)
    _show(Output(as_json=as_json), report)


def _show(out: Output, report: AuditReport) -> None:
    out.table(
        f"Labels of the {report.split} split",
        ("labelled", "samples", "suspect", "estimated wrong", "mostly"),
        [
            (
                row.class_name,
                row.num_samples,
                row.num_suspects,
                f"{row.num_estimated:.0f}",
                row.mostly,
            )
            for row in report.rows
        ],
        total=(
            "all",
            report.num_samples,
            report.num_suspects,
            f"{report.errors.num_estimated}",
            "",
        ),
    )
    out.note(
        f"The predictions agree with {report.accuracy:.1%} of the labels. A weak network is wrong "
        "where the label is right: look at the pictures before you decide."
    )
    out.note(f"Wrote {report.report_path} and {len(report.written) - 1} files beside it")
    out.note(
        f"Next:  open {report.report_path}, then  "
        f"ferdata filter --decisions {report.decisions_path}"
    )
    out.result(report.to_json())
