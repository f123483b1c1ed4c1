"""Raw pictures -> samples as in training: faces found, aligned and cut out, or pictures whole."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import ImageError, SettingsError
from fer_data.face_align import in_color
from fer_data.face_detector import TINY_SIDE
from fer_data.faces import (
    CutFace,
    Decoded,
    FaceSettings,
    cut_faces,
    decode_for_faces,
    detector_for,
    find_detector_weights,
)
from fer_data.image import MIN_SIDE, ImageSettings, fit_pixels, prepare_image, prepare_images
from fer_models.bundle import Bundle

#: Which samples a picture gives: those it would have given in training; the faces in it; itself.
FACE_RULES = ("as-trained", "find", "whole")
#: The samples of one picture, or why there is none.
Samples = list[CutFace] | ImageError

_DECODED_BYTES = 2**18
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSettings:
    """Which samples are taken from raw pictures.

    Attributes:
        faces: "as-trained": faces are looked for where the network was trained on faces that were;
            "find": faces are looked for in any case, framed as FER2013's where the network was
            trained on pictures as they were, whose own size (up to 128 pixels) is then still taken
            whole; "whole": every picture is one sample.
        detector_weights: ONNX file of YuNet; None: `$FERKIT_DETECTOR_WEIGHTS`, or the cache's.
    """

    faces: str = "as-trained"
    detector_weights: Path | None = None

    def __post_init__(self) -> None:
        if self.faces not in FACE_RULES:
            expected = ", ".join(f'"{rule}"' for rule in FACE_RULES)
            raise SettingsError(f'faces must be one of {expected}; received "{self.faces}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCutter:
    """Cuts samples out of raw pictures; for one thread at a time.

    Attributes:
        image: size, colour and light of every sample.
        faces: how faces are found and cut out; None: every picture is one sample.
        keeps_tiny: pictures of up to 128 pixels are faces already, and taken whole.
    """

    image: ImageSettings
    faces: FaceSettings | None = None
    keeps_tiny: bool = False

    def cut_files(self, pictures: Sequence[bytes]) -> list[Samples]:
        """The samples of each picture file, all faces of it, the largest first.

        Args:
            pictures: each a whole file, as for `fer_data.image.prepare_images`.

        Returns:
            Of each the samples; `face` of a picture taken whole is None.
        """
        if self.faces is not None:
            return [self._cut_file(data) for data in pictures]
        return [
            picture if isinstance(picture, ImageError) else [CutFace(picture.pixels, None)]
            for few in _decoded_together(pictures)
            for picture in prepare_images(few, self.image)
        ]

    def cut_pixels(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Samples]:
        """The samples of each decoded picture, all faces of it, the largest first.

        Args:
            pictures: each a uint8 array of shape (height, width, 3), upright, channels in the
                order R, G, B.

        Raises:
            SettingsError: an array is of another shape or dtype.
        """
        return [self._cut_pixels(pixels) for pixels in pictures]

    def _cut_file(self, data: bytes) -> Samples:
        try:
            picture = decode_for_faces(data, self.image)
            if self._is_whole(picture):  # anew: grey comes of a grey decoder there
                return [CutFace(prepare_image(data, self.image).pixels, None)]
            return self._find(picture)
        except ImageError as error:
            return error.alone()

    def _cut_pixels(self, pixels: NDArray[np.uint8]) -> Samples:
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise SettingsError(
                "expected uint8 pixels of shape (height, width, 3); "
                f"received {pixels.dtype} of shape {pixels.shape}"
            )
        height, width = pixels.shape[:2]
        if min(height, width) < MIN_SIDE:
            return ImageError("too-small", f"{width}x{height} pixels; expected {MIN_SIDE} at least")
        picture = Decoded(np.ascontiguousarray(pixels), height, width)
        try:
            if self._is_whole(picture):
                sample = fit_pixels(in_color(picture.pixels, self.image), self.image)
                return [CutFace(sample, None)]
            return self._find(picture)
        except ImageError as error:
            return error.alone()

    def _is_whole(self, picture: Decoded) -> bool:
        is_tiny = max(picture.height, picture.width) <= TINY_SIDE
        return self.faces is None or (self.keeps_tiny and is_tiny)

    def _find(self, picture: Decoded) -> list[CutFace]:
        assert self.faces is not None
        return cut_faces(picture, self.image, self.faces, detector_for(self.faces), every=True)


def _decoded_together(pictures: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Picture files in portions whose pixels fit into memory together."""
    few: list[bytes] = []
    num_bytes = 0
    for data in pictures:
        few.append(data)
        num_bytes += len(data)
        if num_bytes > _DECODED_BYTES:
            yield few
            few, num_bytes = [], 0
    if few:
        yield few


def make_cutter(bundle: Bundle, image: ImageSettings, settings: PictureSettings) -> SampleCutter:
    """What cuts samples as the network of a bundle is to see them.

    Raises:
        SettingsError: there are no weights of YuNet, and the network was trained on faces that it
            found; or those named are none.
    """
    trained = bundle.face_settings
    if settings.faces == "whole" or (settings.faces == "as-trained" and trained is None):
        return SampleCutter(image=image)
    weights = None
    if bundle.face_detector != "lbp" or settings.detector_weights is not None:
        weights = find_detector_weights(settings.detector_weights)
    if weights is None and bundle.face_detector == "yunet":
        raise SettingsError(
            "the network was trained on faces that YuNet found, and there are no weights of YuNet "
            "here: name a file with --detector-weights, fetch it with --download-detector, or give "
            "faces cut out already with --no-faces"
        )
    if weights is None and trained is None:
        _log.warning(
            "no weights of YuNet were found: scikit-image's LBP cascade is used, which finds fewer "
            "faces and no eyes"
        )
    faces = replace(trained if trained is not None else FaceSettings(), detector_weights=weights)
    if weights is not None:
        detector_for(faces)  # a file that holds no weights is told now, not at the first picture
    return SampleCutter(image=image, faces=faces, keeps_tiny=trained is None)
