"""`ferdata status`."""

from __future__ import annotations

from pathlib import Path

import click

from fer_data.dataset import Dataset
from fer_data.pipeline import STAGES
from fer_data.recipe import write_recipe
from fercli.options import dataset_option, json_option
from fercli.output import Output


@click.command()
@dataset_option
@click.option("--recipe", "as_recipe", is_flag=True, help="Print what was done as a recipe.")
@json_option
def status(dataset_dir: Path, as_recipe: bool, as_json: bool) -> None:
    """Show which stages have been done, with which settings, and what is stale.

    \b
    Example:
      ferdata status
      ferdata status --recipe > recipe.toml
    """
    if as_recipe and as_json:
        raise click.UsageError("--recipe prints TOML and --json JSON; give one of them")
    output = Output(as_json=as_json)
    dataset = Dataset.open(dataset_dir)
    if as_recipe:
        click.echo(write_recipe(dataset), nl=False)
        return
    rows = [_row(dataset, stage) for stage in STAGES]
    output.note(
        f"{dataset_dir}: {'x'.join(map(str, dataset.image_shape))} images, "
        f"classes {', '.join(dataset.class_names)}"
    )
    output.table("Stages", ["stage", "state", "counts", "settings"], rows)
    output.result(
        {
            "class_names": list(dataset.class_names),
            "image_shape": list(dataset.image_shape),
            "stages": {
                stage: {
                    "state": _state(dataset, stage),
                    "settings": dict(dataset.stage(stage).settings),
                    "counts": dict(dataset.stage(stage).counts),
                }
                for stage in dataset.info.stages
            },
        }
    )


def _state(dataset: Dataset, stage: str) -> str:
    if stage not in dataset.info.stages:
        return "not done"
    return "stale" if dataset.is_stale(stage) else "done"


def _row(dataset: Dataset, stage: str) -> list[str]:
    if stage not in dataset.info.stages:
        return [stage, "not done", "", ""]
    record = dataset.stage(stage)
    counts = (f"{n} {value:,}" for n, value in record.counts.items() if isinstance(value, int))
    plain = (str, int, float)
    settings = (f"{n} {value}" for n, value in record.settings.items() if isinstance(value, plain))
    return [stage, _state(dataset, stage), ", ".join(counts), ", ".join(settings)]
