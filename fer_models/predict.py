"""Trained networks put to use: on samples, and on the faces in raw pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import ImageError, SettingsError
from fer_data.faces import CutFace, FaceSettings
from fer_data.image import ImageSettings
from fer_models.bundle import Bundle, find_bundle, load_network, read_bundle
from fer_models.forward import Forward, compile_forward
from fer_models.picture_faces import PictureSettings, SampleCutter, Samples, make_cutter
from fer_models.views import NUM_VIEWS, check_tta, image_views, mean_probabilities

#: Called with (samples done, samples in all).
OnProgress = Callable[[int, int], None]
_BATCH_SIZE = 256
_SLICE_SIZE = 2048
_AS_TRAINED = PictureSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class FacePrediction:
    """What was predicted on one face.

    Attributes:
        class_name: the most probable class.
        probability: of that class.
        probabilities: of all classes, in the order of the bundle.
        box: left, top, width and height of the face, in pixels of the upright picture at its full
            size; may reach beyond it. None: the whole picture was taken for a face.
        confidence: of the detector that it is a face, 0 to 1; None where it gives none.
    """

    class_name: str
    probability: float
    probabilities: tuple[float, ...]
    box: tuple[float, float, float, float] | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePrediction:
    """What was predicted on one picture.

    Attributes:
        faces: the largest first; none where the picture cannot be used.
        reason: why it cannot be used, one of `fer_data.image.REASONS` or `"unreadable"`; None
            where it can.
        detail: the reason in words; None likewise.
    """

    faces: tuple[FacePrediction, ...] = ()
    reason: str | None = None
    detail: str | None = None


class Predictor:
    """A trained network, ready to be used; for one thread at a time.

    Args:
        bundle: what it was trained for.
        network: the `keras.Model`, or the `FittedBaseline` of a baseline.
        tta: test-time augmentation, one of `fer_models.views.NUM_VIEWS`.

    Raises:
        UnknownNameError: there is no such augmentation.
        SettingsError: the images of the network are too small for it.
    """

    def __init__(self, bundle: Bundle, network: Any, tta: str = "none") -> None:
        check_tta(tta, bundle.image_shape)
        self.bundle = bundle
        self.tta = tta
        self._network = network

    @staticmethod
    def load(run_or_bundle_dir: Path | str, tta: str = "none") -> Predictor:
        """The network of a run or a bundle.

        Args:
            run_or_bundle_dir: folder of either.
            tta: test-time augmentation.

        Raises:
            MissingBundleError: there is none at this place.
            DamagedBundleError: it cannot be read.
            SettingsError: as above.
        """
        bundle_dir = find_bundle(Path(run_or_bundle_dir))
        bundle = read_bundle(bundle_dir)
        check_tta(tta, bundle.image_shape)
        return Predictor(bundle, load_network(bundle_dir, bundle), tta)

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

    @property
    def face_settings(self) -> FaceSettings | None:
        """How faces were found and cut out in training; None: pictures were taken as they are."""
        return self.bundle.face_settings

    def cutter(self, settings: PictureSettings = _AS_TRAINED) -> SampleCutter:
        """What cuts the samples that the network is to see out of raw pictures.

        Raises:
            SettingsError: as `image_settings`; or there are no weights of the detector that found
                the faces it was trained on.
        """
        return make_cutter(self.bundle, self.image_settings, settings)

    def predict_pictures(
        self, pictures: Sequence[bytes], settings: PictureSettings = _AS_TRAINED
    ) -> list[PicturePrediction]:
        """What is seen on picture files; all their faces go through the network together.

        Args:
            pictures: each a whole PNG, JPEG, GIF, BMP, TIFF, WebP or PNM file.
            settings: which samples are taken from them; by default those of training.

        Returns:
            One a picture, in order.

        Raises:
            SettingsError: as `cutter`.
        """
        return self.predict_samples(self.cutter(settings).cut_files(pictures))

    def predict_pixels(
        self, pictures: Sequence[NDArray[np.uint8]], settings: PictureSettings = _AS_TRAINED
    ) -> list[PicturePrediction]:
        """What is seen on decoded pictures, such as frames; all faces together, as above.

        Args:
            pictures: each a uint8 array of shape (height, width, 3), upright, channels in the
                order R, G, B; sizes may differ.
            settings: as of `predict_pictures`.

        Returns:
            One a picture, in order.

        Raises:
            SettingsError: as `cutter`; or an array is of another shape or dtype.
        """
        return self.predict_samples(self.cutter(settings).cut_pixels(pictures))

    def predict_samples(self, pictures: Sequence[Samples]) -> list[PicturePrediction]:
        """What is seen on pictures whose samples a cutter has cut out already."""
        cuts = [cut for each in pictures if not isinstance(each, ImageError) for cut in each]
        rows = iter(self.predict(np.stack([cut.pixels for cut in cuts])) if cuts else ())
        return [
            PicturePrediction(reason=each.reason, detail=each.detail)
            if isinstance(each, ImageError)
            else PicturePrediction(faces=tuple(self._describe(cut, next(rows)) for cut in each))
            for each in pictures
        ]

    def _describe(self, cut: CutFace, row: NDArray[np.float32]) -> FacePrediction:
        best = int(row.argmax())
        return FacePrediction(
            class_name=self.bundle.class_names[best],
            probability=float(row[best]),
            probabilities=tuple(row.tolist()),
            box=cut.face.box if cut.face is not None else None,
            confidence=cut.face.confidence if cut.face is not None else None,
        )

    def prepare(self) -> None:
        """Does now what the first predictions would have to wait for."""
        if self.bundle.kind == "keras":
            _ = self._forward

    def predict(
        self, images: NDArray[np.uint8], on_progress: OnProgress | None = None
    ) -> NDArray[np.float32]:
        """The probabilities of the classes, of several views of an image their mean.

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
            found = []
            for view in image_views(part, self.tta):
                found.append(self._run(view))
                if on_progress is not None:
                    done = len(part) * len(found) // NUM_VIEWS[self.tta]
                    on_progress(start + done, len(images))
            parts.append(mean_probabilities(found))
        return np.concatenate(parts)

    def _run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.bundle.kind == "keras":
            return self._forward(images)
        found = self._network.predict(images, batch_size=_BATCH_SIZE, verbose=0)
        return np.asarray(found, dtype=np.float32)

    @cached_property
    def _forward(self) -> Forward:
        return compile_forward(self._network, _BATCH_SIZE)
