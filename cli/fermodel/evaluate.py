"""`fermodel evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fercli.options import json_option, latex_option, tta_option
from fercli.output import Output

if TYPE_CHECKING:
    from fer_models.agreement import Agreement
    from fer_models.evaluate import EvaluateReport
    from fer_models.metrics import Metrics


@click.command()
@click.argument("places", metavar="[RUN]... [SHARDS]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--shards", "shards_dir", type=click.Path(path_type=Path), help="As SHARDS.")
@click.option("--split", help="Split to judge on.  [default: test, else validation]")
@click.option(
    "--by",
    help="Judge groups too, with commas: source, brightness and other scores of the pixels, yaw "
    "and roll, or columns of --attributes, such as size.",
)
@click.option(
    "--attributes",
    metavar="TABLE",
    type=click.Path(path_type=Path),
    help="CSV or Parquet table with a column `key`, or a data set, of more to group by.",
)
@click.option(
    "--corruptions",
    is_flag=True,
    help="Judge on pictures turned, dark, blurred, covered too; takes fifty times as long.",
)
@tta_option
@click.option(
    "--out",
    "out_dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write into.  [default: RUN; of several runs/ensemble-001, ...]",
)
@latex_option
@json_option
def evaluate(
    places: tuple[Path, ...],
    shards_dir: Path | None,
    split: str | None,
    by: str | None,
    attributes: Path | None,
    corruptions: bool,
    tta: str,
    out_dir: Path | None,
    latex: bool,
    as_json: bool,
) -> None:
    """Judge the run RUN (default: the newest of ./runs) on SHARDS (default: its own).

    Writes metrics, predictions, figures and one HTML report into the run. Of several runs the mean
    of their probabilities is judged, and the report goes into a folder of its own.

    \b
    Example:
      fermodel evaluate
      fermodel evaluate runs/cnn4-001 --split validation
      fermodel evaluate --by brightness,sharpness,source
      fermodel evaluate runs/cnn4-001 runs/cnn4-002 --tta flip
    """
    if attributes is not None and not by:
        raise click.UsageError("--attributes holds more to group by: name its columns in --by")
    from fer_models.ensemble import sort_places
    from fer_models.run import newest_run
    from fermodel.quiet import load_keras_for

    run_dirs, shards_dir = sort_places(places, shards_dir)
    run_dirs = run_dirs or (newest_run(),)
    for run_dir in run_dirs:
        load_keras_for(run_dir)
    from fer_models.evaluate import evaluate as evaluate_run

    out = Output(as_json=as_json)
    wanted = tuple(name.strip() for name in (by or "").split(",") if name.strip())
    with out.progress("Judging", "samples") as progress:
        report = evaluate_run(
            run_dirs,
            shards_dir,
            split,
            progress,
            by=wanted,
            attributes=attributes,
            corruptions=corruptions,
            latex=latex,
            tta=tta,
            out_dir=out_dir,
        )
    _show_report(out, report)


def _show_report(out: Output, report: EvaluateReport) -> None:
    from fer_models.views import name_judged

    metrics = report.judgement.metrics
    out.table(
        f"{report.run_dir} on the {name_judged(f'{report.split} split', report.tta)}",
        ("class", "samples", "precision", "recall", "F1"),
        [
            (c.class_name, c.support, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}")
            for c in metrics.classes
        ],
        total=(
            "mean of the classes",
            metrics.num_samples,
            f"{metrics.macro_precision:.3f}",
            f"{metrics.macro_recall:.3f}",
            f"{metrics.macro_f1:.3f}",
        ),
    )
    out.note(
        f"macro-F1 {metrics.macro_f1:.4f}   "
        f"balanced accuracy {metrics.balanced_accuracy:.4f} "
        f"(chance {metrics.chance_balanced_accuracy:.3f})   "
        f"accuracy {metrics.accuracy:.4f} (chance {metrics.chance_accuracy:.3f})   "
        f"log-loss {metrics.log_loss:.4f}"
    )
    if len(report.members) > 1:
        _show_members(out, report)
    judgement = report.judgement
    spans = {name: f"{x.low:.3f} to {x.high:.3f}" for name, x in judgement.intervals.items()}
    out.note(
        f"95% intervals: macro-F1 {spans['macro_f1']}, balanced accuracy "
        f"{spans['balanced_accuracy']}, accuracy {spans['accuracy']}. First two guesses right "
        f"{metrics.top2_accuracy:.1%}, calibration error {judgement.calibration.error:.3f}"
    )
    if judgement.agreement is not None:
        _show_agreement(out, judgement.agreement)
    for grouping in report.groupings:
        out.table(
            f"By {grouping.by}",
            (grouping.by, "samples", "accuracy", "95%", "balanced", "macro-F1"),
            [
                (
                    f"{group.name} (few)" if group.is_small else group.name,
                    group.num_samples,
                    f"{group.accuracy.value:.3f}",
                    f"{group.accuracy.low:.3f} to {group.accuracy.high:.3f}",
                    f"{group.balanced_accuracy:.3f}",
                    f"{group.macro_f1:.3f}",
                )
                for group in grouping.groups
            ],
        )
    if report.damages:
        out.table(
            "Accuracy on worse pictures",
            ("corruption", "strengths", "accuracy"),
            [
                (
                    f"{damage.name}, {damage.unit}",
                    " ".join(f"{strength:g}" for strength in damage.strengths),
                    " ".join(f"{accuracy:.2f}" for accuracy in damage.accuracy),
                )
                for damage in report.damages
            ],
        )
    for note in report.notes:
        out.note(note)
    out.note(f"Wrote {report.report_path} and {len(report.written) - 1} files beside it")
    run_dir = report.members[0].member.run_dir
    predict = f", or  fermodel predict {run_dir} PICTURE…" if len(report.members) == 1 else ""
    out.note(f"Next:  open {report.report_path}{predict}")
    out.result(report.to_json())


def _show_members(out: Output, report: EvaluateReport) -> None:
    def figures(found: Metrics) -> tuple[str, ...]:
        values = (found.accuracy, found.balanced_accuracy, found.macro_f1, found.log_loss)
        return tuple(f"{value:.4f}" for value in values)

    out.table(
        "Each by itself",
        ("run", "accuracy", "balanced", "macro-F1", "log-loss"),
        [(each.member.run_dir, *figures(each.metrics)) for each in report.members],
        total=("mean of the probabilities", *figures(report.judgement.metrics)),
    )


def _show_agreement(out: Output, found: Agreement) -> None:
    out.table(
        f"Beside the votes of people, {found.num_samples:,} samples",
        ("votes for the first choice", "samples", "accuracy", "95%", "agreement", "two people"),
        [
            (
                group.name,
                group.num_samples,
                f"{group.accuracy.value:.3f}",
                f"{group.accuracy.low:.3f} to {group.accuracy.high:.3f}",
                f"{group.agreement:.3f}",
                "" if group.pair_agreement is None else f"{group.pair_agreement:.3f}",
            )
            for group in found.by_sureness
        ],
    )
    out.note(
        f"A person drawn by chance chose the prediction in {found.agreement.value:.1%} "
        f"({found.agreement.low:.1%} to {found.agreement.high:.1%}), at best "
        f"{found.best_agreement:.1%}; at least one person did in {found.any_vote:.1%}. "
        f"Cross-entropy to the votes {found.cross_entropy:.4f}, divergence {found.divergence:.4f}"
    )
    if found.people is not None:
        out.note(
            f"Two people agree in {found.people.pair_agreement.value:.1%} (Fleiss' kappa "
            f"{found.people.fleiss_kappa:.3f}), one person with most of the others in "
            f"{found.people.majority_agreement.value:.1%}"
        )
