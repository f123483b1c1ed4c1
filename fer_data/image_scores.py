"""The scores that an image has by itself, block by block: the unit of work of `quality`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.face_score import face_scores
from fer_data.pixel_scores import edge_share, gray_levels, histogram_scores, sharpness
from fer_data.relfcs import component_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTask:
    """One block of pixels to score.

    Attributes:
        path: .npy file, uint8 array of shape (n, H, W, C).
        weights: of the face detector; None: no face score.
    """

    path: Path
    weights: Path | None = None


def score_block(task: BlockTask) -> dict[str, NDArray[np.float64]]:
    """The scores of a block's images: name → float64 array of shape (n,).

    Raises:
        SettingsError: the weights are none of YuNet.
    """
    images: NDArray[np.uint8] = np.load(task.path, allow_pickle=False)
    scores = image_scores(images)
    if task.weights is not None:
        scores["face_score"] = face_scores(images, task.weights)
    return scores


def image_scores(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """The scores that need nothing but the pixels: name → float64 array of shape (n,).

    Args:
        images: uint8 array of shape (n, H, W, C), grey or RGB; H and W at least 3.
    """
    gray = gray_levels(images)
    histogram, shares = histogram_scores(gray), component_shares(images, gray)
    return {
        "flat_share": histogram.flat_share,
        "entropy": histogram.entropy,
        "brightness": histogram.brightness,
        "contrast": histogram.contrast,
        "clipping": histogram.clipping,
        "sharpness": sharpness(gray),
        "edge_share": edge_share(gray),
        "relfcs": shares.relfcs,
        "relfcs_squared": shares.relfcs_squared,
        "relfcs_uncentred": shares.relfcs_uncentred,
        "effective_rank": shares.effective_rank,
    }
