"""The page of an embedding: points to look through, in one file that needs nothing from outside."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from fer_data.version import ferkit_version
from fer_models.embedding_table import Embedded
from fer_models.neighbours import Separation
from fer_models.projection import METHODS
from fer_models.report.sprites import make_sprites

_MAX_BYTES = 14_500_000  # of the page
_MAX_LEVEL = 65_535
_PROBABILITY_LEVELS = 1000


def render_embedding(
    embedded: Embedded,
    title: str,
    source: str,
    separations: Mapping[str, Separation],
    notes: Sequence[str],
) -> str:
    """The page, as UTF-8 HTML; every name and key in it is escaped.

    Pictures are made smaller, or left out, until the page is below 15 MB.

    Args:
        embedded: the samples and their places.
        title: of the page.
        source: what the embedding is.
        separations: how far classes lie apart, by `"network"` and `"pixels"`.
        notes: what a reader should know, a sentence each.
    """
    data = _page_data(embedded)
    sprites = make_sprites(embedded.samples.images, _MAX_BYTES - len(_as_script(data).encode()))
    data["pictures"] = None if sprites is None else dataclasses.asdict(sprites)
    height, width = embedded.samples.images.shape[1:3]
    told = list(notes)
    if sprites is None:
        told.append("There are too many samples for pictures; `--limit 30000` leaves room.")
    elif (sprites.width, sprites.height) != (width, height):
        told.append(
            f"The pictures of {width}x{height} are shown at {sprites.width}x{sprites.height}, so "
            "that the page stays below 15 MB."
        )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    folder = resources.files("fer_models.report")
    text = folder.joinpath("embedding.html.jinja").read_text("utf-8")
    script = folder.joinpath("embedding.js").read_text("utf-8")
    return environment.from_string(text).render(
        title=title,
        source=source,
        split=embedded.split,
        num_samples=len(embedded.samples),
        num_values=embedded.embeddings.shape[1],
        separations=separations,
        table=_recalls(embedded.class_names, separations),
        methods=[name for name in METHODS if any(p.method == name for p in embedded.projections)],
        spaces=list(dict.fromkeys(p.space for p in embedded.projections)),
        titles=METHODS,
        notes=told,
        data=Markup(_as_script(data)),  # noqa: S704  escaped for scripts there
        script=Markup(script),  # noqa: S704  our own file
        version=ferkit_version(),
    )


def _page_data(embedded: Embedded) -> dict[str, Any]:
    predicted = embedded.predicted
    probability = embedded.probabilities[np.arange(len(predicted)), predicted]
    return {
        "classes": list(embedded.class_names),
        "keys": [str(key) for key in embedded.samples.keys],
        "true": _encode(embedded.samples.labels),
        "predicted": _encode(predicted),
        "probability": _encode((probability * _PROBABILITY_LEVELS).round()),
        "probabilityLevels": _PROBABILITY_LEVELS,
        "projections": {
            f"{each.method} {each.space}": _encode(_levels(each.points).ravel())
            for each in embedded.projections
        },
    }


def _levels(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Places in a square of 65,536 levels a side, y upwards, in the middle of it."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = float((high - low).max()) or 1.0
    shares: NDArray[np.float64] = (points.astype(np.float64) - (low + high) / 2) / span + 0.5
    return (shares.clip(0, 1) * _MAX_LEVEL).round()


def _encode(values: NDArray[Any]) -> str:
    """Whole numbers below 65,536 as base64 of little-endian 16-bit words."""
    return base64.b64encode(np.asarray(values).astype("<u2").tobytes()).decode("ascii")


def _as_script(data: Mapping[str, Any]) -> str:
    """JSON that may stand in a script element: it holds no `<`, so it cannot end it."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _recalls(
    class_names: Sequence[str], separations: Mapping[str, Separation]
) -> list[dict[str, Any]]:
    """For each class that was asked for its samples, and its recall in each space."""
    rows = []
    for number, name in enumerate(class_names):
        found = {space: each.metrics.classes[number] for space, each in separations.items()}
        if found and next(iter(found.values())).support:
            support = next(iter(found.values())).support
            recalls = {space: metrics.recall for space, metrics in found.items()}
            rows.append({"number": number, "name": name, "support": support, "recalls": recalls})
    return rows
