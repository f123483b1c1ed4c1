"""`ferdata manifests`."""

from __future__ import annotations

import click

from fer_data.manifest import load_manifest, manifest_names
from fercli.options import json_option
from fercli.output import Output


@click.command()
@click.argument("name", required=False)
@json_option
def manifests(name: str | None, as_json: bool) -> None:
    """List the data sets that are known, or show one.

    \b
    Example:
      ferdata manifests fer2013
    """
    output = Output(as_json=as_json)
    if name is None:
        known = [load_manifest(each) for each in manifest_names()]
        rows = [[m.name, m.title, len(m.classes) or "any"] for m in known]
        output.table("Manifests", ["name", "title", "classes"], rows)
        output.result({m.name: m.title for m in known})
        return
    manifest = load_manifest(name)
    output.note(f"{manifest.title}\n{manifest.citation}\n{manifest.url}\n{manifest.terms}".strip())
    rows = [
        [code, each, *(counts.get(each, 0) for counts in manifest.counts.values())]
        for each, code in manifest.classes.items()
    ]
    output.table(manifest.name, ["code", "class", *manifest.counts], rows)
    output.result(
        {
            "name": manifest.name,
            "title": manifest.title,
            "classes": dict(manifest.classes),
            "counts": {split: dict(counts) for split, counts in manifest.counts.items()},
        }
    )
