"""What stands beside the shards, for people and for catalogues: card, mean faces, Croissant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fer_data.croissant import croissant_text
from fer_data.data_card import data_card, mean_faces
from fer_data.dataset import Dataset
from fer_data.manifest import Manifest, load_manifest, manifest_names
from fer_data.shards.index import CARD_NAME, CROISSANT_NAME, PAPERS, PICTURE_NAME, ShardIndex

#: A card without this line is its owner's, and left alone.
MARK = "<!-- ferdata pack writes this page anew; take this line out to keep your own. -->\n"


def stale_papers(
    dataset: Dataset, shards_dir: Path, index: ShardIndex, train: pa.Table | None
) -> dict[str, bytes]:
    """Name → content of each of the three files that is not there already as it should be.

    Args:
        dataset: that was packed.
        shards_dir: folder of the shards.
        index: of them.
        train: the packed training samples, in the form of `fer_data.pack_plan.PACKED_SCHEMA`; the
            mean faces are of its originals.
    """
    manifests = _manifests(dataset)
    there = {name: _content(shards_dir / name) for name in PAPERS}
    papers = {
        CARD_NAME: (data_card(index, manifests) + MARK).encode(),
        CROISSANT_NAME: croissant_text(index, tuple(manifests.values())).encode(),
        PICTURE_NAME: _mean_faces(dataset, train),
    }
    card = there[CARD_NAME]
    if card is not None and MARK.encode() not in card:
        del papers[CARD_NAME]
    return {name: data for name, data in papers.items() if data != there[name]}


def _content(path: Path) -> bytes | None:
    """The bytes of a file, or None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _manifests(dataset: Dataset) -> dict[str, Manifest]:
    """The data sets that the sources are known to be."""
    names = dict.fromkeys(source.manifest for source in dataset.info.sources)
    return {name: load_manifest(name) for name in names if name in manifest_names()}


def _mean_faces(dataset: Dataset, train: pa.Table | None) -> bytes:
    num_classes = len(dataset.class_names)
    sums = np.zeros((num_classes, *dataset.image_shape), np.int64)
    counts = np.zeros(num_classes, np.int64)
    if train is not None:
        is_original = train["parent"].to_numpy() == ""
        columns = (train[name].to_numpy()[is_original] for name in ("label", "block", "row"))
        labels, blocks, rows = columns
        counts = np.bincount(labels, minlength=num_classes)
        for block in np.unique(blocks).tolist():
            mine = blocks == block
            sums += _class_sums(dataset.pixels(block)[rows[mine]], labels[mine], num_classes)
    return mean_faces(sums, counts.tolist())


def _class_sums(
    images: NDArray[np.uint8], labels: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    """Sums of the images of each class: int64 array of shape (num_classes, H, W, C)."""
    is_class = (labels[None, :] == np.arange(num_classes)[:, None]).astype(np.float32)
    flat = images.reshape(len(images), -1).astype(np.float32)  # (n, H, W, C) -> (n, H*W*C)
    # whole numbers below 2^24 in blocks of a few hundred images: exact in float32
    sums: NDArray[np.int64] = (is_class @ flat).astype(np.int64)
    return sums.reshape(num_classes, *images.shape[1:])
