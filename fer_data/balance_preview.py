"""A picture of a balance plan: originals beside the copies that pack will make of them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image

from fer_data.augment import augment_images
from fer_data.dataset import Dataset
from fer_data.files import write_file
from fer_data.operations import operations_from_json

_SCALE = 2
_GAP = 4  # white columns between an original and its copies


def preview_balance(dataset: Dataset, table: pa.Table, path: Path, *, num_parents: int = 8) -> int:
    """Draws originals beside their planned copies, one row an original; gives back the rows drawn.

    Args:
        dataset: whose pixels to draw.
        table: a plan of `plan_balance`.
        path: a .png file; its folder is made.
        num_parents: originals to show, evenly picked from the plan.
    """
    rows = list(_preview_rows(dataset, table, num_parents))
    if rows:
        height, _, channels = dataset.image_shape
        shape = (len(rows) * height, max(row.shape[1] for row in rows), channels)
        sheet = np.full(shape, 255, np.uint8)  # white: black would look like a bad copy
        for number, row in enumerate(rows):
            sheet[number * height : (number + 1) * height, : row.shape[1]] = row
        image = Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet)
        large = (image.width * _SCALE, image.height * _SCALE)
        buffer = io.BytesIO()
        image.resize(large, Image.Resampling.NEAREST).save(buffer, "PNG")
        write_file(path, buffer.getvalue())
    return len(rows)


def _preview_rows(dataset: Dataset, table: pa.Table, number: int) -> Iterator[NDArray[np.uint8]]:
    """An original and its copies side by side: uint8 array of shape (H, width, C)."""
    copies_planned = table.filter(pc.greater(table["copy"], 0))
    parents = pc.unique(copies_planned["parent"]).to_pylist()
    samples = dataset.samples(["key"])
    picked = np.unique(np.linspace(0, len(parents) - 1, min(number, len(parents)), dtype=int))
    for parent in (parents[p] for p in picked):
        place = samples.slice(pc.index(samples["key"], parent).as_py(), 1).to_pylist()[0]
        original = np.asarray(dataset.pixels(place["block"])[place["row"]])
        plan = copies_planned.filter(pc.equal(copies_planned["parent"], parent))
        operations = operations_from_json(plan["operations"][0].as_py())
        originals = np.repeat(original[np.newaxis], len(plan), axis=0)
        copies = augment_images(originals, operations, plan["seed"].to_pylist())
        gap = np.full((len(original), _GAP, original.shape[2]), 255, np.uint8)
        yield np.concatenate([original, gap, *copies], axis=1)
