"""Alignment and detection of faces: how near, how many, how fast, with YuNet and with the cascade.

    python tests/benchmarks/bench_faces.py [FER2013.zip] [--weights FILE] [--sheet OUT.png]

Drawn faces have eyes at known places; so has the photograph that scikit-image ships, which is
turned. Faces and pictures without a face are scikit-image's subset of LFW, 25x25, and its
photographs; with the path of fer2013.zip also that. YuNet needs weights: those named, or those
found as `ferdata ingest --align` finds them; without any its rows are left out. The sheet shows
pictures before and after. One process.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.errors import ImageError
from fer_data.face_align import FaceSettings, alignment
from fer_data.face_weights import find_detector_weights
from fer_data.faces import Detector, Face, Point, prepare_faces, settle_landmarks
from fer_data.image import ImageSettings
from tests.conftest import png_bytes
from tests.drawn_faces import ROLLS, eye_error, moved, synthetic_face

Pixels = NDArray[np.uint8]
SIZE = 96
FORM = ImageSettings(size=SIZE, color="rgb")
PLACES = FaceSettings()
PHOTO_EYES, PHOTO_MIDDLE = ((203.5, 103.0), (246.0, 104.0)), (224, 125)
PHOTO_ROLLS = range(-40, 41, 10)
NO_FACES = ("chelsea", "coffee", "rocket", "hubble_deep_field", "moon", "coins", "page", "brick")
NUM_FER2013 = {"yunet": 1500, "lbp": 150}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fer2013", type=Path, nargs="?")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    weights = find_detector_weights(options.weights)
    detectors = {"lbp": Detector()} | ({"yunet": Detector(weights)} if weights else {})
    if "yunet" not in detectors:
        print("no weights of YuNet: only the cascade is measured")
    measure_geometry()
    if "yunet" in detectors:
        measure_turns(detectors["yunet"], options.fer2013)
    if "yunet" in detectors and options.fer2013 is not None:
        measure_places(detectors["yunet"], read_fer2013(options.fer2013, 500))
    measure_rates(detectors, options.fer2013)
    if options.sheet is not None:
        best = detectors.get("yunet", detectors["lbp"])
        write_sheet(options.sheet, sheet_pictures(options.fer2013), best)


def measure_geometry() -> None:
    """Where the eyes come to, when it is known where they are."""
    errors = []
    for roll in ROLLS:
        for index in range(40):
            _, face = synthetic_face(index, roll)
            errors.append(errors_of(face, face.landmarks[:2])[1])
    print(f"drawn faces, {len(errors)} at rolls of -30 to 30 degrees, landmarks known")
    print(f"  eyes within {max(errors):.2f} px of their places at {SIZE}x{SIZE} (target: 2)")


def measure_turns(detector: Detector, fer2013: Path | None) -> None:
    """How level, and how near to their places, eyes come that the detector has to find."""
    rows = {"a photograph, -40 to 40 degrees": list(turned_photograph(detector))}
    for roll in (0, 30):
        rows[f"drawn faces, {roll} degrees"] = list(turned_drawings(detector, roll))
    if fer2013 is not None:
        pictures = read_fer2013(fer2013, 150)
        for roll in (10, 20, 30):
            rows[f"FER2013, turned by {roll} degrees more"] = [
                *turned_pictures(detector, pictures, roll)
            ]
    print(f"\nfound by YuNet: roll left over, and eyes from their places at {SIZE}x{SIZE}")
    print(f"  {'':34} {'median':>14} {'90% within':>14}")
    for what, errors in rows.items():
        (roll, eyes), (roll_90, eyes_90) = np.percentile(errors, [50, 90], axis=0)
        print(f"  {what:34} {roll:4.1f}° {eyes:5.1f} px {roll_90:6.1f}° {eyes_90:5.1f} px")


def turned_photograph(detector: Detector) -> Iterator[tuple[float, float]]:
    """Degrees and pixels at each roll."""
    for roll in PHOTO_ROLLS:
        pixels, matrix = turn(skimage.data.astronaut(), roll, PHOTO_MIDDLE)
        face = settle_landmarks(pixels, detector.detect(pixels)[0], detector)
        yield errors_of(face, points_at(PHOTO_EYES, matrix))


def turned_drawings(detector: Detector, roll: float) -> Iterator[tuple[float, float]]:
    for index in range(40):
        for each in {roll, -roll}:
            pixels, truth = synthetic_face(index, each)
            for found in detector.detect(pixels)[:1]:
                face = settle_landmarks(pixels, found, detector)
                yield errors_of(face, truth.landmarks[:2])


def turned_pictures(
    detector: Detector, pictures: Sequence[Pixels], roll: float
) -> Iterator[tuple[float, float]]:
    """Against what is found in the same picture before it is turned; faces not found are no row."""
    for pixels in pictures:
        before = detector.detect(pixels)
        if not before:
            continue
        truth = settle_landmarks(pixels, before[0], detector)
        for each in (roll, -roll):
            turned, matrix = turn(pixels, each, (pixels.shape[1] / 2, pixels.shape[0] / 2))
            for found in detector.detect(turned)[:1]:
                face = settle_landmarks(turned, found, detector)
                yield errors_of(face, points_at(truth.landmarks[:2], matrix))


def errors_of(face: Face, eyes: Sequence[Point]) -> tuple[float, float]:
    """Degrees that the true eyes are not level after alignment, and pixels from their places."""
    left, right = points_at(eyes, alignment(face, PLACES, SIZE))
    roll = np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0]))
    return abs(float(roll)), eye_error((left, right), PLACES, SIZE)


def measure_places(detector: Detector, pictures: Sequence[Pixels]) -> None:
    """Where FER2013 has eyes and mouth, which is where aligned faces have them."""
    found = [(pixels, detector.detect(pixels)[:1]) for pixels in pictures]
    faces = [settle_landmarks(pixels, faces[0], detector) for pixels, faces in found if faces]
    shares = (np.median([face.landmarks for face in faces], axis=0) + 0.5) / pictures[0].shape[0]
    left, right, mouth = shares[0], shares[1], shares[3:].mean(axis=0)
    print(f"\nFER2013, medians of {len(faces)} faces, as shares of the picture's size")
    for what, (x, y) in {"eye": left, "other eye": right, "mouth": mouth}.items():
        print(f"  {what:10} {x:.2f} across {y:.2f} down")


def measure_rates(detectors: Mapping[str, Detector], fer2013: Path | None) -> None:
    lfw = [as_rgb(np.round(each * 255).astype(np.uint8)) for each in skimage.data.lfw_subset()]
    photos = [as_rgb(getattr(skimage.data, name)()) for name in NO_FACES]
    sets = {
        "drawn faces, 192x192": [synthetic_face(n)[0] for n in range(40)],
        "LFW faces, 25x25": lfw[:100],
        "LFW without a face, 25x25": lfw[100:],
        "a photograph, 512x512": [skimage.data.astronaut()] * 10,
        "photographs without a face": photos,
    }
    print("\nfound, and rejected for what; ms a picture, decoding and alignment included")
    for what in (*sets, *(["FER2013, 48x48"] if fer2013 is not None else [])):
        for method, detector in sorted(detectors.items(), reverse=True):
            pictures = sets.get(what) or read_fer2013(fer2013, NUM_FER2013[method])
            counts, took = count_results(pictures, detector)
            share = f"{counts.pop('found', 0) / len(pictures):.1%}"
            rejected = ", ".join(f"{name} {count}" for name, count in counts.items())
            print(
                f"  {what:28} {method:6} {share:>6} of {len(pictures):5,}"
                f" {took * 1000 / len(pictures):6.1f} ms  {rejected}"
            )


def count_results(pictures: Sequence[Pixels], detector: Detector) -> tuple[Counter[str], float]:
    files = [png_bytes(np.ascontiguousarray(pixels[..., ::-1])) for pixels in pictures]
    counts: Counter[str] = Counter()
    prepare = partial(prepare_faces, image_settings=FORM, settings=PLACES, detector=detector)
    # networks and cascades are laid out by the first picture that they see
    prepare_faces(files[0], FORM, FaceSettings(none="keep"), detector)
    start = time.perf_counter()
    for data in files:
        try:
            prepare(data)
            counts["found"] += 1
        except ImageError as error:
            counts[error.reason] += 1
    return counts, time.perf_counter() - start


def sheet_pictures(fer2013: Path | None) -> list[Pixels]:
    photo = skimage.data.astronaut()
    pictures = [turn(photo, roll, PHOTO_MIDDLE)[0][:300, 60:400] for roll in (-30, -15, 0, 15, 30)]
    pictures += [photo, photo[:, ::-1], photo // 4, photo[55:175, 165:285], photo[90:260, 120:340]]
    pictures += [synthetic_face(n, roll)[0] for n, roll in zip(range(7), ROLLS, strict=True)]
    pictures += read_fer2013(fer2013, 30) if fer2013 is not None else []
    return pictures


def write_sheet(path: Path, pictures: Sequence[Pixels], detector: Detector) -> None:
    """Pairs of before and after; grey where no face was found. Eyes belong on the white lines."""
    columns, gap = 4, 8
    rows = -(-len(pictures) // columns)
    pair, line = 2 * SIZE + gap, SIZE + gap
    sheet = np.full((rows * line + gap, columns * (pair + gap) + gap, 3), 40, np.uint8)
    for number, pixels in enumerate(pictures):
        top, left = gap + number // columns * line, gap + number % columns * (pair + gap)
        sheet[top : top + SIZE, left : left + SIZE] = fitted(pixels)
        data = png_bytes(np.ascontiguousarray(pixels[..., ::-1]))
        try:
            after = prepare_faces(data, FORM, PLACES, detector)[0].pixels
        except ImageError:
            after = np.full((SIZE, SIZE, 3), 90, np.uint8)
        start = left + SIZE + gap // 2
        sheet[top : top + SIZE, start : start + SIZE] = after
        for x, y in PLACES.places(SIZE)[:2]:  # ticks at the edges, so that no face is covered
            sheet[top + round(y), start : start + 5] = 255
            sheet[top + round(y), start + SIZE - 5 : start + SIZE] = 255
            sheet[top : top + 5, start + round(x)] = 255
    cv2.imwrite(str(path), sheet[..., ::-1])
    print(f"\n{path}: {len(pictures)} pictures before and after, {detector.method}")


def fitted(pixels: Pixels) -> Pixels:
    scale = SIZE / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    small = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)
    square = np.zeros((SIZE, SIZE, 3), np.uint8)
    square[: size[1], : size[0]] = small
    return square


def read_fer2013(path: Path | None, number: int) -> list[Pixels]:
    assert path is not None
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        files = [archive.read(name) for name in random.Random(7).sample(names, number)]
    decoded: list[Any] = [cv2.imdecode(np.frombuffer(file, np.uint8), 0) for file in files]
    return [as_rgb(each) for each in decoded]


def turn(pixels: Pixels, roll: float, middle: Point) -> tuple[Pixels, NDArray[np.float64]]:
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D(middle, -roll, 1)
    turned = cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), np.asarray(matrix, np.float64)


def points_at(points: Sequence[Point], matrix: NDArray[np.float64]) -> list[Point]:
    return [(float(x), float(y)) for x, y in moved(tuple(points), matrix)]


def as_rgb(pixels: Pixels) -> Pixels:
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]


if __name__ == "__main__":
    main()
