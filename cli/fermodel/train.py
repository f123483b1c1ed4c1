"""`fermodel train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fercli.options import dry_run_option, json_option
from fercli.output import Output, describe
from fermodel.train_options import train_options

if TYPE_CHECKING:
    from fer_models.request import TrainRequest
    from fer_models.run_report import TrainReport

_INTERRUPTED = 130  # as a shell says it
_WHY = {
    "finished": "all that were asked for",
    "no better": "stopped early: no better one came",
    "built": "only built; nothing was trained",
    "interrupted": "interrupted",
}


@click.command()
@click.argument("shards_dir", metavar="[SHARDS]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--model", help="Network; `fermodel models` lists them; or FILE.py:FUNCTION.  [default: cnn4]"
)
@click.option("--preset", help="Variant of the network; `fermodel models NAME` lists them.")
@click.option(
    "--weights",
    metavar="FILE",
    help="What a transfer network starts from; `none` is random.  [default: ImageNet, downloaded]",
)
@train_options
@click.option(
    "--run",
    "run_dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run.  [default: the next of runs/MODEL-001]",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file of settings, as settings.toml of a run; other options go before it.",
)
@click.option(
    "--components",
    type=int,
    help="Principal components that a baseline is fitted on; 0: the pixels.  [default: its own]",
)
@click.option("--folds", type=int, help="Judge a baseline by cross-validation on the train split.")
@click.option("--limit", type=int, help="Fit a baseline on so many training samples.")
@click.option("--resume", is_flag=True, help="Go on with the run (without --run: the newest).")
@json_option
@dry_run_option
def train(
    shards_dir: Path | None,
    run_dir: Path | None,
    config: Path | None,
    resume: bool,
    as_json: bool,
    dry_run: bool,
    **choices: Any,
) -> None:
    """Train a network on the shards in the folder SHARDS (default: ./shards).

    Writes a run folder with the trained network, its history and its checkpoints. Baselines
    (logreg, mlp, random-forest, svm, resnet50-svm) are fitted by scikit-learn on standardised
    pixels through principal components.

    \b
    Example:
      fermodel train shards/
      fermodel train shards/ --epochs 20 --run runs/first
      fermodel train shards/ --model mlp --components 100 --folds 5
      fermodel train --resume
      fermodel train --config runs/first/settings.toml
    """
    from fer_models.request import complete_request
    from fer_models.zoo import is_baseline, is_own
    from fermodel.baseline import run_baseline
    from fermodel.progress import TrainProgress
    from fermodel.quiet import load_keras

    if is_own(choices["model"] or ""):
        load_keras()  # which the file imports when it is read
    asked = complete_request(shards_dir, run_dir, choices, resume=resume, config=config)
    if is_baseline(asked.settings.model):
        return run_baseline(asked, as_json=as_json, dry_run=dry_run)
    load_keras()
    if dry_run:
        return _show_plan(Output(as_json=as_json), asked)
    from fer_models.train import train as train_network

    with TrainProgress() as progress:
        report = train_network(
            asked.shards_dir, asked.run_dir, asked.settings, progress, resume=asked.resume
        )
    _show_report(Output(as_json=as_json), report)


def _show_plan(out: Output, asked: TrainRequest) -> None:
    from fer_models.plan import plan_training

    plan = plan_training(asked.shards_dir, asked.settings)
    rows = [(name.replace("_", " "), describe(value)) for name, value in plan.to_json().items()]
    out.table(f"Would train on {asked.shards_dir}", ("setting", "value"), rows)
    for note in plan.notes:
        out.note(note)
    out.result(plan.to_json())


def _show_report(out: Output, report: TrainReport) -> None:
    best = report.best_epoch
    rows: list[tuple[str, str]] = [
        ("epochs", f"{len(report.history)} ({_WHY[report.stopped]})"),
        ("best epoch", str(best) if best else "none was finished"),
    ]
    if report.validation is not None:
        rows += [
            (f"validation {name.replace('_', ' ')}", f"{getattr(report.validation, name):.4f}")
            for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
        ]
    out.table("Trained", ("", "value"), rows)
    if best or report.stopped == "built":
        out.note(f"Wrote {report.run_dir / 'bundle'}")
    if report.stopped == "interrupted":
        out.note(f"To go on:  fermodel train --resume --run {report.run_dir}")
    if best:
        out.note(f"Next:  fermodel evaluate {report.run_dir}")
    out.result(report.to_json())
    if report.stopped == "interrupted":
        sys.exit(_INTERRUPTED)
