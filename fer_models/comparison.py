"""A comparison: its figures with their intervals, and its table in several forms."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.files import write_file
from fer_data.shards.index import ShardIndex
from fer_data.shards.reader import Samples
from fer_models.files import write_json, write_text
from fer_models.intervals import MEASURED, NUM_RESAMPLES, Interval, resample
from fer_models.mcnemar import McNemar, compare_right
from fer_models.metrics import guessed_macro_f1

TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one run said of the judged samples.

    Attributes:
        seed: of the run.
        probabilities: float32 array of shape (num_samples, num_classes).
        seconds: of its training.
        num_parameters: numbers that were learned.
    """

    seed: int
    probabilities: NDArray[np.float32]
    seconds: float
    num_parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One of the compared: a network with the runs of its seeds.

    Attributes:
        name: what it is called.
        runs: one a seed.
    """

    name: str
    runs: tuple[Judged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        name: of the network.
        seeds: it was trained with.
        figures: by metric, the mean over the seeds with its interval.
        differences: by metric, to the first line; empty in the first line.
        mcnemar: with the first line, where both are of one run; None else and in the first line.
        seconds: of one training, the mean over the seeds.
        num_parameters: numbers that were learned, the mean over the seeds.
    """

    name: str
    seeds: tuple[int, ...]
    figures: dict[str, Interval]
    differences: dict[str, Interval]
    mcnemar: McNemar | None
    seconds: float
    num_parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that came out.

    Attributes:
        dataset: name of the data set.
        split: that was judged.
        num_samples: of it.
        chance: by metric, what guessing comes to.
        rows: one an entry, in the order they were asked for.
        notes: what a reader should know, a sentence each.
    """

    dataset: str
    split: str
    num_samples: int
    chance: dict[str, float]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return dataclasses.asdict(self)


def make_comparison(
    entries: Sequence[Entry],
    samples: Samples,
    index: ShardIndex,
    split: str,
    notes: Sequence[str] = (),
) -> Comparison:
    """The table of what some runs said of the same samples.

    Args:
        entries: the compared.
        samples: that were judged.
        index: of their shards.
        split: that they are of.
        notes: what a reader should know beside the method.
    """
    num_classes = len(index.class_names)
    predicted = [[run.probabilities.argmax(axis=1) for run in entry.runs] for entry in entries]
    drawn = resample(samples.labels, predicted, num_classes)
    counts = np.bincount(samples.labels, minlength=num_classes)
    num_seeds = max(len(entry.runs) for entry in entries)
    over = " and of the seeds" if num_seeds > 1 else "; one seed says nothing of other seeds"
    method = (
        f"95% intervals: percentile bootstrap, {NUM_RESAMPLES:,} resamples of the "
        f"{len(samples):,} judged samples{over}. Differences to {entries[0].name} are taken within "
        "the same resamples (paired)."
    )
    if num_seeds == 1 and len(entries) > 1:
        notes = (
            f"McNemar's test, exact: samples that one network alone gets right, and how often such "
            f"a difference to {entries[0].name} comes of chance (p, two-sided"
            f"{_many(len(entries) - 1)}).",
            *notes,
        )
    return Comparison(
        dataset=index.name,
        split=split,
        num_samples=len(samples),
        chance={
            "accuracy": float(counts.max() / counts.sum()),
            "balanced_accuracy": 1 / int((counts > 0).sum()),
            "macro_f1": guessed_macro_f1(counts),
        },
        rows=tuple(
            Row(
                name=entry.name,
                seeds=tuple(run.seed for run in entry.runs),
                figures={metric: drawn.interval(metric, number) for metric in MEASURED},
                differences={m: drawn.difference(m, number) for m in MEASURED} if number else {},
                mcnemar=_mcnemar(samples.labels, predicted[number], predicted[0])
                if number
                else None,
                seconds=float(np.mean([run.seconds for run in entry.runs])),
                num_parameters=round(np.mean([run.num_parameters for run in entry.runs])),
            )
            for number, entry in enumerate(entries)
        ),
        notes=(method, *notes),
    )


def _mcnemar(
    labels: NDArray[np.int64],
    predicted: Sequence[NDArray[np.int64]],
    first: Sequence[NDArray[np.int64]],
) -> McNemar | None:
    """Of one run each: over several seeds there is no one answer to a sample."""
    if len(predicted) != 1 or len(first) != 1:
        return None
    return compare_right(predicted[0] == labels, first[0] == labels)


def _many(num_tests: int) -> str:
    if num_tests == 1:
        return ""
    return f"; of {num_tests} tests, call p below {0.05 / num_tests:.2g} sure (Bonferroni)"


def encode_judged(judged: Judged, about: dict[str, Any]) -> bytes:
    """The bytes of an NPZ with the probabilities and, as JSON text, what they are of."""
    said = about | {"seconds": judged.seconds, "num_parameters": judged.num_parameters}
    file = io.BytesIO()
    np.savez_compressed(file, probabilities=judged.probabilities, about=np.array(json.dumps(said)))
    return file.getvalue()


def comparison_csv(comparison: Comparison) -> str:
    """The table as CSV: figures, bounds and differences in columns of their own."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    parts = ("", "_low", "_high", "_difference", "_difference_low", "_difference_high")
    metrics = [f"{metric}{part}" for metric in MEASURED for part in parts]
    tests = ["only_this_right", "only_first_right", "mcnemar_p"]
    writer.writerow(["model", "seeds", *metrics, *tests, "seconds", "parameters"])
    for row in comparison.rows:
        cells: list[str] = []
        for metric in MEASURED:
            for found in (row.figures[metric], row.differences.get(metric)):
                values = ("", "", "") if found is None else (found.value, found.low, found.high)
                cells += [v if isinstance(v, str) else f"{v:.6f}" for v in values]
        test = row.mcnemar
        cells += (
            ["", "", ""]
            if test is None
            else [str(test.only_this), str(test.only_other), f"{test.p_value:.6g}"]
        )
        seeds = " ".join(map(str, row.seeds))
        writer.writerow([row.name, seeds, *cells, f"{row.seconds:.3f}", row.num_parameters])
    return text.getvalue()


