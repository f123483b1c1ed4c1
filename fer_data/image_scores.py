"""All scores of a block of images: the unit of work of `quality`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.detail_pca import DetailPca, reconstruction_errors
from fer_data.face_score import face_scores
from fer_data.luma import flat_levels, gray_levels
from fer_data.pixel_scores import (
    edge_share,
    histogram_scores,
    sharpness,
)
from fer_data.relfcs import component_shares

# Processors differ in the last digits of roots and logarithms; what is kept is the same on all.
_DECIMALS = 6
_PCA_DECIMALS = 9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockScorer:
    """Gives all scores of a block of pixels, rounded to what is the same on every processor.

    Attributes:
        pca: fitted on training samples.
        weights: of the face detector; None: no face score.
    """

    pca: DetailPca
    weights: Path | None = None

    def __call__(self, path: Path) -> dict[str, NDArray[np.float64]]:
        """The scores of a block's images: name → float64 array of shape (n,).

        Args:
            path: .npy file, uint8 array of shape (n, H, W, C).

        Raises:
            SettingsError: the weights are none of YuNet.
        """
        images: NDArray[np.uint8] = np.load(path, allow_pickle=False)
        scores = {name: values.round(_DECIMALS) for name, values in image_scores(images).items()}
        errors = reconstruction_errors(self.pca, flat_levels(images))
        scores["pca_error"] = errors.error.round(_PCA_DECIMALS)
        scores["pca_relative"] = errors.relative.round(_DECIMALS)
        if self.weights is not None:
            scores["face_score"] = face_scores(images, self.weights)
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
