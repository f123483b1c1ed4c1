"""`fermodel embed`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fercli.options import json_option, seed_option
from fercli.output import Output

if TYPE_CHECKING:
    from fer_models.embed import EmbedReport


@click.command()
@click.argument("run_dir", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.argument("shards_dir", metavar="[SHARDS]", required=False, type=click.Path(path_type=Path))
@click.option("--split", help="Split to embed.  [default: test, else validation, else train]")
@click.option(
    "--method",
    default="pca",
    show_default=True,
    help="Projections, with commas: pca, tsne, umap; or all.",
)
@click.option("--pixels", is_flag=True, help="Project the raw pixels too, to compare.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    help="Most samples, of each class the same share.  [default: all]",
)
@seed_option
@json_option
def embed(
    run_dir: Path | None,
    shards_dir: Path | None,
    split: str | None,
    method: str,
    pixels: bool,
    limit: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Show what the network of RUN (default: the newest of ./runs) sees alike in SHARDS.

    Writes the embeddings, figures and one page to look through into RUN/embeddings.

    \b
    Example:
      fermodel embed
      fermodel embed runs/cnn4-001 --method pca,umap --pixels
      fermodel embed --split train --method tsne --limit 5000
    """
    from fer_models.embed import EmbedSettings, embed_split
    from fer_models.projection import METHODS
    from fer_models.run import newest_run
    from fermodel.quiet import load_keras_for

    names = tuple(name.strip() for name in method.split(",") if name.strip())
    methods = tuple(METHODS) if names == ("all",) else names
    settings = EmbedSettings(split=split, methods=methods, pixels=pixels, limit=limit, seed=seed)
    run_dir = run_dir if run_dir is not None else newest_run()
    load_keras_for(run_dir)
    out = Output(as_json=as_json)
    with out.progress("Embedding", "samples") as progress:
        report = embed_split(run_dir, shards_dir, settings, progress, out.note)
    _show_report(out, report)


def _show_report(out: Output, report: EmbedReport) -> None:
    embedded = report.embedded
    out.note(
        f"{len(embedded.samples):,} {embedded.split} samples, "
        f"{embedded.embeddings.shape[1]:,} values each: the {report.source}"
    )
    if report.separations:
        measured = [found.metrics for found in report.separations.values()]
        first = next(iter(report.separations.values()))
        out.table(
            f"Named rightly by their {first.num_neighbours} nearest others",
            ("class", "samples", *report.separations),
            [
                (rows[0].class_name, rows[0].support, *(f"{row.recall:.3f}" for row in rows))
                for rows in zip(*(metrics.classes for metrics in measured), strict=True)
                if rows[0].support
            ],
            total=(
                "mean of the classes",
                first.metrics.num_samples,
                *(f"{metrics.balanced_accuracy:.3f}" for metrics in measured),
            ),
        )
        found = ", ".join(
            f"{space} {each.metrics.accuracy:.4f}" for space, each in report.separations.items()
        )
        out.note(
            f"Chance {first.metrics.chance_balanced_accuracy:.3f}. Accuracy: {found} "
            f"(chance {first.metrics.chance_accuracy:.3f})"
        )
    for note in report.notes:
        out.note(note)
    out.note(f"Wrote {report.table_path} and {len(report.written) - 1} files beside it")
    out.note(f"Next:  open {report.page_path}")
    out.result(report.to_json())
