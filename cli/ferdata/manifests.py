"""`ferdata manifests`."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from fer_data.manifest import Manifest, load_manifest, manifest_names
from fercli.options import json_option
from fercli.output import Output
from ferdata.manifest_text import attribute_names, class_words, layout_words


@click.command()
@click.argument("name", required=False)
@json_option
def manifests(name: str | None, as_json: bool) -> None:
    """List the data sets that are known, or show one: NAME, or a TOML file of yours.

    \b
    Example:
      ferdata manifests fer2013
      ferdata manifests mine.toml
    """
    output = Output(as_json=as_json)
    if name is None:
        _list(output)
    else:
        _show(output, load_manifest(name))


def _list(output: Output) -> None:
    known = [load_manifest(each) for each in manifest_names()]
    rows = [
        [m.name, m.title, len(m.classes) or "any", sum(_totals(m).values()) or None, _mark(m)]
        for m in known
    ]
    output.table("Manifests", ["name", "title", "classes", "samples", "counts"], rows)
    output.result({manifest.name: _facts(manifest) for manifest in known})


def _show(output: Output, manifest: Manifest) -> None:
    for line in _lines(manifest):
        output.note(line)
    totals = _totals(manifest)
    if manifest.classes:
        rows = [
            [
                code,
                name,
                *(manifest.counts.get(split, {}).get(name) for split in totals),
                ", ".join(class_words(manifest, name)),
            ]
            for name, code in manifest.classes.items()
        ]
        output.table(
            f"Classes of {manifest.name}, in order",
            ["code", "class", *totals, "other words"],
            rows,
            total=["", "all", *totals.values(), ""] if totals else None,
        )
        output.note(f"Samples of the complete data set: {_counts_words(manifest)}.")
    output.result(_facts(manifest))


def _lines(manifest: Manifest) -> list[str]:
    """What is said before the table."""
    people = str(manifest.human_accuracy) if manifest.human_accuracy is not None else ""
    parts = {"Cite": manifest.citation, "See": manifest.url, "Terms": manifest.terms}
    parts["People are right in"] = people
    lines = [manifest.title, *(f"{name}: {text}" for name, text in parts.items() if text)]
    lines += ["", "Read from:", *(f"  - {layout_words(each)}" for each in manifest.layouts)]
    splits = "; ".join(f"{split} ({', '.join(w)})" for split, w in manifest.splits.items())
    lines.append(f"Splits: {splits or 'none'}")
    lines.append(f"Kept beside the label: {', '.join(_attributes(manifest)) or 'nothing'}")
    unused = ", ".join(f"{code} ({reason})" for code, reason in manifest.unused.items())
    if unused:
        lines.append(f"Codes that are no class, rejected with the reason: {unused}")
    if not manifest.classes:
        lines.append("Classes: any; emotions are known by many words, others are taken as they are")
    return lines


def _totals(manifest: Manifest) -> dict[str, int]:
    """Split ("all" where there are none) → samples of the complete data set."""
    summed = {split: sum(counts.values()) for split, counts in manifest.counts.items()}
    return {**summed, **manifest.totals}


def _mark(manifest: Manifest) -> str:
    if not _totals(manifest):
        return ""
    return "verified" if manifest.verified else "not verified"


def _counts_words(manifest: Manifest) -> str:
    return {
        "verified": "verified, from the files or a primary source",
        "not verified": "not verified, from a secondary source",
        "": "not known",
    }[_mark(manifest)]


def _attributes(manifest: Manifest) -> list[str]:
    names = (name for layout in manifest.layouts for name in attribute_names(layout))
    return list(dict.fromkeys(names))


def _facts(manifest: Manifest) -> dict[str, Any]:
    """All of it, for machines."""
    return {
        "name": manifest.name,
        "title": manifest.title,
        "citation": manifest.citation,
        "url": manifest.url,
        "terms": manifest.terms,
        "classes": dict(manifest.classes),
        "synonyms": {name: class_words(manifest, name) for name in manifest.classes},
        "unused": dict(manifest.unused),
        "splits": {split: list(words) for split, words in manifest.splits.items()},
        "layouts": [layout_words(layout) for layout in manifest.layouts],
        "attributes": _attributes(manifest),
        "counts": {split: dict(counts) for split, counts in manifest.counts.items()},
        "totals": _totals(manifest),
        "human_accuracy": None
        if manifest.human_accuracy is None
        else dataclasses.asdict(manifest.human_accuracy),
        "verified": manifest.verified if _totals(manifest) else None,
    }
