"""Quality scores: how much there is to see in each sample. What to do about it is `filter`'s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.executors import run_tasks

SCORES = ("flat_share", "entropy", "contrast", "relfcs")
# ITU-R BT.601 luma
_LUMA = np.array([0.299, 0.587, 0.114])


def measure_quality(
    dataset: Dataset,
    *,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """The data set with a table of quality scores, one row a sample.

    Args:
        dataset: ingested.
        workers: processes; default: one a core.
        on_progress: called with (samples done, samples in all).
    """
    samples = dataset.samples(["key"])
    tasks = [dataset.block_path("pixels", block) for block in range(dataset.num_blocks)]
    parts: dict[int, NDArray[np.float64]] = {}
    num_done = 0
    for number, scores in run_tasks(_score_block, tasks, workers=workers):
        parts[number] = scores
        num_done += len(scores)
        if on_progress is not None:
            on_progress(num_done, len(samples))
    scores = np.concatenate([parts[number] for number in range(len(tasks))])
    columns = {"key": samples["key"], **dict(zip(SCORES, map(pa.array, scores.T), strict=True))}
    counts = {"samples": len(samples)}
    return dataset.publish(
        "quality", pa.table(columns), settings={}, counts=counts, inputs=["ingest"]
    )


def _score_block(path: Path) -> NDArray[np.float64]:
    images: NDArray[np.uint8] = np.load(path, allow_pickle=False)
    measured = histogram_scores(gray_levels(images))
    columns = (measured.flat_share, measured.entropy, measured.contrast, relfcs(images))
    return np.stack(columns, axis=1)  # (N, len(SCORES))


def gray_levels(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Light of each pixel: uint8 array of shape (n, H, W) from (n, H, W, C) grey or RGB."""
    if images.shape[-1] == 1:
        return images[..., 0]
    return np.asarray(np.rint(images @ _LUMA), dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramScores:
    """Scores from the grey levels of n images, each a float64 array of shape (n,).

    Attributes:
        flat_share: share of the pixels that have the commonest level, 0 to 1; 1 is a blank image.
        entropy: Shannon entropy of the levels, in bits, 0 to 8; 0 is a blank image.
        contrast: standard deviation of the levels, 0 to 127.5.
    """

    flat_share: NDArray[np.float64]
    entropy: NDArray[np.float64]
    contrast: NDArray[np.float64]


def histogram_scores(gray: NDArray[np.uint8]) -> HistogramScores:
    """Scores from the histogram of each image.

    Args:
        gray: uint8 array of shape (n, H, W).
    """
    num_images, num_pixels = len(gray), int(np.prod(gray.shape[1:]))
    # one bincount for all images: levels of image i lie in [256 i, 256 i + 255]
    shifted = gray.reshape(num_images, -1) + np.arange(num_images, dtype=np.int64)[:, None] * 256
    counts = np.bincount(shifted.ravel(), minlength=256 * num_images).reshape(num_images, 256)
    shares = counts / num_pixels
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return HistogramScores(
        flat_share=shares.max(axis=1, initial=0.0),
        entropy=-(shares * logs).sum(axis=1) + 0.0,
        contrast=gray.reshape(num_images, -1).std(axis=1),
    )


def relfcs(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of the first component in each image's singular values: float64 (n,), 0 to 1.

    Colour: the image as an (H*W) x 3 matrix of RGB rows less their mean, sigma_1 / sum(sigma): 1
    where all pixels lie on one line of colours, as in a picture of one tint. It is the reading of
    the relFCs column of the 96x96 AffectNet subset that fits what is known of it.
    Grey: there is one channel, so the H x W image itself stands for the matrix, not centred: 1
    where every row is a multiple of one row, as in a blank or striped picture.

    Args:
        images: uint8 array of shape (n, H, W, C), grey or RGB.
    """
    if images.shape[-1] == 1:
        matrices = images[..., 0].astype(np.float64)  # (n, H, W)
    else:
        rows = images.reshape(len(images), -1, images.shape[-1]).astype(np.float64)
        matrices = rows - rows.mean(axis=1, keepdims=True)  # (n, H*W, 3)
    # eigenvalues of the small Gram matrix are the squared singular values, and cheaper
    gram = matrices.transpose(0, 2, 1) @ matrices
    sigma = np.sqrt(np.clip(np.linalg.eigvalsh(gram), 0.0, None))  # ascending
    total = sigma.sum(axis=1)
    # no light at all, or one colour throughout: nothing but the first component
    shares: NDArray[np.float64] = np.ones_like(total)
    np.divide(sigma[:, -1], total, out=shares, where=total > 0)
    return shares
