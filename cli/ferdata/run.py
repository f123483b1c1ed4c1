"""`ferdata run`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from fer_data.ingest import inspect_source
from fer_data.pack import PackReport
from fer_data.pipeline import Runner
from fer_data.recipe import Recipe, read_recipe
from fercli.hold import hold
from fercli.options import dry_run_option, json_option, scheduler_option, workers_option
from fercli.output import Output
from ferdata.workers import choose_workers

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("recipe_path", metavar="RECIPE", type=click.Path(path_type=Path))
@click.argument("raw", type=click.Path(path_type=Path), nargs=-1)
@click.option("--dataset", "-d", "dataset_dir", type=_FOLDER, help="Instead of the recipe's.")
@click.option("--out", type=_FOLDER, help="Folder of the shards, instead of the recipe's.")
@workers_option
@scheduler_option
@dry_run_option
@json_option
def run(
    recipe_path: Path,
    raw: tuple[Path, ...],
    dataset_dir: Path | None,
    out: Path | None,
    workers: int | None,
    scheduler: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Do all stages with the settings of RECIPE, a TOML file; RAW are its sources, if elsewhere.

    The same recipe gives the same bytes. `ferdata status --recipe` writes that of a data set.

    \b
    Example:
      ferdata status --recipe > recipe.toml
      ferdata run recipe.toml
      ferdata run docs/recipes/fer2013-curated.toml FER2013.zip
    """
    output = Output(as_json=as_json)
    recipe = read_recipe(recipe_path, raw)
    recipe = dataclasses.replace(
        recipe,
        dataset_dir=dataset_dir if dataset_dir is not None else recipe.dataset_dir,
        shards_dir=out if out is not None else recipe.shards_dir,
    )
    plan = _show_plan(output, recipe)
    if dry_run:
        return output.result(plan)
    hold(recipe.dataset_dir, make=True)
    chosen = choose_workers(workers, scheduler)
    with output.progress("Running", "samples") as on_progress:
        runner = Runner(workers=chosen, say=output.note, on_progress=on_progress)
        _, report = runner.run(recipe)
    _show(output, recipe, report)


def _show_plan(output: Output, recipe: Recipe) -> dict[str, Any]:
    """Says what is to be done, and gives it back as JSON values."""
    sources = []
    for source in recipe.sources:
        record, _ = inspect_source(source.raw, source.settings)
        output.note(
            f'{source.raw}: {record.kind}, {record.num_files:,} files, manifest "{record.manifest}"'
        )
        facts = {"kind": record.kind, "files": record.num_files, "manifest": record.manifest}
        sources.append({"path": str(source.raw), **facts})
    asked = [
        name
        for name in ("quality", "filter", "split", "balance", "pack")
        if getattr(recipe, name) is not None
    ]
    stages = ["ingest", *asked]
    output.note(f"Into {recipe.dataset_dir}: {', '.join(stages)}.")
    return {"dataset": str(recipe.dataset_dir), "sources": sources, "stages": stages}


def _show(output: Output, recipe: Recipe, report: PackReport | None) -> None:
    samples = {}
    if report is not None:
        samples = {split: report.index.num_samples(split) for split in report.index.splits}
        sizes = ", ".join(f"{split} {number:,}" for split, number in samples.items())
        output.note(f"pack: {sizes} in {report.shards_dir}.")
    output.result(
        {
            "dataset": str(recipe.dataset_dir),
            "shards": str(recipe.shards_dir) if report is not None else None,
            "samples": samples,
        }
    )
