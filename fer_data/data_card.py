"""The card of a folder of shards: a README that people and Hugging Face read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from fer_data.manifest import Manifest
from fer_data.shards.index import PICTURE_NAME, ShardIndex

_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_SIZE_NAMES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")


def data_card(index: ShardIndex, manifests: Mapping[str, Manifest]) -> str:
    """The text of the card, Markdown with a YAML head: the same index gives the same text.

    Args:
        index: of the shards.
        manifests: by name, of the sources' data sets; those that are not there are not cited.
    """
    environment = Environment(  # noqa: S701  Markdown, no HTML
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    text = resources.files("fer_data").joinpath("data_card.md.jinja").read_text("utf-8")
    num_samples = sum(shard.num_samples for shard in index.shards)
    columns, rows = _class_rows(index)
    return environment.from_string(text).render(
        index=index,
        quoted_name=json.dumps(index.name, ensure_ascii=False),  # YAML reads what JSON writes
        num_samples=num_samples,
        size_category=_SIZE_NAMES[sum(num_samples >= size for size in _SIZES)],
        picture=PICTURE_NAME,
        table=_table(["class", *columns], rows),
        images=_images_text(index),
        leaking=_leaking(index.leakage),
        sources=list(_sources(index, manifests)),
        stages=[{"name": n, "text": _stage_text(n, s)} for n, s in index.lineage.items()],
    )


def mean_faces(sums: NDArray[np.int64], counts: Sequence[int]) -> bytes:
    """The mean image of each class side by side, as a PNG; a class without samples is white.

    Nothing is compressed, so that the bytes are the same whatever library writes them.

    Args:
        sums: of the pixels of each class, int64 array of shape (num_classes, H, W, C).
        counts: images of each class.
    """
    divisors = np.maximum(np.asarray(counts), 1)[:, None, None, None]
    means = (2 * sums + divisors) // (2 * divisors)  # rounded, in whole numbers
    means[np.asarray(counts) == 0] = 255
    strip = np.concatenate(list(means.astype(np.uint8)), axis=1)[..., ::-1]
    settings = [cv2.IMWRITE_PNG_COMPRESSION, 0, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    data: bytes = cv2.imencode(".png", np.ascontiguousarray(strip), settings)[1].tobytes()
    return data


def _class_rows(index: ShardIndex) -> tuple[list[str], list[list[object]]]:
    """Columns, and a row a class: originals of each split, and what balancing did to train."""
    train = index.counts.get("train", {})
    copies = any(count.augmented for count in train.values())
    left_out = any(count.left_out for count in train.values())
    columns = [*index.splits, *["copies"] * copies, *["left out"] * left_out]
    rows: list[list[object]] = []
    for name in index.class_names:
        numbers = [index.counts[split][name].original for split in index.splits]
        if copies:
            numbers.append(train[name].augmented)
        if left_out:
            numbers.append(train[name].left_out)
        rows.append([name, *numbers])
    sums = [sum(int(str(row[n])) for row in rows) for n in range(1, len(columns) + 1)]
    return columns, [*rows, ["**all**", *sums]]


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown, numbers to the right."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)]]
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [*lines, *cells])


def _images_text(index: ShardIndex) -> str:
    """Dtype and shape of the images as they are stored."""
    dtype, shape = "uint8", tuple[int, ...](index.image_shape)
    if index.shards:
        entry = index.shards[0].arrays["images"]
        dtype, shape = np.dtype(entry.dtype).name, entry.shape[1:]
    return f"{dtype} ({', '.join(map(str, ('n', *shape)))})"


def _leaking(leakage: Mapping[str, Any]) -> str:
    if not leakage["groups"]:
        return ""
    places = ", ".join(f"{count:,} in {split}" for split, count in leakage["samples"].items())
    return (
        f"{leakage['groups']:,} pictures stand in several official splits ({places}); results on "
        "them are too good. `ferdata filter --leaks drop-train` takes them out of train."
    )


def _sources(index: ShardIndex, manifests: Mapping[str, Manifest]) -> Iterator[dict[str, Any]]:
    for source in index.lineage.get("ingest", {}).get("settings", {}).get("sources", []):
        manifest = manifests.get(source["manifest"])
        cited = {"title": source["name"], "terms": "", "citation": "", "url": ""}
        if manifest is not None:
            cited = {name: getattr(manifest, name) for name in cited}
        yield {**source, **cited}


def _stage_text(name: str, stage: Mapping[str, Any]) -> str:
    """What a stage did, in a sentence."""
    settings, counts = stage["settings"], stage["counts"]
    match name:
        case "ingest":
            reasons = _list(counts["reasons"])
            return (
                f"{counts['files']:,} files gave {counts['samples']:,} samples; "
                f"{counts['rejected']:,} were rejected{f' ({reasons})' if reasons else ''}."
            )
        case "filter":
            rules = [f"{r['score']} {r['side']} {r['threshold']:g}" for r in settings["rules"]]
            done = _list(counts["dropped"]) or "nothing"
            flagged = _list(counts["flagged"])
            kept = f" Kept in official tests, though flagged: {flagged}." if flagged else ""
            ruled = f" Rules: {', '.join(rules)}." if rules else ""
            return (
                f"of {counts['samples']:,} samples {counts['kept']:,} stay. "
                f"Dropped: {done}.{ruled}{kept}"
            )
        case "split":
            official = counts.get("official", 0)
            kept = f"{official:,} samples stay where their source had put them. "
            return f"{kept if official else ''}Seed {settings.get('seed', 0)}."
        case "balance":
            grown = sum(counts["after"].values()) - sum(counts["before"].values())
            verb = "added" if grown >= 0 else "left out"
            return (
                f"{abs(grown):,} training samples {verb} ({settings.get('method', 'augment')}). "
                f"Seed {settings['seed']}."
            )
        case _:
            return (
                f"{counts['shards']:,} shards, {_list(counts['samples'])}. Seed {settings['seed']}."
            )


def _list(counts: Mapping[str, int]) -> str:
    """Counts as people write them.

    Example:
        >>> _list({"train": 28709, "test": 3})
        'train 28,709, test 3'
    """
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
