"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path

import click

dataset_option = click.option(
    "--dataset",
    "-d",
    "dataset_dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="FERDATA_DATASET",
    default=Path("dataset"),
    show_default=True,
    help="Folder of the prepared data set; also $FERDATA_DATASET.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as one JSON object."
)
latex_option = click.option(
    "--latex", is_flag=True, help="Write the table as LaTeX too, with the rules of booktabs."
)
tta_option = click.option(
    "--tta",
    type=click.Choice(("none", "flip", "ten-crop")),
    default="none",
    show_default=True,
    metavar="VIEWS",
    help="Average over views of an image: flip, ten-crop; none.",
)
detector_weights_option = click.option(
    "--detector-weights", type=click.Path(path_type=Path), help="YuNet's ONNX file."
)
download_detector_option = click.option(
    "--download-detector", is_flag=True, help="Fetch YuNet into your cache first."
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Show what would be done, and write nothing."
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of all chance."
)
scheduler_option = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Work on the cluster of this Dask scheduler, as in tcp://host:8786.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=None,
    help="Processes that work at once.  [default: one a core]",
)
