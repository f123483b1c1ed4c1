"""The HTML report: one page that needs nothing from outside."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined, Template

from fer_data.shards.index import HumanAccuracy, ShardIndex
from fer_data.version import ferkit_version
from fer_models.baselines.options import taken_fields
from fer_models.bundle import Bundle
from fer_models.corruptions import Damage
from fer_models.ensemble import JudgedMember, Member
from fer_models.groups import Grouping
from fer_models.intervals import Interval
from fer_models.judgement import Judgement
from fer_models.metrics import Metrics, guessed_macro_f1
from fer_models.report.charts import (
    calibration_chart,
    damage_charts,
    learning_charts,
    ranking_charts,
)
from fer_models.report.gallery import Gallery
from fer_models.run import SETTINGS_NAME, HistoryRow, RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """All that a report tells of.

    Attributes:
        run_dir: folder that the report is written to.
        title: of what was judged.
        members: the runs, each with what it is worth by itself.
        index: of the shards that were judged on.
        shards_dir: their folder.
        split: that was judged.
        tta: test-time augmentation that the probabilities came of.
        judgement: how good it is.
        groupings: how good it is on groups of samples.
        damages: how good it is on pictures that got worse.
        history: the epochs.
        gallery: pictures of the split.
        notes: what a reader should know, a sentence each.
    """

    run_dir: Path
    title: str
    members: tuple[JudgedMember, ...]
    index: ShardIndex
    shards_dir: Path
    split: str
    tta: str
    judgement: Judgement
    groupings: tuple[Grouping, ...]
    damages: tuple[Damage, ...]
    history: tuple[HistoryRow, ...]
    gallery: Gallery
    notes: tuple[str, ...]

    @property
    def bundle(self) -> Bundle:
        """The trained network, the first of several."""
        return self.members[0].member.bundle

    @property
    def record(self) -> RunRecord | None:
        """What its run was asked for; None of a bundle alone."""
        return self.members[0].member.record


@functools.cache
def page_template() -> Template:
    """The page before anything is filled in; made once, which takes longer than filling it in."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"percent": _percent, "value": describe_value}
    text = resources.files("fer_models.report").joinpath("report.html.jinja").read_text("utf-8")
    return environment.from_string(text)


def render_report(content: ReportContent) -> str:
    """The page, as UTF-8 HTML; every name and key in it is escaped."""
    names = content.index.class_names
    judgement = content.judgement
    metrics = judgement.metrics
    return page_template().render(
        content=content,
        model=content.title,
        metrics=metrics,
        judgement=judgement,
        cards=_cards(metrics, judgement.intervals, content.index.human_accuracy),
        rates=_rates(metrics),
        charts=learning_charts(content.history, content.bundle.epoch),
        ranking=ranking_charts(judgement.curves, names),
        people=_people(judgement),
        reliability=calibration_chart(judgement.calibration),
        damages=damage_charts(content.damages, metrics),
        gallery=content.gallery,
        balance=_balance(content.index),
        splits=[(split, content.index.num_samples(split)) for split in content.index.splits],
        settings=_settings(content),
        commands=_commands(content),
        version=ferkit_version(),
    )


def _cards(
    metrics: Metrics, intervals: Mapping[str, Interval], people: HumanAccuracy | None
) -> list[dict[str, Any]]:
    counts = np.array([each.support for each in metrics.classes])
    chance = {
        "macro_f1": guessed_macro_f1(counts),
        "balanced_accuracy": metrics.chance_balanced_accuracy,
        "accuracy": metrics.chance_accuracy,
    }
    titles = {"macro_f1": "macro-F1", "balanced_accuracy": "balanced accuracy"}
    return [
        {
            "name": titles.get(name, name),
            "value": getattr(metrics, name),
            "interval": intervals[name],
            "chance": chance[name],
            "people": people if name == "accuracy" else None,
        }
        for name in chance
    ] + [
        {
            "name": "log-loss",
            "value": metrics.log_loss,
            "interval": None,
            "people": None,
            "chance": float(np.log(len(metrics.classes))),
        },
    ]


