"""Trained networks put to use: on pixels, and on picture files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import ImageError, SettingsError
from fer_data.image import ImageSettings, prepare_image
from fer_models.bundle import Bundle, find_bundle, load_network, read_bundle
from fer_models.errors import MissingPicturesError

#: Called with (samples done, samples in all).
OnProgress = Callable[[int, int], None]
_BATCH_SIZE = 256
_SLICE_SIZE = 2048


class Predictor:
    """A trained network, ready to be used on pixels.

    Args:
        bundle: what it was trained for.
        network: the `keras.Model`, or the `FittedBaseline` of a baseline.
    """

    def __init__(self, bundle: Bundle, network: Any) -> None:
        self.bundle = bundle
        self._network = network

    @staticmethod
    def load(run_or_bundle_dir: Path) -> Predictor:
        """The network of a run or a bundle.

        Raises:
            MissingBundleError: there is none at this place.
            DamagedBundleError: it cannot be read.
        """
        bundle_dir = find_bundle(run_or_bundle_dir)
        bundle = read_bundle(bundle_dir)
        return Predictor(bundle, load_network(bundle_dir, bundle))

    @property
    def num_parameters(self) -> int:
        """Numbers that were learned."""
        return int(self._network.count_params())

    def attend(
        self, images: NDArray[np.uint8], classes: NDArray[np.int64]
    ) -> NDArray[np.float32] | None:
        """What in each image speaks for a class; None where the network cannot tell.

        Args:
            images: uint8 array of shape (num_images, height, width, channels).
            classes: int array of shape (num_images,): of each image the class asked about.

        Returns:
            float32 array of shape (num_images, map_height, map_width), 0 to 1.
        """
        if self.bundle.kind != "keras" or not len(images):
            return None
        from fer_models.attention import attention_maps

        return attention_maps(self._network, images, classes)

    @property
    def image_settings(self) -> ImageSettings:
        """How a picture must be prepared.

        Raises:
            SettingsError: the network takes pixels that no picture is prepared to.
        """
        height, width, _ = self.bundle.image_shape
        if height != width:
            raise SettingsError(
                f"the network takes images of {height}x{width}; pictures are prepared square"
            )
        return ImageSettings(size=height, color=self.bundle.color, equalize=self.bundle.equalize)

    def predict(
        self, images: NDArray[np.uint8], on_progress: OnProgress | None = None
    ) -> NDArray[np.float32]:
        """The probabilities of the classes.

        Args:
            images: uint8 array of shape (num_images, height, width, channels).
            on_progress: told how many are done.

        Returns:
            float32 array of shape (num_images, num_classes); each row sums to 1.

        Raises:
            SettingsError: the images are of another shape or dtype than the network takes.
        """
        shape = self.bundle.image_shape
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            raise SettingsError(
                f"expected uint8 images of shape (num_images, {', '.join(map(str, shape))}); "
                f"received {images.dtype} of shape {images.shape}"
            )
        parts = [np.empty((0, len(self.bundle.class_names)), np.float32)]
        for start in range(0, len(images), _SLICE_SIZE):
            part = images[start : start + _SLICE_SIZE]
            parts.append(self._network.predict(part, batch_size=_BATCH_SIZE, verbose=0))
            if on_progress is not None:
                on_progress(start + len(part), len(images))
        return np.concatenate(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What was predicted on one picture file.

    Attributes:
        path: of the file.
        class_name: the most probable class; None where the picture cannot be used.
        probability: of that class; None likewise.
        probabilities: of all classes, in the order of the bundle; empty likewise.
        reason: why the picture cannot be used, one of `fer_data.image.REASONS` or
            `"unreadable"`; None where it can.
        detail: the reason in words; None likewise.
    """

    path: Path
    class_name: str | None = None
    probability: float | None = None
    probabilities: tuple[float, ...] = ()
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictReport:
    """What was predicted on some picture files.

    Attributes:
        class_names: what the probabilities stand for.
        predictions: one a file, in order.
    """

    class_names: tuple[str, ...]
    predictions: tuple[Prediction, ...]

    @property
    def num_failed(self) -> int:
        """Files that could not be used."""
        return sum(prediction.reason is not None for prediction in self.predictions)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values; probabilities by class name."""
        rows = []
        for prediction in self.predictions:
            named = zip(self.class_names, prediction.probabilities, strict=False)
            fields = dataclasses.asdict(prediction)
            rows.append(fields | {"path": str(prediction.path), "probabilities": dict(named)})
        return {"class_names": list(self.class_names), "predictions": rows}


def predict_files(
    run_dir: Path, paths: Sequence[Path], on_progress: OnProgress | None = None
) -> PredictReport:
    """What a trained network sees on picture files.

    Args:
        run_dir: a run or a bundle.
        paths: files, and folders that are walked; hidden files in folders are passed over.
        on_progress: told how many files are done.

    Raises:
        MissingPicturesError: a path does not exist, or there is no file at all.
        MissingBundleError: there is no trained network.
        DamagedBundleError: it cannot be read.
    """
    files = find_pictures(paths)
    predictor = Predictor.load(run_dir)
    settings = predictor.image_settings
    predictions: list[Prediction] = []
    for start in range(0, len(files), _BATCH_SIZE):
        predictions += _predict_batch(predictor, files[start : start + _BATCH_SIZE], settings)
        if on_progress is not None:
            on_progress(len(predictions), len(files))
    return PredictReport(class_names=predictor.bundle.class_names, predictions=tuple(predictions))


def find_pictures(paths: Sequence[Path]) -> list[Path]:
    """The files among `paths` and below the folders among them, each once.

    Raises:
        MissingPicturesError: a path does not exist, or there is no file at all.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(_walk(path)))
        elif path.exists():
            found[path] = None
        else:
            raise MissingPicturesError(f"{path}: no such file or folder; expected pictures")
    if not found:
        raise MissingPicturesError(f"{', '.join(map(str, paths))}: no files; expected pictures")
    return list(found)


def _walk(folder: Path) -> list[Path]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(root, name) for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if path.is_file() or path.is_symlink()]


def _predict_batch(
    predictor: Predictor, files: Sequence[Path], settings: ImageSettings
) -> list[Prediction]:
    prepared = [_prepare(path, settings) for path in files]
    pixels = [item for item in prepared if not isinstance(item, Prediction)]
    rows = iter(predictor.predict(np.stack(pixels)) if pixels else ())
    return [
        item
        if isinstance(item, Prediction)
        else _name_class(path, next(rows), predictor.bundle.class_names)
        for path, item in zip(files, prepared, strict=True)
    ]


def _prepare(path: Path, settings: ImageSettings) -> NDArray[np.uint8] | Prediction:
    try:
        return prepare_image(path.read_bytes(), settings).pixels
    except ImageError as error:
        return Prediction(path=path, reason=error.reason, detail=error.detail)
    except OSError as error:
        return Prediction(path=path, reason="unreadable", detail=error.strerror or str(error))


def _name_class(path: Path, row: NDArray[np.float32], class_names: Sequence[str]) -> Prediction:
    best = int(row.argmax())
    return Prediction(
        path=path,
        class_name=class_names[best],
        probability=float(row[best]),
        probabilities=tuple(float(value) for value in row),
    )
