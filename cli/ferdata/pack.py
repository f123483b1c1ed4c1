"""`ferdata pack`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fer_data.dataset import Dataset
from fer_data.pack import PackReport
from fer_data.pack_settings import ALL_COMPRESSIONS, FORMATS, PackSettings
from fer_data.pipeline import Runner
from fer_data.report.commands import as_typed
from fer_data.shards.pixels import DTYPES, LAYOUTS
from fercli.hold import hold
from fercli.options import (
    dataset_option,
    json_option,
    scheduler_option,
    seed_option,
    workers_option,
)
from fercli.output import Output
from ferdata.workers import choose_workers


@click.command()
@dataset_option
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default=FORMATS[0], show_default=True,
    help="How shards are written.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("shards"),
    show_default=True, help="Folder of the shards.",
)  # fmt: skip
@click.option(
    "--shard-mb", type=float, default=PackSettings().shard_mb, show_default=True,
    help="Most megabytes of pixels in a shard, before they are compressed.",
)  # fmt: skip
@click.option(
    "--shard-samples", type=click.IntRange(min=1), default=PackSettings().shard_samples,
    show_default=True, help="Most samples in a shard.",
)  # fmt: skip
@click.option(
    "--compression", type=click.Choice(ALL_COMPRESSIONS), default=PackSettings().compression,
    show_default=True,
    help="How small shards are; from zstd on, codecs of hdf5plugin for --format hdf5.",
)  # fmt: skip
@click.option(
    "--layout", type=click.Choice(LAYOUTS), default=PackSettings().layout, show_default=True,
    help="Shape of the images: (n, height, width, channels), or a row an image.",
)  # fmt: skip
@click.option(
    "--dtype", type=click.Choice(list(DTYPES)), default=PackSettings().dtype, show_default=True,
    help="Of the images: 0 to 255, or 0 to 1 in four times the bytes.",
)  # fmt: skip
@seed_option
@workers_option
@scheduler_option
@json_option
def pack(
    dataset_dir: Path,
    format_: str,
    out: Path,
    shard_mb: float,
    shard_samples: int,
    compression: str,
    layout: str,
    dtype: str,
    seed: int,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Write the split and balanced data set into shards, with an index of all that led to them.

    The same data set gives the same bytes. A killed run goes on where it was.

    \b
    Example:
      ferdata pack --format npz
      ferdata pack --out shards-small --shard-samples 512
      ferdata pack --out shards-rows --layout flat --dtype float32
    """
    output = Output(as_json=as_json)
    settings = PackSettings(
        format=format_,
        shard_mb=shard_mb,
        shard_samples=shard_samples,
        compression=compression,
        layout=layout,
        dtype=dtype,
        seed=seed,
    )
    hold(dataset_dir)
    dataset = Dataset.open(dataset_dir)
    chosen = choose_workers(workers, scheduler)
    with output.progress("Packing", "samples") as on_progress:
        runner = Runner(workers=chosen, say=output.note, on_progress=on_progress)
        _, report = runner.pack(dataset, out, settings)
    _show(output, report, dataset_dir)


def _show(output: Output, report: PackReport, dataset_dir: Path) -> None:
    index = report.index
    sizes: dict[str, list[int]] = {}
    for split in index.splits:
        counts = index.counts[split].values()
        shards = index.split_shards(split)
        sizes[split] = [
            sum(count.original for count in counts),
            sum(count.augmented for count in counts),
            sum(count.total for count in counts),
            len(shards),
            sum(shard.bytes for shard in shards),
        ]
    columns = ["split", "originals", "copies", "samples", "shards", "bytes"]
    rows = [[split, *numbers] for split, numbers in sizes.items()]
    sums = [sum(numbers) for numbers in zip(*sizes.values(), strict=True)]
    output.table(f"Shards in {report.shards_dir}", columns, rows, total=["all", *sums])
    if report.num_found:
        output.note(f"{report.num_found} shards were right already.")
    _warn_of_leakage(output, index.leakage, dataset_dir)
    output.note(f"Next: fermodel train {shlex.quote(str(report.shards_dir))}")
    output.result(
        {
            "shards": str(report.shards_dir),
            "samples": {split: index.num_samples(split) for split in index.splits},
            "bytes": report.num_bytes,
            "leakage": {name: n for name, n in index.leakage.items() if name != "twins"},
        }
    )


def _warn_of_leakage(output: Output, leakage: Mapping[str, Any], dataset_dir: Path) -> None:
    """Warns of what official splits keep in several splits."""
    for prefix, what, options in (
        ("", "pictures", "--leaks drop-train"),
        ("near_", "families of near pictures", "--near --leaks drop-train"),
    ):
        if leakage.get(f"{prefix}groups"):
            places = ", ".join(f"{n:,} in {s}" for s, n in leakage[f"{prefix}samples"].items())
            command = as_typed(f"ferdata filter {options}", dataset_dir)
            output.warn(
                f"{leakage[f'{prefix}groups']:,} {what} stand in several official splits "
                f"({places}); `{command}` takes them out of train"
            )
