"""Samples that show the same picture: pixel for pixel, nearly, or in a mirror."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.duplicate_settings import DuplicateSettings
from fer_data.executors import Workers
from fer_data.near_pairs import NearPairs, find_near_pairs
from fer_data.near_pictures import PictureComparison, hash_blocks
from fer_data.perceptual_hash import PictureHashes
from fer_data.picture_families import Kinship, relate_pictures

__all__ = ["KINDS", "DuplicateSettings", "find_duplicates"]

#: How a sample relates to its twin; the first of a family has none.
KINDS = ("first", "exact", "near", "mirrored")
_FIRST, _EXACT, _NEAR, _MIRRORED = range(len(KINDS))


def find_duplicates(
    dataset: Dataset,
    settings: DuplicateSettings | None = None,
    *,
    workers: Workers = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """The data set with a table of duplicates: one row a sample that has a twin of any kind.

    Columns, in the order of the data set:

    - `key`: string.
    - `exact`: int64, a number that samples with identical pixels share, numbered by their first
      sample; null where a sample has only near twins.
    - `group`: int64, the number of its family: samples connected by identical, near or mirrored
      pictures, numbered by their first sample.
    - `kind`: string: how it relates to the first sample of its family: "first", "exact", "near"
      or "mirrored". Of a sample that is in the family by way of others only: how it relates to
      the one that it is most similar to.
    - `twin`: string, key of the sample that `kind` speaks of; null for the first.
    - `similarity`: float32, correlation of the pixels with those of the twin, fitted, and
      mirrored where `kind` says so; 1 for identical ones, null for the first.

    Flat pictures, blank ones above all, are twins only where they are identical. The families do
    not depend on the order of samples, nor the table on the number of workers.

    Args:
        dataset: ingested.
        settings: when pictures are near; default: `DuplicateSettings()`.
        workers: threads; default: one a core.
        on_progress: called with (samples done, samples in all).
    """
    settings = settings if settings is not None else DuplicateSettings()
    samples = dataset.samples(["key", "pixel_sha256"])
    pictures = _distinct_pictures(samples)
    samples = samples.drop_columns("pixel_sha256")
    pa.default_memory_pool().release_unused()  # 200 MB at a million samples
    progress = _Progress(len(samples), on_progress)
    paths = [dataset.block_path("pixels", block) for block in range(dataset.num_blocks)]
    lengths = np.bincount(samples["block"].to_numpy(), minlength=len(paths))
    hashed = hash_blocks(paths, lengths, workers=workers, on_progress=progress.hashed)
    # in the order of their pixels' hash: what is found does not depend on the order of samples
    candidates = pictures.by_content[
        hashed.contrast[pictures.row[pictures.by_content]] >= settings.min_contrast
    ]
    rows = pictures.row[candidates]
    hashed = PictureHashes(hashes=hashed.hashes[rows], contrast=hashed.contrast[rows])
    compare = PictureComparison(
        paths=paths,
        blocks=samples["block"].to_numpy()[rows],
        rows=samples["row"].to_numpy()[rows],
        settings=settings,
        workers=workers,
    )
    pairs = find_near_pairs(
        hashed, compare, settings, workers=workers, on_progress=progress.searched
    )
    kinship = _for_all(pictures, candidates, relate_pictures(pairs, rows, compare))
    table = _table(samples, pictures, kinship)
    counts = _count(pictures, candidates, kinship, pairs)
    return dataset.publish(
        "duplicates", table, settings=asdict(settings), counts=counts, inputs=["ingest"]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pictures:
    """The m distinct pictures of n samples, numbered by their first sample.

    Attributes:
        of_sample: int64 array of shape (n,).
        row: int64 array of shape (m,): the first sample that shows it.
        num_samples: int64 array of shape (m,): samples that show it.
        by_content: int64 array of shape (m,): their numbers, in an order that depends on what
            they show alone.
    """

    of_sample: NDArray[np.int64]
    row: NDArray[np.int64]
    num_samples: NDArray[np.int64]
    by_content: NDArray[np.int64]


def _distinct_pictures(samples: pa.Table) -> _Pictures:
    digests = samples["pixel_sha256"].combine_chunks().dictionary_encode()
    of_sample = digests.indices.to_numpy().astype(np.int64)
    row = np.full(len(digests.dictionary), len(samples), np.int64)
    np.minimum.at(row, of_sample, np.arange(len(samples)))
    return _Pictures(
        of_sample=of_sample,
        row=row,
        num_samples=np.bincount(of_sample, minlength=len(row)),
        by_content=pc.sort_indices(digests.dictionary).to_numpy().astype(np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Progress:
    """Tells how far all of the work is: hashing is half of it, the search the other."""

    num_samples: int
    tell: Callable[[int, int], None] | None

    def hashed(self, done: int, total: int) -> None:
        self._tell(done / max(total, 1) / 2)

    def searched(self, share: float) -> None:
        self._tell(0.5 + share / 2)

    def _tell(self, share: float) -> None:
        if self.tell is not None:
            self.tell(int(share * self.num_samples), self.num_samples)


def _for_all(pictures: _Pictures, candidates: NDArray[np.int64], kinship: Kinship) -> Kinship:
    """Kinship of all pictures, by their own numbers; those not compared are alone."""
    num_pictures = len(pictures.row)
    head, partner = np.arange(num_pictures), np.arange(num_pictures)
    mirrored = np.zeros(num_pictures, np.bool_)
    similarity = np.ones(num_pictures, np.float32)
    head[candidates] = candidates[kinship.head]
    partner[candidates] = candidates[kinship.partner]
    mirrored[candidates], similarity[candidates] = kinship.mirrored, kinship.similarity
    return Kinship(head=head, partner=partner, mirrored=mirrored, similarity=similarity)


def _table(samples: pa.Table, pictures: _Pictures, kinship: Kinship) -> pa.Table:
    of_sample = pictures.of_sample
    heads = kinship.head[of_sample]
    rows = np.flatnonzero(np.bincount(heads)[heads] > 1)
    shown, heads = of_sample[rows], heads[rows]
    is_first = rows == pictures.row[heads]
    kinds = np.where(kinship.mirrored[shown], _MIRRORED, _NEAR)
    kinds[shown == heads] = _EXACT
    kinds[is_first] = _FIRST
    repeated = pictures.num_samples > 1
    exact = (np.cumsum(repeated) - 1)[shown]
    # pictures are numbered by their first sample, so heads in order number the families
    group = np.unique(heads, return_inverse=True)[1]
    keys = samples["key"].combine_chunks()
    twins = keys.take(pa.array(pictures.row[kinship.partner[shown]], mask=is_first))
    return pa.table(
        {
            "key": keys.take(pa.array(rows)),
            "exact": pa.array(exact, pa.int64(), mask=~repeated[shown]),
            "group": pa.array(group, pa.int64()),
            "kind": pa.array(KINDS).take(pa.array(kinds)),
            "twin": twins,
            "similarity": pa.array(kinship.similarity[shown], pa.float32(), mask=is_first),
        }
    )


def _count(
    pictures: _Pictures, candidates: NDArray[np.int64], kinship: Kinship, pairs: NearPairs
) -> dict[str, Any]:
    num_samples, num_pictures = len(pictures.of_sample), len(pictures.row)
    related = kinship.head != np.arange(num_pictures)
    return {
        "samples": num_samples,
        "unique": num_pictures,
        "exact_groups": int((pictures.num_samples > 1).sum()),
        "redundant": num_samples - num_pictures,
        "near_families": len(np.unique(kinship.head[related])),
        "near": int((related & ~kinship.mirrored).sum()),
        "mirrored": int((related & kinship.mirrored).sum()),
        "flat": num_pictures - len(candidates),
        "crowded": int(pairs.crowded.sum()),
        "compared": pairs.num_checked,
    }
