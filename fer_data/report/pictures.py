"""The pictures of a report: small, and inside the page."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.duplicate_report import label_conflicts

_MAX_SIDE = 96
_JPEG_QUALITY = 82


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture.

    Attributes:
        source: the pixels as the text of a `data:` address.
        key: of the sample.
        lines: what stands below it.
    """

    source: str
    key: str
    lines: tuple[str, ...]


class PictureBook:
    """Picks samples of a data set, and makes pictures of them.

    Args:
        dataset: with its scores and duplicates measured.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._samples = dataset.samples(["key", "label", "split", "pixel_sha256"])
        self._duplicates = dataset.table("duplicates")

    def mean_faces(self) -> list[Picture]:
        """The mean of each class, and the number of its samples."""
        names = self._dataset.class_names
        labels = pc.index_in(self._samples["label"], value_set=pa.array(names)).to_numpy()
        sums = np.zeros((len(names), int(np.prod(self._dataset.image_shape))))
        start = 0
        for block in range(self._dataset.num_blocks):
            images = self._dataset.pixels(block)
            chosen = labels[start : start + len(images)]
            start += len(images)
            is_class = (chosen[None, :] == np.arange(len(names))[:, None]).astype(np.float32)
            sums += is_class @ images.reshape(len(images), sums.shape[1]).astype(np.float32)
        counts = np.bincount(labels, minlength=len(names))
        means = sums / np.maximum(counts, 1)[:, None]
        images = np.rint(means).astype(np.uint8).reshape(len(names), *self._dataset.image_shape)
        return [
            Picture(source=data_address(image), key=name, lines=(name, f"{count:,} samples"))
            for name, count, image in zip(names, counts.tolist(), images, strict=True)
            if count
        ]

    def of_rows(self, rows: Sequence[int], lines: Sequence[tuple[str, ...]]) -> list[Picture]:
        """The samples in these rows, with lines below each."""
        found = self._samples.take(pa.array(rows, pa.int64()))
        images = self._dataset.images(found["block"].to_pylist(), found["row"].to_pylist())
        keys = found["key"].to_pylist()
        return [
            Picture(source=data_address(image), key=key, lines=below)
            for image, key, below in zip(images, keys, lines, strict=True)
        ]

    def with_labels(self, rows: Sequence[int]) -> list[Picture]:
        """The samples in these rows, with class and split below each."""
        found = self._samples.select(["label", "split"]).take(pa.array(rows, pa.int64()))
        return self.of_rows(
            rows, [(row["label"], row["split"] or "no split") for row in found.to_pylist()]
        )

    def scored(
        self, values: NDArray[np.float64], number: int
    ) -> tuple[list[Picture], list[Picture]]:
        """The different pictures with the lowest and with the highest scores.

        Args:
            values: of all samples, shape (n,).
            number: of pictures at each end.
        """
        order = np.argsort(values, kind="stable")
        ends = []
        for rows in (order, order[::-1]):
            chosen = self._different(rows[: 6 * number].tolist())[:number]
            labels = self._samples["label"].take(pa.array(chosen, pa.int64())).to_pylist()
            lines = [
                (f"{values[row]:.4g}", label) for row, label in zip(chosen, labels, strict=True)
            ]
            ends.append(self.of_rows(chosen, lines))
        return ends[0], ends[1]

    def conflicts(self, number: int) -> list[Picture]:
        """Identical pictures with different labels, with all of these below each."""
        numbers = label_conflicts(self._duplicates, self._samples)["number"][:number]
        return self._groups(numbers.to_pylist(), "exact")

    def leaks(self, number: int) -> list[Picture]:
        """Identical pictures in several splits, evenly picked, with labels and splits below."""
        table = self._duplicates.filter(pc.is_valid(self._duplicates["exact"]))
        rows = self._rows(table["key"])
        splits: dict[int, set[str]] = {}
        names = self._samples["split"].take(rows).to_pylist()
        for group, split in zip(table["exact"].to_pylist(), names, strict=True):
            splits.setdefault(group, set()).add(split or "no split")
        found = [group for group, held in splits.items() if len(held) > 1]
        return self._groups(_evenly(found, number), "exact")

    def near_families(self, number: int, most: int) -> list[list[Picture]]:
        """Families of near pictures, evenly picked: each with how its members relate to it."""
        table = self._duplicates
        is_near = pc.is_in(table["kind"], value_set=pa.array(["near", "mirrored"]))
        numbers = pc.unique(table["group"].filter(is_near)).to_pylist()
        families = []
        for family in _evenly(numbers, number):
            members = table.filter(pc.equal(table["group"], family)).slice(0, most)
            rows = self._rows(members["key"]).to_pylist()
            labels = self._samples.select(["label", "split"]).take(pa.array(rows)).to_pylist()
            lines = [
                (
                    member["kind"]
                    + ("" if member["similarity"] is None else f" {member['similarity']:.2f}"),
                    f"{label['label']}, {label['split'] or 'no split'}",
                )
                for member, label in zip(members.to_pylist(), labels, strict=True)
            ]
            families.append(self.of_rows(rows, lines))
        return families

    def _groups(self, numbers: Sequence[int], column: str) -> list[Picture]:
        """One picture a group, and how often which split gives it which label."""
        table = self._duplicates
        rows, lines = [], []
        for number in numbers:
            members = self._rows(table["key"].filter(pc.equal(table[column], number)))
            found = self._samples.select(["label", "split"]).take(members).to_pylist()
            counted = Counter((row["label"], row["split"] or "no split") for row in found)
            rows.append(members[0].as_py())
            lines.append(
                tuple(
                    f"{label}, {split}" + (f" x{count}" if count > 1 else "")
                    for (label, split), count in counted.most_common(4)
                )
            )
        return self.of_rows(rows, lines)

    def _rows(self, keys: pa.ChunkedArray) -> pa.Array:
        rows = pc.index_in(keys, value_set=self._samples["key"].combine_chunks())
        return rows.combine_chunks() if isinstance(rows, pa.ChunkedArray) else rows

    def _different(self, rows: Sequence[int]) -> list[int]:
        """The rows without those whose pixels came before."""
        pixels = self._samples["pixel_sha256"].take(pa.array(rows, pa.int64())).to_pylist()
        first: dict[bytes, int] = {}
        for row, digest in zip(rows, pixels, strict=True):
            first.setdefault(digest, row)
        return list(first.values())


def data_address(image: NDArray[np.uint8]) -> str:
    """An image as the text of a `data:` address: PNG where it is small, else a small JPEG.

    Args:
        image: uint8 array of shape (H, W, C), grey or RGB.
    """
    height, width = image.shape[:2]
    levels = image if image.shape[-1] == 1 else image[..., ::-1]  # OpenCV wants B, G, R
    if max(height, width) > _MAX_SIDE:
        factor = _MAX_SIDE / max(height, width)
        size = (max(round(width * factor), 1), max(round(height * factor), 1))
        small = cv2.resize(np.ascontiguousarray(levels), size, interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
        kind = "jpeg"
    else:
        data = cv2.imencode(".png", np.ascontiguousarray(levels))[1]
        kind = "png"
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}"


def _evenly(items: Sequence[int], number: int) -> Sequence[int]:
    """At most so many, from all over."""
    if len(items) <= number:
        return items
    return [items[place] for place in np.linspace(0, len(items) - 1, number).astype(int)]
