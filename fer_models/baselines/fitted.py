"""A fitted baseline: from raw pixels to probabilities, and to the bytes of its file and back."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_models.baselines.classifiers import KINDS, Classifier
from fer_models.baselines.projection import Projection

FORMAT = "ferkit-baseline-1"
_PROJECTION = ("mean", "deviation", "components")
_BATCH_SIZE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedBaseline:
    """What `fermodel train` makes of a baseline; used as a network is used.

    Attributes:
        num_classes: probabilities it gives.
        present: int64 array: the classes it has seen; the others get probability 0.
        projection: from pixels, or from what `extractor` makes of them, to features.
        classifier: from features to probabilities of the classes in `present`.
        extractor: a `keras.Model` from pixels to values; None where the pixels are the values.
    """

    num_classes: int
    present: NDArray[np.int64]
    projection: Projection
    classifier: Classifier
    extractor: Any = None

    @property
    def output_shape(self) -> tuple[None, int]:
        """As of a `keras.Model`."""
        return (None, self.num_classes)

    def count_params(self) -> int:
        """Numbers that were learned: projection and classifier, and the network before them."""
        learned = sum(array.size for array in self.classifier.arrays().values())
        extractor = 0 if self.extractor is None else self.extractor.count_params()
        return int(self.projection.num_parameters + learned + extractor)

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the classifier sees of images, float32 of shape (num_images, num_features)."""
        return self.projection(extract(self.extractor, images))

    def predict(
        self, images: NDArray[np.uint8], batch_size: int = _BATCH_SIZE, verbose: int = 0
    ) -> NDArray[np.float32]:
        """The probabilities of the classes, as a `keras.Model` gives them.

        Args:
            images: uint8 array of shape (num_images, height, width, channels).
            batch_size: images that are worked on together.
            verbose: without effect; a network has it.

        Returns:
            float32 array of shape (num_images, num_classes); each row sums to 1.
        """
        probabilities = np.zeros((len(images), self.num_classes), np.float32)
        for start in range(0, len(images), batch_size):
            part = self.classifier.probabilities(self.features(images[start : start + batch_size]))
            probabilities[start : start + batch_size, self.present] = part
        return probabilities


def extract(extractor: Any, images: NDArray[np.uint8]) -> NDArray[Any]:
    """The values that are projected: pixels, or what a network makes of them."""
    if extractor is None or not len(images):
        return images
    return np.asarray(extractor.predict(images, batch_size=64, verbose=0))


def encode_baseline(fitted: FittedBaseline) -> bytes:
    """The bytes of the file: an NPZ of plain arrays; the same baseline gives the same bytes."""
    arrays = {f"projection_{name}": getattr(fitted.projection, name) for name in _PROJECTION}
    arrays |= {f"classifier_{name}": a for name, a in fitted.classifier.arrays().items()}
    file = io.BytesIO()
    np.savez_compressed(
        file,
        format=np.array(FORMAT),
        kind=np.array(fitted.classifier.kind),
        num_classes=np.array(fitted.num_classes),
        present=fitted.present,
        **arrays,
    )
    return file.getvalue()


def decode_baseline(data: bytes, extractor: Any = None) -> FittedBaseline:
    """The baseline that `encode_baseline` wrote. Pickles are never loaded.

    Raises:
        ValueError: the bytes are none.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if str(arrays["format"]) != FORMAT:
            raise ValueError(f"is {arrays['format']}; this version of ferkit reads {FORMAT}")
        return FittedBaseline(
            num_classes=int(arrays["num_classes"]),
            present=arrays["present"],
            projection=Projection(*(arrays[f"projection_{name}"] for name in _PROJECTION)),
            classifier=KINDS[str(arrays["kind"])].from_arrays(
                {
                    name.removeprefix("classifier_"): array
                    for name, array in arrays.items()
                    if name.startswith("classifier_")
                }
            ),
            extractor=extractor,
        )
    except (KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"not a baseline: {error}") from None