def comparison_markdown(comparison: Comparison) -> str:
    """The table as Markdown, with its notes."""
    names = [TITLES[metric] for metric in MEASURED]
    first = comparison.rows[0].name
    head = ["model", "seeds", *names, f"macro-F1 to {first}", "McNemar", "seconds", "parameters"]
    lines = [
        f"{comparison.dataset}, {comparison.split}: {comparison.num_samples:,} samples",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for row in comparison.rows:
        cells = [
            row.name,
            str(len(row.seeds)),
            *(show_interval(row.figures[metric]) for metric in MEASURED),
            show_difference(row.differences.get("macro_f1")),
            show_mcnemar(row.mcnemar),
            f"{row.seconds:,.0f}",
            f"{row.num_parameters:,}",
        ]
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join([*lines, "", *comparison.notes]) + "\n"


def show_interval(found: Interval) -> str:
    """A figure with its bounds.

    Example:
        >>> show_interval(Interval(value=0.5, low=0.48, high=0.523))
        '0.500 (0.480 to 0.523)'
    """
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def show_difference(found: Interval | None) -> str:
    """A difference with its bounds and, where they hold 0, that it may be chance."""
    if found is None:
        return ""
    text = f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
    return text if found.excludes_zero else f"{text}, may be chance"


def show_mcnemar(found: McNemar | None) -> str:
    """The samples that one alone gets right, and how likely that is by chance.

    Example:
        >>> show_mcnemar(McNemar(only_this=120, only_other=80, p_value=0.0056))
        '120 : 80, p 0.0056'
    """
    if found is None:
        return ""
    p_value = "< 0.0001" if found.p_value < 1e-4 else f"{found.p_value:.2g}"
    return f"{found.only_this:,} : {found.only_other:,}, p {p_value}"


def write_comparison(
    out_dir: Path, comparison: Comparison, *, latex: bool = False
) -> tuple[Path, ...]:
    """Writes the table as JSON, CSV and Markdown, the figure and the page; returns their paths.

    Args:
        out_dir: where to.
        comparison: that is written.
        latex: write the table as LaTeX too.
    """
    from fer_models.report.comparison import draw_comparison, render_comparison

    figure = draw_comparison(comparison)
    write_json(out_dir / "comparison.json", comparison.to_json())
    write_text(out_dir / "comparison.csv", comparison_csv(comparison))
    write_text(out_dir / "comparison.md", comparison_markdown(comparison))
    write_file(out_dir / "comparison.png", figure)
    write_text(out_dir / "comparison.html", render_comparison(comparison))
    ends = ["html", "png", "md", "csv", "json"]
    if latex:
        from fer_models.report.latex import comparison_latex

        write_text(out_dir / "comparison.tex", comparison_latex(comparison))
        ends.append("tex")
    return tuple(out_dir / f"comparison.{end}" for end in ends)
