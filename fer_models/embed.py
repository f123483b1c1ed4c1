"""Embedding: what a trained network sees alike in the samples of a split, to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.files import write_file
from fer_data.shards.index import ShardIndex, read_index
from fer_data.shards.reader import read_split
from fer_data.version import ferkit_version
from fer_models.baselines.fit import draw_samples
from fer_models.bundle import Bundle
from fer_models.embedder import Embedder
from fer_models.embedding_table import NETWORK, PIXELS, Embedded, Projection, encode_table
from fer_models.neighbours import Separation, measure_separation
from fer_models.predict import OnProgress
from fer_models.projection import METHODS, check_methods, project
from fer_models.report.embedding import render_embedding
from fer_models.report.figures import to_png_and_svg
from fer_models.report.scatter import draw_projections
from fer_models.run import fingerprint_index, read_record
from fer_models.zoo import model_title

EMBEDDINGS_DIR = "embeddings"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedSettings:
    """What to embed, and how to draw it.

    Attributes:
        split: None for test where there is one, else validation, else train.
        methods: of projection, names of `fer_models.projection.METHODS`.
        pixels: whether the pixels are projected beside the network.
        limit: most samples, drawn class by class; None for all.
        seed: of all chance.

    Raises:
        UnknownNameError: there is no method of a name.
        MissingLibraryError: a library that a method needs is not installed.
        SettingsError: the limit is below 1, or a method is named twice.
    """

    split: str | None = None
    methods: tuple[str, ...] = ("pca",)
    pixels: bool = False
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the values."""
        check_methods(self.methods)
        if self.limit is not None and self.limit < 1:
            raise SettingsError(f"limit must be 1 or more; received {self.limit}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedReport:
    """What came of embedding a split.

    Attributes:
        run_dir: folder of the run.
        embedded: the samples, their embeddings and projections.
        source: what the embedding is, in words.
        separations: how far classes lie apart, by `"network"` and, where asked for, `"pixels"`;
            empty where there is a single sample.
        notes: what a reader should know, a sentence each.
        table_path: the Parquet table.
        page_path: the HTML page.
        written: all files that were written.
    """

    run_dir: Path
    embedded: Embedded
    source: str
    separations: Mapping[str, Separation]
    notes: tuple[str, ...]
    table_path: Path
    page_path: Path
    written: tuple[Path, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values, without the embeddings themselves."""
        return {
            "run_dir": str(self.run_dir),
            "split": self.embedded.split,
            "num_samples": len(self.embedded.samples),
            "num_values": self.embedded.embeddings.shape[1],
            "source": self.source,
            "projections": [projection.name for projection in self.embedded.projections],
            "neighbours": {name: found.to_json() for name, found in self.separations.items()},
            "notes": list(self.notes),
            "table_path": str(self.table_path),
            "page_path": str(self.page_path),
            "written": [str(path) for path in self.written],
        }


def embed_split(
    run_dir: Path,
    shards_dir: Path | None = None,
    settings: EmbedSettings | None = None,
    on_progress: OnProgress | None = None,
    say: Callable[[str], None] | None = None,
) -> EmbedReport:
    """Embeds a split with the network of a run; writes a table, figures and a page into the run.

    Args:
        run_dir: folder of the run.
        shards_dir: folder of shards; None for those the run was trained on.
        settings: what to embed; None for the usual.
        on_progress: told how many samples are embedded.
        say: told what is worked on after that, a line each.

    Raises:
        MissingRunError: there is no run at this place.
        MissingBundleError: the run has not finished an epoch.
        MissingShardsError: there are no shards.
        UnknownNameError: the shards have no such split.
        OtherSettingsError: the shards are not of the kind the network was trained for.
        SettingsError: there are too few samples for a method, or the network has no last layer.
    """
    settings = settings if settings is not None else EmbedSettings()
    say = say if say is not None else lambda _: None
    record = read_record(run_dir)
    shards_dir = shards_dir if shards_dir is not None else record.shards_dir
    index = read_index(shards_dir)
    embedder = Embedder.load(run_dir)
    split, notes = _choose_split(index, settings.split, embedder.bundle)
    embedder.bundle.check_shards(shards_dir, index)
    samples = read_split(shards_dir, index, split)
    if settings.limit is not None and settings.limit < len(samples):
        notes.append(
            f"{settings.limit:,} of {len(samples):,} samples, of each class the same share "
            f"(seed {settings.seed})."
        )
        samples = samples.select(draw_samples(samples.labels, settings.limit, settings.seed))
    embeddings, probabilities = embedder.embed(samples.images, on_progress)
    spaces = {NETWORK: embeddings}
    if settings.pixels:
        spaces[PIXELS] = samples.images.reshape(len(samples), -1).astype(np.float32)
    embedded = Embedded(
        split=split,
        class_names=index.class_names,
        samples=samples,
        embeddings=embeddings,
        probabilities=probabilities,
        projections=_project_all(spaces, settings, say),
    )
    say("Nearest neighbours")
    separations = _separate_all(spaces, embedded, settings.seed)
    about = _describe(embedder, index, shards_dir) | {
        "split": split,
        "projections": {p.name: f"{METHODS[p.method]} of {p.space}" for p in embedded.projections},
        "seed": settings.seed,
    }
    folder = run_dir / EMBEDDINGS_DIR
    table_path, page_path = folder / f"{split}.parquet", folder / f"{split}.html"
    files = {table_path: encode_table(embedded, about)}
    for method in settings.methods:
        figure = draw_projections(embedded, method, settings.seed)
        png, svg = to_png_and_svg(figure)
        files[folder / f"{split}-{method}.png"] = png
        files[folder / f"{split}-{method}.svg"] = svg
    say("Page")
    title = f"{model_title(embedder.bundle.model)} on {index.name}"
    page = render_embedding(embedded, title, embedder.source, separations, notes)
    files[page_path] = page.encode()
    for path, data in files.items():
        write_file(path, data)
    return EmbedReport(
        run_dir=run_dir,
        embedded=embedded,
        source=embedder.source,
        separations=separations,
        notes=tuple(notes),
        table_path=table_path,
        page_path=page_path,
        written=tuple(files),
    )


def _choose_split(index: ShardIndex, split: str | None, bundle: Bundle) -> tuple[str, list[str]]:
    """The split, and what should be said of it."""
    if split is not None and split not in index.splits:
        raise UnknownNameError("split", split, index.splits)
    if not index.splits:
        raise SettingsError("the shards hold no samples; run `ferdata pack` again")
    if split is None:
        split = next(each for each in ("test", "validation", "train") if each in index.splits)
    learned = "The network learned from these samples: on others its classes lie closer together."
    return split, [learned] if split in bundle.splits else []


def _project_all(
    spaces: Mapping[str, NDArray[np.float32]], settings: EmbedSettings, say: Callable[[str], None]
) -> tuple[Projection, ...]:
    found = []
    for space, values in spaces.items():
        for method in settings.methods:
            say(f"{METHODS[method]} of the {space}: {len(values):,} x {values.shape[1]:,} values")
            points = project(method, values, settings.seed)
            found.append(Projection(method=method, space=space, points=points))
    return tuple(found)


def _separate_all(
    spaces: Mapping[str, NDArray[np.float32]], embedded: Embedded, seed: int
) -> dict[str, Separation]:
    """Of originals only where there are any: a copy is the nearest neighbour of its original."""
    originals = embedded.samples.parents == ""
    rows = originals if originals.any() else ~originals
    labels = embedded.samples.labels[rows]
    found = {
        space: measure_separation(values[rows], labels, embedded.class_names, seed)
        for space, values in spaces.items()
    }
    return {space: each for space, each in found.items() if each is not None}


def _describe(embedder: Embedder, index: ShardIndex, shards_dir: Path) -> dict[str, Any]:
    """Where embeddings come from."""
    return {
        "ferkit_version": ferkit_version(),
        "model": embedder.bundle.model,
        "model_sha256": embedder.bundle.model_sha256,
        "dataset": index.name,
        "index_sha256": fingerprint_index(shards_dir),
        "class_names": list(index.class_names),
        "embedding": embedder.source,
    }
