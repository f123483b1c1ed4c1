"""What a reader of a run's metrics should know, a sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.shards.index import ShardIndex
from fer_models.ensemble import Ensemble, Member
from fer_models.judgement import Judgement
from fer_models.run import fingerprint_index


def choose_split(index: ShardIndex, split: str | None, ensemble: Ensemble) -> tuple[str, str]:
    """The split that is judged on, and a note on it.

    Args:
        index: of the shards.
        split: that was asked for; None for test where there is one, else validation.
        ensemble: that is judged.

    Raises:
        UnknownNameError: the shards have no such split.
        SettingsError: they have none to judge on.
    """
    learned = " It was learned from: this says nothing of new faces."
    if split is not None:
        if split not in index.splits:
            raise UnknownNameError("split", split, index.splits)
        return (
            split,
            f"Judged on the {split} split, as asked.{learned * (split in ensemble.splits)}",
        )
    if "test" in index.splits:
        return "test", "Judged on the test split, which training never looked at."
    if "validation" in index.splits:
        note = "Judged on the validation split, because there is no test split."
        if "validation" in ensemble.splits:
            return "validation", note + learned
        chose = " It chose the best epoch, so the figures are a little too good."
        kinds = {member.bundle.kind for member in ensemble.members}
        return "validation", note + chose * ("keras" in kinds)
    raise SettingsError(
        "the shards hold neither a test nor a validation split; "
        "`--split train` judges what was learned by heart"
    )


def warn(index: ShardIndex, shards_dir: Path, members: Sequence[Member], split: str) -> list[str]:
    """What makes figures too good: samples that were learned from, or may have been."""
    notes = []
    here = fingerprint_index(shards_dir)
    strangers = [member for member in members if member.bundle.index_sha256 != here]
    if strangers:
        names = ", ".join(str(member.run_dir) for member in strangers)
        who = f"{names} learned from" if len(members) > 1 else "the run was trained on"
        notes.append(
            f"These are not the shards {who}: if samples of this split were trained on there, the "
            "figures are too good."
        )
    groups = index.leakage.get("groups", 0)
    if groups:
        leaked = index.leakage.get("samples", {}).get(split, 0)
        notes.append(
            f"Leakage: {groups:,} groups of identical images stand in several splits of this "
            f"data set, as it is published; {leaked:,} of their samples are in the {split} split."
        )
    return notes


def say_twins(judgement: Judgement) -> list[str]:
    """How good the predictions are without samples that stand in train; nothing without any."""
    others = judgement.without_twins
    if others is None:
        return []
    return [
        f"Without the {judgement.num_twins:,} samples whose very pixels stand in train: "
        f"macro-F1 {others.macro_f1:.4f}, accuracy {others.accuracy:.4f}."
    ]


def say_people(index: ShardIndex) -> list[str]:
    """How good people are, where that was published."""
    if index.human_accuracy is None:
        return []
    return [f"People's accuracy, as published: {index.human_accuracy}."]