def _people(judgement: Judgement) -> list[tuple[str, Interval]]:
    """Who agrees with whom: nothing where there are no votes."""
    found = judgement.agreement
    if found is None:
        return []
    rows = [("the network, with one person", found.agreement)]
    if found.people is not None:
        rows.append(("one person, with another one", found.people.pair_agreement))
        rows.append(("one person, with most of the others", found.people.majority_agreement))
    return rows


def _rates(metrics: Metrics) -> list[list[tuple[float, int]]]:
    """For each cell of the confusion matrix its share of the row, and its count."""
    return [[(count / max(1, sum(row)), count) for count in row] for row in metrics.confusion]


def _balance(index: ShardIndex) -> list[dict[str, Any]]:
    """Training samples of each class, before and after balancing, with their class weights."""
    counts = index.counts.get("train", {})
    most = max((count.total for count in counts.values()), default=0) or 1
    return [
        {
            "class_name": name,
            "original": count.original,
            "augmented": count.augmented,
            "left_out": count.left_out,
            "total": count.total,
            "original_share": count.original / most,
            "augmented_share": count.augmented / most,
            "weight": index.class_weights["original"].get(name, 0.0),
            "balanced_weight": index.class_weights["balanced"].get(name, 0.0),
        }
        for name, count in counts.items()
    ]


def _settings(content: ReportContent) -> list[tuple[str, str]]:
    if len(content.members) > 1:
        return [_describe_member(judged.member) for judged in content.members]
    record, bundle = content.record, content.bundle
    return [
        *([] if record is None else _asked(record, bundle.kind)),
        ("best epoch", str(bundle.epoch)),
        ("images", f"{'x'.join(map(str, bundle.image_shape))}, {bundle.color}"),
        *([] if record is None else [("shards", str(record.shards_dir))]),
        ("fingerprint of their index", bundle.index_sha256[:16]),
        ("trained with", f"ferkit {bundle.ferkit_version}, {_library(bundle)}"),
    ]


def _asked(record: RunRecord, kind: str) -> list[tuple[str, str]]:
    """What a run was asked for."""
    asked = record.settings.to_json()
    if kind == "sklearn":
        asked = {name: asked[name] for name in taken_fields(record.settings.model)}
    asked |= {"class_weights": record.class_weights, "precision": record.precision}
    return [(name.replace("_", " "), describe_value(value)) for name, value in asked.items()]


def _describe_member(member: Member) -> tuple[str, str]:
    bundle = member.bundle
    return str(member.run_dir), (
        f"{member.title}, epoch {bundle.epoch}, fingerprint "
        f"{bundle.model_sha256[:16]}, {_library(bundle)}"
    )


def _commands(content: ReportContent) -> list[str]:
    members = [judged.member for judged in content.members]
    evaluate = ["fermodel evaluate", *(str(member.run_dir) for member in members)]
    evaluate += [str(content.shards_dir), "--split", content.split]
    if content.tta != "none":
        evaluate += ["--tta", content.tta]
    if content.run_dir != members[0].run_dir:
        evaluate += ["--out", str(content.run_dir)]
    train = [f"fermodel train --config {members[0].run_dir / SETTINGS_NAME}"]
    is_run = len(members) == 1 and members[0].record is not None
    return [*(train if is_run else ()), " ".join(evaluate)]


def _library(bundle: Bundle) -> str:
    if bundle.kind == "sklearn":
        return f"scikit-learn {bundle.sklearn_version}"
    return f"Keras {bundle.keras_version}"


def _percent(value: float) -> str:
    return f"{value:.0%}"


def describe_value(value: Any) -> str:
    """A setting or a count in words.

    Example:
        >>> describe_value({"size": 48, "augment": False, "names": ["a", "b"]})
        'size 48, augment no, names a, b'
    """
    if isinstance(value, Mapping):
        parts = [f"{name} {describe_value(part)}" for name, part in value.items()]
        return ", ".join(parts) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(describe_value, value)) or "none"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
