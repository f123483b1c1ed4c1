"""Judging: a trained network, or several, on a split they did not learn from."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import json
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.files import write_file
from fer_data.shards.index import ShardIndex, read_index
from fer_data.shards.reader import Samples, read_split
from fer_models.corruptions import CORRUPTIONS, Damage, measure_damages
from fer_models.ensemble import Ensemble, JudgedMember
from fer_models.evaluation_notes import choose_split, say_people, say_twins, warn
from fer_models.files import write_json
from fer_models.groups import Grouping, find_values, group_samples, read_attributes
from fer_models.judgement import Judgement, find_twins, judge_predictions
from fer_models.learning_curves import CURVES, are_drawn, draw_learning
from fer_models.metrics import measure
from fer_models.predict import OnProgress
from fer_models.report.figures import (
    draw_calibration,
    draw_confusion,
    draw_damages,
    draw_groups,
    draw_ranking,
    to_png_and_svg,
)
from fer_models.report.gallery import choose_pictures
from fer_models.report.latex import classes_latex
from fer_models.report.page import ReportContent, page_template, render_report
from fer_models.run import read_history
from fer_models.views import describe_tta, mean_probabilities, name_judged

#: All figures that may be written; other files in the folder are left alone.
_FIGURES = ("calibration", "confusion", "corruptions", "curves", "groups", "ranking")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateReport:
    """How good a run is on a split, or the mean of several.

    Attributes:
        run_dir: its folder, or that of what was written of several runs.
        split: that was judged.
        tta: test-time augmentation that the probabilities came of.
        members: the runs, each with what it is worth by itself.
        judgement: how good it is.
        groupings: how good it is on groups of samples.
        damages: how good it is on pictures that got worse; empty where not asked for.
        notes: what a reader of the metrics should know, a sentence each.
        report_path: the HTML report.
        written: all files that were written.
    """

    run_dir: Path
    split: str
    tta: str
    members: tuple[JudgedMember, ...]
    judgement: Judgement
    groupings: tuple[Grouping, ...]
    damages: tuple[Damage, ...]
    notes: tuple[str, ...]
    report_path: Path
    written: tuple[Path, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "run_dir": str(self.run_dir),
            "split": self.split,
            "tta": self.tta,
            "members": [member.to_json() for member in self.members],
            "metrics": self.judgement.to_json(),
            "groups": [grouping.to_json() for grouping in self.groupings],
            "corruptions": [damage.to_json() for damage in self.damages],
            "notes": list(self.notes),
            "report_path": str(self.report_path),
            "written": [str(path) for path in self.written],
        }


def evaluate(
    run_dirs: Path | Sequence[Path],
    shards_dir: Path | None = None,
    split: str | None = None,
    on_progress: OnProgress | None = None,
    *,
    by: Sequence[str] = (),
    attributes: Path | None = None,
    corruptions: bool = False,
    latex: bool = False,
    tta: str = "none",
    out_dir: Path | None = None,
) -> EvaluateReport:
    """Judges runs on a split, and writes metrics, predictions, figures and the report.

    Of several runs it is the mean of their probabilities that is judged.

    Args:
        run_dirs: folder of a run, or several folders of runs or bundles.
        shards_dir: folder of shards; None for those the runs were trained on.
        split: None for test where there is one, else validation.
        on_progress: told how many samples are done.
        by: what the samples are grouped by, as `fer_models.groups.find_values` knows it.
        corruptions: judge on pictures that got worse too: about fifty times the predictions.
        latex: write the table of the classes as LaTeX too.
        attributes: table of more to group by, as `fer_models.groups.read_attributes` reads it.
        tta: test-time augmentation, one of `fer_models.views.NUM_VIEWS`. Metrics and predictions
            with one are kept beside those without.
        out_dir: folder for what is written, with an `ensemble.json` that names the runs; None for
            that of the one run, or the next of `runs/ensemble-001`, ….

    Raises:
        MissingRunError: there is no run at this place.
        MissingBundleError: the run has not finished an epoch.
        MissingShardsError: there are no shards.
        UnknownNameError: the shards have no such split, or there is nothing of a name to group by.
        SettingsError: `attributes` is no table of these samples, they are too small for `tta`, the
            runs were trained on different shards and none are named, or `out_dir` is in use.
        OtherSettingsError: the shards, or one of the runs, are of other classes or images.
    """
    ensemble = Ensemble.load((run_dirs,) if isinstance(run_dirs, Path) else run_dirs, tta)
    members = ensemble.members
    shards_dir = shards_dir if shards_dir is not None else ensemble.shards_dir
    index = read_index(shards_dir)
    split, split_note = choose_split(index, split, ensemble)
    members[0].bundle.check_shards(shards_dir, index)
    ensemble.check_out_dir(out_dir)
    notes = [split_note, *describe_tta(tta), *warn(index, shards_dir, members, split)]
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(read_split, shards_dir, index, split)
        for member in members:
            member.predictor.prepare()
        samples = reading.result()
    table = read_attributes(attributes, samples.keys) if attributes is not None else {}
    values = find_values(by, samples, table)
    tell = _tell_rounds(on_progress, len(samples), corruptions=corruptions)
    history = read_history(members[0].run_dir) if len(members) == 1 else ()
    has_curves = out_dir is None and are_drawn(members[0].run_dir)
    with ThreadPoolExecutor(1) as beside:  # the network leaves a part of the processors idle
        beside.submit(page_template)
        drawing = () if has_curves else history
        learning = beside.submit(draw_learning, drawing, members[0].bundle.epoch)
        each = ensemble.predict_each(samples.images, next(tell))
    probabilities = mean_probabilities(each)
    twins = find_twins(index, split, samples, ensemble.splits)
    judgement = judge_predictions(
        samples.labels, probabilities, index.class_names, twins, samples.votes
    )
    judged = tuple(
        JudgedMember(member=member, metrics=measure(samples.labels, found, index.class_names))
        for member, found in zip(members, each, strict=True)
    )
    notes += [*say_twins(judgement), *say_people(index)]
    groupings = tuple(
        group_samples(name, column, samples.labels, probabilities, index.class_names)
        for name, column in values.items()
    )
    damages: tuple[Damage, ...] = ()
    if corruptions:
        shown = (samples.images, samples.labels, index.class_names)
        damages = tuple(
            measure_damages(lambda images: ensemble.predict(images, next(tell)), *shown)
        )
    run_dir = ensemble.claim_out_dir(out_dir)
    content = ReportContent(
        run_dir=run_dir,
        title=ensemble.title,
        members=judged,
        index=index,
        shards_dir=shards_dir,
        split=split,
        tta=tta,
        judgement=judgement,
        groupings=groupings,
        damages=damages,
        history=history,
        gallery=choose_pictures(samples, probabilities, index.class_names, ensemble.attend),
        notes=tuple(notes),
    )
    files = {
        run_dir / _predictions_name(tta): _predictions_csv(samples, probabilities, index).encode(),
        run_dir / "report.html": render_report(content).encode(),
    }
    if latex:
        caption = f"{ensemble.title} on {index.name}, {name_judged(f'{split} split', tta)}"
        files[run_dir / "classes.tex"] = classes_latex(judgement.metrics, caption).encode()
    drawn = _draw_figures(judgement, damages, groupings) | learning.result()
    files |= {run_dir / name: data for name, data in drawn.items()}
    for path, data in files.items():
        write_file(path, data)
    _remove_stale(run_dir, {*files, *(run_dir / name for name in CURVES if has_curves)})
    people = index.human_accuracy
    found = judgement.to_json() | {
        "tta": tta,
        "members": [each.to_json() for each in judged] if len(judged) > 1 else [],
        "human_accuracy": None if people is None else dataclasses.asdict(people),
        "groups": [grouping.to_json() for grouping in groupings],
        "corruptions": [damage.to_json() for damage in damages],
    }
    metrics_path = _add_metrics(run_dir, name_judged(split, tta), found)
    return EvaluateReport(
        run_dir=run_dir,
        split=split,
        tta=tta,
        members=judged,
        judgement=judgement,
        groupings=groupings,
        damages=damages,
        notes=tuple(notes),
        report_path=run_dir / "report.html",
        written=(*files, metrics_path),
    )


def _draw_figures(
    judgement: Judgement, damages: Sequence[Damage], groupings: Sequence[Grouping]
) -> dict[Path, bytes]:
    """The figures as PNG and SVG, by their place in a run."""
    figures = {
        "confusion": draw_confusion(judgement.metrics),
        "calibration": draw_calibration(judgement.calibration),
    }
    if judgement.curves:
        figures["ranking"] = draw_ranking(judgement.curves)
    if damages:
        figures["corruptions"] = draw_damages(damages, judgement.metrics)
    if groupings:
        figures["groups"] = draw_groups(groupings, judgement.metrics.accuracy)
    return {
        Path("figures", f"{name}.{end}"): data
        for name, figure in figures.items()
        for end, data in zip(("png", "svg"), to_png_and_svg(figure), strict=True)
    }


def _tell_rounds(
    on_progress: OnProgress | None, num_samples: int, *, corruptions: bool
) -> Iterator[OnProgress | None]:
    """What is told of each round of predictions, as a part of all that will be asked for."""
    rounds = 1 + sum(len(each.strengths) for each in CORRUPTIONS) * corruptions

    def tell(number: int, done: int, _: int) -> None:
        if on_progress is not None:
            on_progress(number * num_samples + done, num_samples * rounds)

    for number in range(rounds):
        yield functools.partial(tell, number)


def _predictions_name(tta: str) -> str:
    return "predictions.csv" if tta == "none" else f"predictions-{tta}.csv"


def _predictions_csv(
    samples: Samples, probabilities: NDArray[np.float32], index: ShardIndex
) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="")
    writer.writerow(["key", "true", "predicted", *(f"p_{name}" for name in index.class_names)])
    numbers = ",%.6f" * len(index.class_names)  # all of a row in one go: they need no quotes
    labels, predicted = samples.labels.tolist(), probabilities.argmax(axis=1).tolist()
    columns = (samples.keys.tolist(), labels, predicted, probabilities.tolist())
    for key, label, guess, row in zip(*columns, strict=True):
        text.write("\n")
        writer.writerow([key, index.class_names[label], index.class_names[guess]])
        text.write(numbers % tuple(row))
    return text.getvalue() + "\n"


def _remove_stale(run_dir: Path, kept: Collection[Path]) -> None:
    """Takes away what an earlier call wrote and this one did not: it is of other figures."""
    owned = [run_dir / "figures" / f"{name}.{end}" for name in _FIGURES for end in ("png", "svg")]
    for path in (*owned, run_dir / "classes.tex"):
        if path not in kept:
            path.unlink(missing_ok=True)


def _add_metrics(run_dir: Path, name: str, found: dict[str, Any]) -> Path:
    """Puts the metrics of one split, and of one test-time augmentation, beside those of others."""
    path = run_dir / "metrics.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    write_json(path, (known if isinstance(known, dict) else {}) | {name: found})
    return path
