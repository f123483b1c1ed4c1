"""`fermodel compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fercli.options import json_option, latex_option
from fercli.output import Output

if TYPE_CHECKING:
    from fer_models.comparison import Comparison
    from fer_models.intervals import Interval

_DEFAULT_OUT = Path("comparison")


def _read_weights(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Pairs of a network and its absolute file."""
    pairs = []
    for value in values:
        model, equals, file = value.rpartition("=")
        if not (model and equals and file):
            raise click.BadParameter(f"{value!r} is not of the form MODEL=FILE.")
        pairs.append((model, file if file == "none" else str(Path(file).resolve())))
    return tuple(pairs)


@click.command()
@click.argument("places", metavar="[SHARDS | RUN...]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--models", help="Networks and baselines, with commas; the first is compared with.")
@click.option(
    "--seeds", type=click.IntRange(min=1), help="Trainings of each network.  [default: 1]"
)
@click.option("--epochs", type=int, help="Of every network.  [default: each one's own]")
@click.option("--limit", type=int, help="Training samples of every baseline.  [default: all]")
@click.option(
    "--weights",
    metavar="MODEL=FILE",
    multiple=True,
    callback=_read_weights,
    help="What a transfer network starts from, as for train; may be repeated.",
)
@click.option(
    "--split", default="validation", show_default=True, help="Split to judge on; test: once."
)
@click.option(
    "--out",
    "out_dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=_DEFAULT_OUT,
    show_default=True,
    help="Folder of runs and results; what is finished there is taken up.",
)
@latex_option
@json_option
def compare(
    places: tuple[Path, ...],
    models: str | None,
    seeds: int | None,
    epochs: int | None,
    limit: int | None,
    weights: tuple[tuple[str, str], ...],
    split: str,
    out_dir: Path,
    latex: bool,
    as_json: bool,
) -> None:
    """Train --models on SHARDS (default: ./shards) and compare them; or compare finished RUNs.

    The same splits for all, 95% intervals, and the difference of each to the first. The same
    command goes on after a kill.

    \b
    Example:
      fermodel compare shards/ --models cnn4,logreg,mlp --seeds 3
      fermodel compare runs/cnn4-001 runs/svm-001
    """
    from fer_models.comparison import write_comparison

    out = Output(as_json=as_json)
    if models is None:
        if weights or (seeds, epochs, limit) != (None, None, None):
            raise click.UsageError(
                "--seeds, --epochs, --limit and --weights are of trainings: add --models"
            )
        comparison = _compare_runs(places, split)
    else:
        changes = {"epochs": epochs, "limit": limit}
        asked = {
            "models": tuple(name.strip() for name in models.split(",") if name.strip()),
            "num_seeds": seeds or 1,
            "split": split,
            "changes": tuple((name, value) for name, value in changes.items() if value is not None),
            "weights": weights,
        }
        comparison = _compare_models(places, asked, out_dir)
    _show(out, comparison, write_comparison(out_dir, comparison, latex=latex))


def _compare_runs(places: tuple[Path, ...], split: str) -> Comparison:
    from fermodel.quiet import load_keras_for

    if len(places) < 2:
        raise click.UsageError("name networks with --models, or two runs or more")
    for run_dir in places:
        load_keras_for(run_dir)
    from fer_models.compare import compare_runs

    return compare_runs(places, split, _say)


def _compare_models(places: tuple[Path, ...], asked: dict[str, Any], out_dir: Path) -> Comparison:
    from fer_models.compare import compare_models
    from fer_models.compare_settings import CompareSettings
    from fer_models.zoo import is_baseline
    from fermodel.progress import TrainProgress
    from fermodel.quiet import load_keras

    if len(places) > 1:
        raise click.UsageError("with --models, name one folder of shards")
    settings = CompareSettings(**asked)
    if any(not is_baseline(n) or n == "resnet50-svm" for n in settings.models):
        load_keras()
    shards_dir = places[0] if places else Path("shards")
    with TrainProgress() as progress:
        return compare_models(shards_dir, out_dir, settings, _say, progress)


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


def _show(out: Output, comparison: Comparison, written: tuple[Path, ...]) -> None:
    from fer_models.comparison import TITLES, show_mcnemar

    is_tested = any(row.mcnemar is not None for row in comparison.rows)
    rows = [
        (
            row.name,
            len(row.seeds),
            *(_cell(row.figures[metric]) for metric in TITLES),
            _cell(row.differences.get("macro_f1"), "+.3f"),
            *([show_mcnemar(row.mcnemar)] if is_tested else []),
            f"{row.seconds:,.0f}",
            f"{row.num_parameters:,}",
        )
        for row in comparison.rows
    ]
    figures = ("accuracy", "balanced", "macro-F1", "to the first")
    tests = ("McNemar",) if is_tested else ()
    head = ("model", "seeds", *figures, *tests, "s", "parameters")
    title = f"{comparison.dataset}, {comparison.split}: {comparison.num_samples:,} samples"
    out.table(title, head, rows)
    for note in comparison.notes:
        out.note(note)
    out.note("±: half of the 95% interval; ?: the interval of the difference holds 0.")
    out.note(f"Wrote {written[0]} and {len(written) - 1} files beside it")
    out.note(f"Next:  open {written[0]}")
    out.result(comparison.to_json())


def _cell(found: Interval | None, form: str = ".3f") -> str:
    """A figure and half its 95% interval; "?" where a difference may be chance."""
    if found is None:
        return ""
    half = f"{(found.high - found.low) / 2:.3f}".removeprefix("0")
    return f"{found.value:{form}} ±{half}" + "?" * ("+" in form and not found.excludes_zero)
