"""Whether shards hold a known data set as it was published: its classes and all its samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fer_data.emotions import order_class_names
from fer_data.manifest import Manifest
from fer_data.shards.checks import Problem
from fer_data.shards.index import INDEX_NAME, ShardIndex


def unmet_expectations(index: ShardIndex, manifest: Manifest) -> Iterator[Problem]:
    """What the shards lack of a data set, or have beside it; copies do not count.

    Args:
        index: of the shards.
        manifest: of the data set.
    """
    expected = order_class_names(manifest.classes)
    if expected and index.class_names != expected:
        yield Problem(
            file=INDEX_NAME,
            what=f"has the classes {', '.join(index.class_names)}; "
            f"{manifest.name} has {', '.join(expected)}",
        )
    found = {
        split: {name: count.before for name, count in counts.items()}
        for split, counts in index.counts.items()
    }
    whole: Counter[str] = Counter()
    for counts in found.values():
        whole.update(counts)
    for remark in manifest.count_remarks({"": whole, **found}):
        if ": complete" not in remark:
            yield Problem(file=INDEX_NAME, what=f"{manifest.name} {remark}")
