"""Quality scores: how much there is to see in each sample. What to do about it is `filter`'s."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.detail_pca import DetailPca, fit_pca
from fer_data.errors import SettingsError
from fer_data.executors import Workers
from fer_data.face_weights import find_detector_weights
from fer_data.image_scores import BlockScorer
from fer_data.luma import flat_levels
from fer_data.scores import SCORES, score_names
from fer_data.threads import map_in_threads
from fer_data.verdicts import OFFICIAL_TESTS

__all__ = ["SCORES", "QualitySettings", "measure_quality", "score_names"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySettings:
    """What is measured beside the scores that always are.

    Attributes:
        pca_components: of the PCA that pictures are rebuilt from. With few, the picture of a thing
            that is no face is rebuilt worst: 10 tell most on FER2013 (docs/decisions/0006).
        pca_variance: share of the training samples' variance that the components shall explain,
            above 0 and below 1; where given it decides instead of `pca_components`.
        faces: whether to measure `face_score`, which is slow and needs the weights of a detector.
        detector_weights: ONNX file of YuNet; None: where `find_detector_weights` finds it.
    """

    pca_components: int = 10
    pca_variance: float | None = None
    faces: bool = False
    detector_weights: Path | None = None

    def __post_init__(self) -> None:
        if self.pca_components < 1:
            raise SettingsError(
                f"pca_components must be a number from 1; received {self.pca_components}"
            )
        if self.pca_variance is not None and not 0 < self.pca_variance < 1:
            raise SettingsError(
                f"pca_variance must be a share above 0 and below 1; received {self.pca_variance}"
            )

    def to_json(self) -> dict[str, Any]:
        """What decides the scores, the same on every machine: not where the weights lie."""
        components = self.pca_components if self.pca_variance is None else None
        return {
            "pca_components": components,
            "pca_variance": self.pca_variance,
            "faces": self.faces,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> QualitySettings:
        """The settings that `to_json` wrote; the weights are looked for anew."""
        return cls(**{name: value for name, value in fields.items() if value is not None})


def measure_quality(
    dataset: Dataset,
    settings: QualitySettings | None = None,
    *,
    workers: Workers = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """The data set with a table of quality scores, one row a sample, in `quality.parquet`.

    The scores are those of `fer_data.scores.SCORES`. The PCA is fitted on all samples but those of
    official validation and test splits; where there are no others, on all of them.

    Args:
        dataset: ingested.
        settings: which scores, and the size of the PCA; default: `QualitySettings()`.
        workers: threads; default: one a core. They change no score.
        on_progress: called with (samples done, samples in all).

    Raises:
        SettingsError: the face score was asked for, and there are no weights or wrong ones.
    """
    settings = settings if settings is not None else QualitySettings()
    samples = dataset.samples(["key", "split"])
    names = score_names(dataset.info.image.color, with_faces=settings.faces)
    weights = _detector_weights(settings) if settings.faces else None
    pca = _fit(dataset, samples["split"].to_pylist(), settings)
    scorer = BlockScorer(pca=pca, weights=weights)
    paths = [dataset.block_path("pixels", block) for block in range(dataset.num_blocks)]
    parts: list[dict[str, NDArray[np.float64]]] = []
    num_done = 0
    for scores in map_in_threads(scorer, paths, workers=workers):
        parts.append(scores)
        num_done += len(scores["pca_error"])
        if on_progress is not None:
            on_progress(num_done, len(samples))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in names}
    counts = {
        "samples": len(samples),
        "pca_samples": pca.num_samples,
        "pca_components": len(pca.variances),
        "pca_variance": round(pca.explained_variance, 6),
    }
    table = pa.table({"key": samples["key"], **columns})
    return dataset.publish(
        "quality", table, settings=settings.to_json(), counts=counts, inputs=["ingest"]
    )


def _detector_weights(settings: QualitySettings) -> Path:
    weights = find_detector_weights(settings.detector_weights)
    if weights is None:
        raise SettingsError(
            "the face score needs the weights of a detector, and there are none in the cache; "
            "fetch them with `ferdata inspect --download-detector`, or name their file with "
            "`ferdata inspect --detector-weights FILE`"
        )
    return weights


def _fit(dataset: Dataset, splits: Sequence[str | None], settings: QualitySettings) -> DetailPca:
    is_training = np.array([split not in OFFICIAL_TESTS for split in splits])
    if not is_training.any():
        is_training[:] = True

    def blocks() -> Iterator[NDArray[np.uint8]]:
        start = 0
        for block in range(dataset.num_blocks):
            images = dataset.pixels(block)
            chosen = is_training[start : start + len(images)]
            start += len(images)
            if chosen.any():
                yield flat_levels(images if chosen.all() else images[chosen])

    size = dataset.image_shape[0] * dataset.image_shape[1]
    return fit_pca(blocks, size, components=settings.pca_components, variance=settings.pca_variance)
