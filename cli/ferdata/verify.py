"""`ferdata verify`."""

from __future__ import annotations

from pathlib import Path

import click

from fer_data.expectation import unmet_expectations
from fer_data.manifest import load_manifest
from fer_data.shards.verify import verify_shards
from fercli.options import json_option
from fercli.output import Output


@click.command()
@click.argument("shards", type=click.Path(path_type=Path), default=Path("shards"))
@click.option("--expect", help="Data set they shall hold, whole: a name or a manifest file.")
@json_option
def verify(shards: Path, expect: str | None, as_json: bool) -> None:
    """Check SHARDS, byte by byte and sample by sample, against their index; by default ./shards.

    \b
    Example:
      ferdata verify shards/
      ferdata verify shards/ --expect fer2013
    """
    output = Output(as_json=as_json)
    manifest = None if expect is None else load_manifest(expect)
    with output.progress("Verifying", "samples") as on_progress:
        report = verify_shards(shards, on_progress=on_progress)
    problems = list(report.problems)
    if manifest is not None:
        problems += unmet_expectations(report.index, manifest)
    if problems:
        rows = [[problem.file, problem.what] for problem in problems]
        output.table(f"Problems in {shards}", ["file", "problem"], rows)
    output.note(
        f"{len(report.index.shards)} shards, {report.num_samples:,} samples, "
        f"{report.num_bytes:,} bytes: {len(problems) or 'no'} problems."
    )
    output.result(
        {
            "shards": len(report.index.shards),
            "samples": report.num_samples,
            "bytes": report.num_bytes,
            "problems": [{"file": p.file, "problem": p.what} for p in problems],
        }
    )
    raise SystemExit(1 if problems else 0)
