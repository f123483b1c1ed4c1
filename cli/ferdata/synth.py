"""`ferdata synth`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from fer_data.synth import SynthSettings, write_faces
from fercli.options import json_option, seed_option
from fercli.output import Output


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "-n", "--num-samples", type=click.IntRange(min=1), default=6000, show_default=True,
    help="Faces to draw.",
)  # fmt: skip
@click.option(
    "--size", "image_size", type=click.IntRange(min=16), default=48, show_default=True,
    help="Height and width in pixels.",
)  # fmt: skip
@click.option("--color", type=click.Choice(["gray", "rgb"]), default="gray", show_default=True)
@click.option(
    "--classes", "num_classes", type=click.IntRange(7, 8), default=7, show_default=True,
    help="7, or 8 with contempt.",
)  # fmt: skip
@click.option(
    "--dirt", type=click.FloatRange(0, 0.5), default=0.0, show_default=True,
    help="Share of bad files to add: blank, truncated, duplicate, leaking ...",
)  # fmt: skip
@click.option("--splits", is_flag=True, help="Write train and test folders.")
@click.option("--balanced", is_flag=True, help="As many faces of each class.")
@seed_option
@json_option
def synth(
    out: Path,
    num_samples: int,
    image_size: int,
    color: str,
    num_classes: int,
    dirt: float,
    splits: bool,
    balanced: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Draw cartoon faces into the folder OUT, a folder a class.

    Brows, eyes, nose, mouth and jaw move by facial action units, as unbalanced as FER2013. With
    --dirt some files are as bad as those of real sets; OUT/ledger.csv says which is which.

    \b
    Example:
      ferdata synth raw --num-samples 2000 --dirt 0.04
    """
    output = Output(as_json=as_json)
    settings = SynthSettings(
        num_samples=num_samples,
        seed=seed,
        image_size=image_size,
        channels=1 if color == "gray" else 3,
        num_classes=num_classes,
        dirt=dirt,
        splits=splits,
        balanced=balanced,
    )
    with output.progress("Drawing", "faces") as on_progress:
        report = write_faces(out, settings, on_progress=on_progress)
    classes, kinds = dict(report.class_counts), dict(report.kind_counts)
    faces = sum(classes.values())
    output.table("Faces drawn", ["class", "files"], list(classes.items()), total=["all", faces])
    files = ["all", report.num_files]
    output.table("Files by kind", ["kind", "files"], list(kinds.items()), total=files)
    following = f"ferdata ingest {shlex.quote(str(out))}"
    output.note(f"{report.ledger_path} says which is which. Next: {following}")
    output.result({"classes": classes, "kinds": kinds, "ledger": str(report.ledger_path)})
