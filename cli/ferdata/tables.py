"""Tables that several commands show."""

from __future__ import annotations

from collections.abc import Mapping

from fercli.output import Output


def show_classes(output: Output, title: str, classes: Mapping[str, Mapping[str, int]]) -> None:
    """Shows samples by class and split, with sums.

    Args:
        output: where.
        title: of the table.
        classes: split → class name → samples; "" for samples without a split.
    """
    splits = list(classes)
    names = list(next(iter(classes.values()), {}))
    rows = [
        [name, *(classes[split][name] for split in splits), sum(c[name] for c in classes.values())]
        for name in names
    ]
    sums = [sum(counts.values()) for counts in classes.values()]
    output.table(
        title,
        ["class", *(split or "no split" for split in splits), "all"],
        rows,
        total=["all", *sums, sum(sums)],
    )
