"""`fermodel train` of a baseline: how its fit is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fer_models.baselines.plan import plan_baseline
from fer_models.baselines.training import BaselineReport, train_baseline
from fercli.output import Output

if TYPE_CHECKING:
    from fer_models.request import TrainRequest

_SHOWN = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")


def run_baseline(asked: TrainRequest, *, as_json: bool, dry_run: bool) -> None:
    """Fits it, or says what would be done."""
    out = Output(as_json=as_json)
    if dry_run:
        plan = plan_baseline(asked.shards_dir, asked.settings)
        rows = [(name.replace("_", " "), str(value)) for name, value in plan.to_json().items()]
        out.table(f"Would fit on {asked.shards_dir}", ("setting", "value"), rows)
        for note in plan.notes:
            out.note(note)
        return out.result(plan.to_json())
    if asked.settings.model == "resnet50-svm":
        from fermodel.quiet import load_keras

        load_keras()
    report = train_baseline(
        asked.shards_dir, asked.run_dir, asked.settings, _say, resume=asked.resume
    )
    _show(out, report)


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


def _show(out: Output, report: BaselineReport) -> None:
    if report.folds is not None:
        folds = report.folds
        out.table(
            "Cross-validation on the train split",
            ("fold", "learned", "judged", "accuracy", "balanced", "macro-F1", "log-loss", "s"),
            [
                (*row[:3], *(f"{value:.4f}" for value in row[3:7]), f"{row[7]:.0f}")
                for row in folds.rows()
            ],
            total=(
                "mean",
                "",
                "",
                *(f"{folds.mean(name):.4f}" for name in _SHOWN),
                "",
            ),
        )
        spread = "   ".join(
            f"{name.replace('_', ' ')} {folds.mean(name):.4f} ± {folds.deviation(name):.4f}"
            for name in _SHOWN
        )
        out.note(f"Mean and standard deviation of the folds: {spread}")
    rows = [
        ("training samples", f"{report.num_samples:,}"),
        ("parameters", f"{report.num_parameters:,}"),
        ("seconds", f"{report.seconds:.1f}"),
    ]
    if report.validation is not None:
        rows += [
            (f"validation {name.replace('_', ' ')}", f"{getattr(report.validation, name):.4f}")
            for name in _SHOWN
        ]
    out.table("Fitted", ("", "value"), rows)
    out.note(f"Wrote {report.run_dir / 'bundle'}")
    out.note(f"Next:  fermodel evaluate {report.run_dir}")
    out.result(report.to_json())
