"""Which steps give the same bytes on processors with other instructions.

    python tests/benchmarks/bench_same_bytes.py [--weights FILE]

Every step is done on this machine and again under qemu-x86_64 for processors without AVX-512,
without AVX2 and without AVX, on the same pictures; without qemu (user mode, package qemu-user)
nothing can be compared. Steps marked * are not used, and shown for what they would do.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.augment import augment_images
from fer_data.face_align import FaceSettings, align_face
from fer_data.face_weights import find_detector_weights
from fer_data.faces import Detector, Face, prepare_faces
from fer_data.image import ImageSettings, prepare_image
from fer_data.operations import OPERATIONS
from fer_data.shards.npz import encode_npz
from tests.drawn_faces import ROLLS, synthetic_face

PROCESSORS = {"Haswell": "no AVX-512", "SandyBridge": "no AVX2", "Nehalem": "no AVX"}
QEMU = "qemu-x86_64"
FEW = 1  # a network is slow where it is emulated
LIGHTS = ("none", "hist", "clahe")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--digests", type=Path, help="only print the digests, of these pictures")
    options = parser.parse_args()
    if options.digests is not None:
        print(json.dumps(digests(options.digests, options.weights)))
        return
    weights = find_detector_weights(options.weights)
    with tempfile.TemporaryDirectory() as name:
        write_pictures(Path(name))
        here = digests_under([], Path(name), weights)
        print(f"this machine: {here.pop('instructions of OpenCV')}")
        if shutil.which(QEMU) is None:
            print(f"no {QEMU}: nothing to compare with")
            return
        others = {
            model: digests_under([QEMU, "-cpu", model], Path(name), weights) for model in PROCESSORS
        }
    for model, found in others.items():
        print(f"{model}, {PROCESSORS[model]}: {found.pop('instructions of OpenCV')}")
    print(f"\n{'step':42}" + "".join(f"{model:>13}" for model in others))
    for step, digest in here.items():
        same = ("same" if found[step] == digest else "OTHER" for found in others.values())
        print(f"{step:42}" + "".join(f"{word:>13}" for word in same))


def digests_under(emulator: list[str], folder: Path, weights: Path | None) -> dict[str, str]:
    """Step → digest of its result, from a process of its own."""
    command = [*emulator, sys.executable, __file__, "--digests", str(folder)]
    command += ["--weights", str(weights)] if weights is not None else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def write_pictures(folder: Path) -> None:
    """Files with noise in them, encoded once: encoders may differ too."""
    rng = np.random.default_rng(0)
    for number, roll in enumerate(ROLLS):
        pixels, face = synthetic_face(number, roll, 350)
        (folder / f"{number}.json").write_text(json.dumps([face.box, face.landmarks]))
        noisy = np.clip(pixels + rng.integers(-8, 9, pixels.shape), 0, 255).astype(np.uint8)
        for suffix in ("png", "jpg", "webp"):
            cv2.imwrite(str(folder / f"{number}.{suffix}"), noisy[..., ::-1])


def digests(folder: Path, weights: Path | None) -> dict[str, str]:
    files = {s: [p.read_bytes() for p in sorted(folder.glob(f"*.{s}"))] for s in ("png", "jpg")}
    files["webp"] = [path.read_bytes() for path in sorted(folder.glob("*.webp"))]
    pictures: list[Any] = [cv2.imdecode(np.frombuffer(data, np.uint8), 1) for data in files["png"]]
    notes = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    faces = [Face(box=tuple(box), landmarks=tuple(map(tuple, points))) for box, points in notes]
    steps: dict[str, Callable[[], Any]] = {}
    for suffix, contents in files.items():
        for color, size in (("gray", 48), ("rgb", 96), ("rgb", 400)):
            form = ImageSettings(size=size, color=color)
            steps[f"{suffix} to {size}x{size} {color}"] = partial(prepare_all, contents, form)
    for light in LIGHTS[1:]:
        form = ImageSettings(equalize=light)
        steps[f"light: {light}"] = partial(prepare_all, files["png"], form)
    for light in LIGHTS:
        steps[f"alignment by known landmarks, light {light}"] = partial(
            align_all, pictures, faces, light
        )
    if weights is not None:
        steps["YuNet and alignment"] = partial(find_all, files["png"][:FEW], weights)
        steps["* YuNet's own numbers, unrounded"] = partial(raw_numbers, pictures[:FEW], weights)
    copies: Any = np.stack(
        [cv2.resize(p, (48, 48), interpolation=cv2.INTER_AREA) for p in pictures]
    )
    for name, operation in OPERATIONS.items():
        changed = partial(augment_images, copies, [operation], range(len(copies)))
        steps[f"Augmentor: {name}"] = changed
    steps["an NPZ shard (deflate 1)"] = lambda: np.frombuffer(
        encode_npz({"images": copies}).data, np.uint8
    )
    for level in (0, 2, 3):
        steps[f"* deflate {level}"] = partial(deflated, copies, level)
    matrix = cv2.getRotationMatrix2D((170, 180), 17.3, 0.83)
    steps["* OpenCV's cubic enlarging"] = lambda: [
        cv2.resize(p, (500, 500), interpolation=cv2.INTER_CUBIC) for p in pictures
    ]
    steps["* OpenCV's warpAffine"] = lambda: [cv2.warpAffine(p, matrix, (96, 96)) for p in pictures]
    results = {step: digest_of(call()) for step, call in steps.items()}
    return {"instructions of OpenCV": cv2.getCPUFeaturesLine(), **results}


def digest_of(arrays: Any) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def prepare_all(files: list[bytes], form: ImageSettings) -> list[NDArray[np.uint8]]:
    return [prepare_image(data, form).pixels for data in files]


def align_all(
    pictures: list[NDArray[np.uint8]], faces: list[Face], light: str
) -> Iterator[NDArray[np.uint8]]:
    for size, color in itertools.product((48, 96), ("gray", "rgb")):
        form = ImageSettings(size=size, color=color, equalize=light)
        for pixels, face in zip(pictures, faces, strict=True):
            yield align_face(pixels, face, FaceSettings(), form)


def find_all(files: list[bytes], weights: Path) -> list[NDArray[np.uint8]]:
    detector, form = Detector(weights), ImageSettings(size=96, color="rgb")
    settings = FaceSettings(none="keep")
    return [prepare_faces(data, form, settings, detector)[0].pixels for data in files]


def raw_numbers(pictures: list[NDArray[np.uint8]], weights: Path) -> list[NDArray[np.float32]]:
    net = cv2.FaceDetectorYN.create(str(weights), "", (350, 350), 0.3)
    return [found for each in pictures if (found := net.detect(each)[1]) is not None]


def deflated(images: NDArray[np.uint8], level: int) -> list[NDArray[np.uint8]]:
    deflate = isal_zlib.compressobj(level, isal_zlib.DEFLATED, -15)
    return [np.frombuffer(deflate.compress(images.tobytes()) + deflate.flush(), np.uint8)]


if __name__ == "__main__":
    main()
