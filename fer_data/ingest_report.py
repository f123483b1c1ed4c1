"""What ingest read: counts that add up, and when they say that something is wrong."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fer_data.dataset import Dataset, SourceRecord
from fer_data.emotions import order_class_names
from fer_data.errors import EmptySourceError, TooManyRejectionsError
from fer_data.manifest import SPLITS
from fer_data.sources.raw import HARMLESS_REASONS

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What ingest read, over all sources of the data set.

    Attributes:
        num_files: files, rows or faces that the sources list.
        num_further: faces found beyond one a picture; samples + rejections = files + these.
        num_samples: those that became samples.
        reasons: reason → rejections.
        classes: split ("" where a source has none) → class name → samples.
        sources: one record a source.
        num_blocks_done_before: blocks that an earlier run had finished.

    """

    num_files: int
    num_further: int
    num_samples: int
    reasons: Mapping[str, int]
    classes: Mapping[str, Mapping[str, int]]
    sources: Sequence[SourceRecord]
    num_blocks_done_before: int = 0

    @property
    def num_rejected(self) -> int:
        """Files that became no sample."""
        return sum(self.reasons.values())

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the data set, in order."""
        return tuple(next(iter(self.classes.values()), {}))

    def to_json(self) -> dict[str, Any]:
        """The counts, for the data set's lineage and for machines."""
        return {
            "files": self.num_files,
            "further_faces": self.num_further,
            "samples": self.num_samples,
            "rejected": self.num_rejected,
            "reasons": dict(self.reasons),
            "classes": {split: dict(counts) for split, counts in self.classes.items()},
        }


def count_blocks(
    dataset: Dataset, blocks: Sequence[Mapping[str, Any]], num_done_before: int
) -> IngestReport:
    """The report over all blocks, from what was noted of each.

    Args:
        dataset: whose sources they are of.
        blocks: as `fer_data.ingest_block.read_metadata` gives them, in order.
        num_done_before: blocks that an earlier run had finished.
    """
    reasons: Counter[str] = Counter()
    classes: dict[str, Counter[str]] = {}
    for block in blocks:
        reasons.update(block["reasons"])
        for split, counts in block["classes"].items():
            classes.setdefault(split, Counter()).update(counts)
    declared = (name for record in dataset.info.sources for name in record.class_names)
    ordered = order_class_names([*declared, *(n for c in classes.values() for n in c)])
    return IngestReport(
        num_files=sum(record.num_files for record in dataset.info.sources),
        num_further=sum(block["num_further"] for block in blocks),
        num_samples=sum(block["num_samples"] for block in blocks),
        reasons=dict(reasons.most_common()),
        classes={
            split: {name: classes[split][name] for name in ordered}
            for split in ("", *SPLITS)
            if split in classes
        },
        sources=dataset.info.sources,
        num_blocks_done_before=num_done_before,
    )


def log_rejections(dataset: Dataset, source: SourceRecord) -> None:
    """Names every rejected file of one source, for those who want to see them."""
    if _log.isEnabledFor(logging.INFO):
        for row in dataset.rejected(source).to_pylist():
            _log.info("rejected %s: %s, %s", row["path"], row["reason"], row["detail"])


def check_rejections(
    dataset: Dataset, source: SourceRecord, blocks: Sequence[Mapping[str, Any]]
) -> None:
    """Makes sure that few enough files of a source were rejected, and that any was not.

    Args:
        dataset: whose source it is.
        source: with the share that may be rejected, of the files that were meant as samples.
        blocks: what was noted of each of its blocks.

    Raises:
        EmptySourceError: there is no sample.
        TooManyRejectionsError: more files were rejected.
    """
    reasons: Counter[str] = Counter()
    for block in blocks:
        reasons.update(block["reasons"])
    bad = Counter({name: n for name, n in reasons.items() if name not in HARMLESS_REASONS})
    num_bad = bad.total()
    num_meant = source.num_files - (reasons.total() - num_bad)
    is_empty = not any(block["num_samples"] for block in blocks)
    if not is_empty and num_bad <= source.max_rejected * num_meant:
        return
    told = bad or reasons
    words = ", ".join(f"{count:,} {reason}" for reason, count in told.most_common())
    table = dataset.rejected(source)
    first = table.filter(pc.is_in(table["reason"], value_set=pa.array(list(told)))).slice(0, 1)
    example = "".join(f"; the first is {r['path']} ({r['detail']})" for r in first.to_pylist())
    listed = f"{words}{example}. All are listed in {dataset.dir / 'rejected'}"
    if is_empty:
        raise EmptySourceError(
            f'source "{source.name}": no sample in {source.num_files:,} files: {listed}. '
            "Name another RAW, or what it is (--manifest, --labels), or ask for more of it "
            "(--map, --include)"
        )
    raise TooManyRejectionsError(
        f'source "{source.name}": {num_bad:,} of {num_meant:,} files ({num_bad / num_meant:.1%}) '
        f"were rejected, more than {source.max_rejected * 100:g}%: {listed}. Mend the files, or "
        "allow more with --max-rejected: what was read is kept; to begin anew remove "
        f"{dataset.dir}"
    )
