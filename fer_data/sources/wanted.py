"""What is wanted of a source: other labels, some classes, some files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fer_data.errors import SourceError
from fer_data.layouts import VotesLayout
from fer_data.manifest import Manifest, load_manifest, manifest_names
from fer_data.sources.csv_pixels import CsvPixelsSource
from fer_data.sources.files import FileSource
from fer_data.sources.labels import TableLabeler
from fer_data.sources.listing import readable_text
from fer_data.sources.raw import Facts, Rejection
from fer_data.sources.selection import (
    MappedLabeler,
    excluded,
    limit_classes,
    over_limit,
    read_class_map,
)
from fer_data.sources.settings import SourceSettings
from fer_data.sources.votes import join_votes, read_vote_rows

RawSource = FileSource | CsvPixelsSource


def select_wanted(source: RawSource, settings: SourceSettings) -> RawSource:
    """What is wanted of a source, labelled as is wanted."""
    if settings.votes is not None:
        source = _with_votes(source, settings.votes, settings)
    wishes = (settings.include, settings.exclude)
    unwanted = excluded(source.sample_paths(), *wishes) if any(wishes) else {}
    if unwanted:
        source = source.without(unwanted).remarked(f"{len(unwanted):,} files are excluded")
    if settings.class_map:
        source = _with_class_map(source, settings.class_map)
    if settings.max_per_class is not None:
        facts = limit_classes(source.known_facts(), settings.max_per_class)
        remark = f"at most {settings.max_per_class:,} samples of a class are read"
        source = source.labelled(TableLabeler(facts, "the source")).remarked(remark)
    if settings.limit is not None:
        beyond = over_limit(source.sample_paths(), settings.limit, source.labeler)
        source = source.without(beyond).remarked(f"the first {settings.limit:,} files are read")
    return source


def _with_votes(source: RawSource, votes_path: Path, settings: SourceSettings) -> RawSource:
    """The source with the votes of FER+, and its labels for those of FER2013 unless these stay."""
    manifest, layout = _votes_layout(source.manifest.name, settings.manifest)
    rows = {path: source.row(path) for path in source.sample_paths()}
    numbered = {path: row for path, row in rows.items() if row is not None}
    if not numbered:
        raise SourceError(
            f"{source.name}: votes are joined by the row of fer2013.csv, which these files do not "
            "say; expected fer2013.csv, or pictures called fer0000000.png after their row"
        )
    votes = read_vote_rows(votes_path, manifest, layout)
    origin = readable_text(votes_path.name)
    facts = join_votes(
        numbered, source.known_facts(), votes, origin, keep_labels=settings.keep_labels
    )
    joined = f"{manifest.title}: {len(votes):,} rows of votes joined by row"
    if settings.keep_labels:
        labelled = source.labelled(TableLabeler(facts, origin))
        return labelled.remarked(f"{joined}; labels stay those of {source.manifest.title}")
    found = Counter(
        each.reason if isinstance(each, Rejection) else "" for samples in facts.values()
        for each in samples
    )  # fmt: skip
    text = ", ".join(f"{count:,} {reason}" for reason, count in found.most_common() if reason)
    remark = f"{joined}; {found['']:,} pictures have a majority" + (f"; {text}" if text else "")
    return source.labelled(TableLabeler(facts, origin), manifest).remarked(remark)


def joined_manifest(named: str) -> Manifest | None:
    """The manifest of the pictures that the votes of the named manifest are for, if any."""
    layouts = [each for each in load_manifest(named).layouts if isinstance(each, VotesLayout)]
    return load_manifest(layouts[0].joins) if layouts else None


def _votes_layout(joins: str, named: str | None) -> tuple[Manifest, VotesLayout]:
    """The manifest that has votes for the pictures of `joins`; the named one before others."""
    names = [*manifest_names(), *([named] if named else [])]
    manifests = [load_manifest(name) for name in names]
    layouts = {
        layout.joins: (manifest, layout)
        for manifest in manifests
        for layout in manifest.layouts
        if isinstance(layout, VotesLayout)
    }
    if joins not in layouts:
        raise SourceError(
            f"votes are known for {', '.join(layouts)}, and this source is {joins}; "
            "leave --votes away, or name another source"
        )
    return layouts[joins]


def _with_class_map(source: RawSource, words: Mapping[str, str]) -> RawSource:
    names: set[str] = set(source.class_names)
    if not names:  # the files decide
        known = (each for samples in source.known_facts().values() for each in samples)
        names = {each.label for each in known if isinstance(each, Facts)}
    class_map = read_class_map(words, names)
    labeler = source.labeler
    if labeler is None:
        labeler = TableLabeler(source.known_facts(), "the source")
    source = source.labelled(MappedLabeler(labeler, class_map))
    source = replace(source, class_names=class_map.class_names(source.class_names))
    text = ", ".join(f"{name} to {target}" for name, target in class_map.names.items())
    return source.remarked(f"classes mapped: {text}") if text else source
