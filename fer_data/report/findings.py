"""What a data set suffers from, the worst first, and the command against each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fer_data.inspection import Inspection

_IMBALANCE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        number: of samples, the figure that is shown large.
        title: what it is.
        detail: what it does, in a sentence or two.
        command: what to run; empty where there is nothing to run.
        level: "bad" where results cannot be trusted with it, else "note".
    """

    number: int
    title: str
    detail: str
    command: str
    level: str = "bad"


def find_trouble(inspection: Inspection) -> list[Finding]:
    """The findings on a data set, the worst first."""
    return [
        *_leaks(inspection),
        *_conflicts(inspection),
        *_blank(inspection),
        *_redundant(inspection),
        *_near(inspection),
        *_imbalance(inspection),
    ]


def _leaks(inspection: Inspection) -> Iterator[Finding]:
    for leak in inspection.twins.leaks:
        one, other = (leak[side] or "no split" for side in ("one", "other"))
        hidden, number = (
            (one, leak["samples_one"]) if other == "train" else (other, leak["samples_other"])
        )
        public = other if hidden == one else one
        most = _worst_leak(inspection, hidden)
        where = f", among them {most}" if most else ""
        yield Finding(
            number=number,
            title=f"{hidden} samples stand in {public} too",
            detail=f"{leak['groups']:,} pictures are in both, pixel by pixel{where}. What has "
            f"learnt them by heart is right about them in {hidden}: accuracies come out too high.",
            command="ferdata filter --leaks drop-train",
        )
    for leak in inspection.twins.leaking_sources:
        yield Finding(
            number=leak["samples_one"] + leak["samples_other"],
            title=f"samples stand in {leak['one']} and in {leak['other']}",
            detail="The sources share pictures; keep them in one split, or one of each.",
            command="ferdata filter --duplicates keep-one",
            level="note",
        )


def _conflicts(inspection: Inspection) -> Iterator[Finding]:
    twins = inspection.twins
    if twins.conflicting:
        yield Finding(
            number=twins.conflicting,
            title="pictures carry several labels",
            detail=f"The same pixels are called two things: {twins.conflicting_within:,} times "
            f"within a split, {twins.conflicting_across:,} times in several splits. At most one of "
            "the labels is right.",
            command="ferdata filter --conflicts drop",
        )


def _blank(inspection: Inspection) -> Iterator[Finding]:
    if inspection.num_blank:
        names = ", ".join(inspection.blank_labels)
        kind = "black" if inspection.num_black == inspection.num_blank else "blank"
        yield Finding(
            number=inspection.num_blank,
            title=f"pictures are {kind} throughout",
            detail=f"There is nothing to see in them, and they are labelled {names}. Pictures that "
            "are nearly blank come with them.",
            command="ferdata filter --blank",
        )


def _redundant(inspection: Inspection) -> Iterator[Finding]:
    if inspection.num_redundant:
        yield Finding(
            number=inspection.num_redundant,
            title="samples repeat another one",
            detail=f"{inspection.num_samples:,} samples are {inspection.num_images:,} different "
            "pictures. Repeated ones weigh more than others, for no reason.",
            command="ferdata filter --duplicates keep-one",
            level="note",
        )


def _near(inspection: Inspection) -> Iterator[Finding]:
    beyond = inspection.near.samples - inspection.twins.samples
    if beyond > 0:
        leaks = sum(leak["samples_other"] for leak in inspection.near.leaks)
        known = sum(leak["samples_other"] for leak in inspection.twins.leaks)
        leaking = leaks > known
        across = f" {leaks - known:,} of them lie across splits." if leaking else ""
        against = "--leaks drop-train" if leaking else "--duplicates keep-one"
        yield Finding(
            number=beyond,
            title="more samples have a near twin",
            detail=f"The same photograph cut, scaled, lit or mirrored in another way.{across} "
            "Look at them before you decide.",
            command=f"ferdata filter --near {against} --dry-run",
            level="note",
        )


def _imbalance(inspection: Inspection) -> Iterator[Finding]:
    counts = next(iter(inspection.splits.values()), {})
    present = {name: count for name, count in counts.items() if count}
    if len(present) < 2:
        return
    least, most = min(present, key=present.__getitem__), max(present, key=present.__getitem__)
    if present[most] >= _IMBALANCE * present[least]:
        yield Finding(
            number=present[least],
            title=f"training samples of {least}",
            detail=f"{most} has {present[most]:,}, {present[most] / present[least]:.0f} times as "
            "many: a network that never says the rare class loses little.",
            command=f"ferdata balance --target {least}",
            level="note",
        )


def _worst_leak(inspection: Inspection, split: str) -> str:
    """The class of a split that has the largest share of leaks, in words."""
    counts = inspection.classes.get(split, {})
    leaking = inspection.leak_labels.get(split, {})
    if not leaking:
        return ""
    name = max(leaking, key=lambda label: leaking[label] / counts[label])
    share = leaking[name] / counts[name]
    return f"{leaking[name]:,} of the {counts[name]:,} {name} samples ({share:.0%})"
