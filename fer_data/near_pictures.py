"""Near pictures of a data set: its blocks are hashed, and pairs are compared on their pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.duplicate_settings import DuplicateSettings
from fer_data.executors import Workers, count_workers
from fer_data.luma import gray_levels
from fer_data.perceptual_hash import NUM_WINDOWS, PictureHashes, hash_pictures
from fer_data.picture_match import match_pictures, prepare_for_match
from fer_data.threads import map_in_threads

_PAIRS_AT_ONCE = 4_096  # bounds the pixels in memory
_FEWEST_PAIRS = 256  # worth a thread


def hash_blocks(
    paths: Sequence[Path],
    lengths: NDArray[np.int64],
    *,
    workers: Workers = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> PictureHashes:
    """The hashes of all samples, in their order.

    Args:
        paths: of the blocks of pixels.
        lengths: int array: samples in each block.
        workers: threads, or a cluster; default: one a core.
        on_progress: called with (samples done, samples in all).
    """
    ends = np.cumsum(lengths)
    num_samples = int(lengths.sum())
    hashes = np.empty((num_samples, NUM_WINDOWS), np.uint64)
    contrast = np.empty(num_samples)
    parts = map_in_threads(_hash_block, paths, workers=workers)
    for part, end in zip(parts, ends.tolist(), strict=True):
        place = slice(end - len(part.hashes), end)
        hashes[place], contrast[place] = part.hashes, part.contrast
        if on_progress is not None:
            on_progress(end, num_samples)
    return PictureHashes(hashes=hashes, contrast=contrast)


def _hash_block(path: Path) -> PictureHashes:
    return hash_pictures(gray_levels(np.load(path, allow_pickle=False)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureComparison:
    """Compares pictures by their numbers; reads only the pixels it needs.

    Attributes:
        paths: of the blocks of pixels.
        blocks: int array of shape (n,): the block that each picture is in.
        rows: int array of shape (n,): its row there.
        settings: when two are near.
        workers: threads, or a cluster; None: one a core.
    """

    paths: Sequence[Path]
    blocks: NDArray[np.int32]
    rows: NDArray[np.int32]
    settings: DuplicateSettings
    workers: Workers = None

    def __call__(
        self, one: NDArray[np.int64], other: NDArray[np.int64], mirrored: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Similarity of picture `one[k]` with `other[k]`, the latter mirrored where asked.

        Returns:
            float32 array, in steps of 0.0001; NaN where the two are not near.
        """
        size = -(-len(one) // count_workers(self.workers))
        size = min(max(size, _FEWEST_PAIRS), _PAIRS_AT_ONCE)
        parts = (slice(start, start + size) for start in range(0, len(one), size))
        tasks = (self._task(one[part], other[part], mirrored[part]) for part in parts)
        found = list(map_in_threads(_compare, tasks, workers=self.workers))
        return np.concatenate(found or [np.empty(0, np.float32)])

    def _task(
        self, one: NDArray[np.int64], other: NDArray[np.int64], mirrored: NDArray[np.bool_]
    ) -> _Pairs:
        pictures, place = np.unique(np.concatenate([one, other]), return_inverse=True)
        blocks, rows = self.blocks[pictures], self.rows[pictures]
        order = np.lexsort((rows, blocks))
        inverse = np.empty_like(order)
        inverse[order] = np.arange(len(order))
        place = inverse[place]
        numbers, starts = np.unique(blocks[order], return_index=True)
        return _Pairs(
            paths=[self.paths[number] for number in numbers],
            rows=np.split(rows[order], starts[1:]),
            one=place[: len(one)],
            other=place[len(one) :],
            mirrored=mirrored,
            settings=self.settings,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pairs:
    """Pairs to compare: the unit of work. Pictures are numbered as they are read."""

    paths: Sequence[Path]
    rows: list[NDArray[np.int32]]  # of each block
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    settings: DuplicateSettings


def _compare(pairs: _Pairs) -> NDArray[np.float32]:
    parts = []
    for path, rows in zip(pairs.paths, pairs.rows, strict=True):
        block = np.load(path, mmap_mode="r", allow_pickle=False)
        parts.append(prepare_for_match(gray_levels(block[rows])))
    pictures = np.concatenate(parts)
    second = pictures[pairs.other]
    second[pairs.mirrored] = second[pairs.mirrored, :, ::-1]
    match = match_pictures(pictures[pairs.one], second)
    similarity = np.round(match.similarity, 4)
    settings = pairs.settings
    near = (similarity >= settings.min_similarity) & (match.detail >= settings.min_detail)
    return np.where(near, similarity, np.nan).astype(np.float32)
