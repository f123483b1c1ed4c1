"""What a source is understood to be, for tests of sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fer_data.ingest import IngestSettings, ingest
from fer_data.ingest_report import IngestReport
from fer_data.sources.opening import SourceSettings, open_source
from fer_data.sources.raw import Facts, Rejection, Source
from tests.conftest import face_pixels
from tests.miniatures import save


@contextmanager
def opened(raw: Path, settings: SourceSettings | None = None) -> Iterator[Source]:
    """The source, opened as ingest does it."""
    with open_source(raw, settings if settings is not None else SourceSettings()) as source:
        yield source


def known(
    raw: Path, settings: SourceSettings | None = None
) -> dict[str, tuple[Facts | Rejection, ...]]:
    """Path → what is known of each file, and the rejections of the listing."""
    with opened(raw, settings) as source:
        facts = dict(source.known_facts())  # type: ignore[attr-defined]
        for entry in getattr(source, "entries", ()):
            if entry.rejection is not None:
                facts[entry.path] = (entry.rejection,)
        return facts


def labels(raw: Path, settings: SourceSettings | None = None) -> dict[str, str]:
    """Path → label or reason of the first sample."""
    return {
        path: first.label if isinstance(first, Facts) else first.reason
        for path, (first, *_) in known(raw, settings).items()
    }


def read(raw: Path, out: Path, source: SourceSettings | None = None) -> IngestReport:
    """What ingest says of the source, however much of it is rejected."""
    source = source if source is not None else SourceSettings()
    return ingest(raw, out, IngestSettings(source=source, max_rejected=1.0), workers=1)[1]


def write_csv_set(root: Path, table: bytes, names: Mapping[str, int]) -> Path:
    """Pictures and one labels.csv with these bytes."""
    for name, seed in names.items():
        save(root / name, face_pixels(seed))
    (root / "labels.csv").write_bytes(table)
    return root
