"""The bundle: a trained network and all that is needed to use it, in one folder.

`model.keras`, or a baseline's `model.npz`, takes raw pixels; `bundle.json` says of what shape and
colour they must be, how they were prepared, and what the probabilities stand for. Nothing of the
shards is needed any more.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_data.faces import FaceSettings
from fer_data.files import write_file
from fer_data.shards.index import ShardIndex
from fer_data.version import ferkit_version
from fer_models.baselines.fitted import FittedBaseline, decode_baseline, encode_baseline
from fer_models.errors import DamagedBundleError, MissingBundleError, OtherSettingsError
from fer_models.files import write_json
from fer_models.run import SETTINGS_NAME

BUNDLE_DIR = "bundle"
BUNDLE_NAME = "bundle.json"
MODEL_NAME = "model.keras"
BASELINE_NAME = "model.npz"
EXTRACTOR_NAME = "extractor.keras"
FORMAT = "ferkit-bundle"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What `bundle.json` says.

    Attributes:
        model: name of the network.
        class_names: what the probabilities stand for, in order.
        image_shape: height, width and channels of the pixels.
        color: `"gray"` or `"rgb"`.
        equalize: how the light of the pictures was evened out: `"none"`, `"hist"`, `"clahe"`.
        faces: how faces were found, aligned and cut out, the detector by name; None: pictures were
            taken as they are. Of several sources that of the first whose faces were looked for.
        pixel_mean: mean of the training pixels a channel, 0 to 1; the network applies it itself.
        pixel_std: their standard deviation.
        dataset: name of the data set.
        index_sha256: fingerprint of the index of the shards.
        epoch: of the run, whose weights these are, counted from 1.
        ferkit_version: that trained.
        keras_version: that wrote `model.keras`.
        splits: of the shards, that were learned from.
        model_sha256: of `model.keras`, or of `model.npz`.
        kind: `"keras"`, or `"sklearn"` for a baseline.
        sklearn_version: that fitted the baseline; empty for a network.
        extractor_sha256: of `extractor.keras`, the network before the baseline; empty without one.
        format: always `"ferkit-bundle"`.
        format_version: a reader refuses one it does not know.
    """

    model: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    color: str
    equalize: str
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    dataset: str
    index_sha256: str
    epoch: int
    ferkit_version: str
    keras_version: str
    model_sha256: str
    kind: str = "keras"
    sklearn_version: str = ""
    extractor_sha256: str = ""
    splits: tuple[str, ...] = ("train",)
    faces: Mapping[str, Any] | None = None
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    @property
    def face_settings(self) -> FaceSettings | None:
        """How faces were cut out, without the place of the detector's weights; None: they were not.

        `face_detector` says whether weights belong to it.
        """
        if self.faces is None:
            return None
        return FaceSettings(**{**self.faces, "detector_weights": None})

    @property
    def face_detector(self) -> str:
        """What found the faces: `"yunet"`, `"lbp"`, or empty where none were looked for."""
        return str(self.faces["detector_weights"]) if self.faces is not None else ""

    def check_shards(self, shards_dir: Path, index: ShardIndex) -> None:
        """Refuses shards that the network cannot judge.

        Raises:
            OtherSettingsError: they have other classes, or images of another shape.
        """
        for name in ("class_names", "image_shape"):
            ours, theirs = getattr(self, name), getattr(index, name)
            if ours != theirs:
                raise OtherSettingsError(
                    f"{shards_dir}: {name} {', '.join(map(str, theirs))}; the network was trained "
                    f"for {', '.join(map(str, ours))}"
                )


def write_bundle(
    run_dir: Path,
    network: Any,
    index: ShardIndex,
    *,
    model: str,
    index_sha256: str,
    epoch: int,
    splits: tuple[str, ...] = ("train",),
) -> Path:
    """Writes the bundle of a run, `bundle.json` last, and returns its folder."""
    import keras

    bundle_dir = run_dir / BUNDLE_DIR
    data = _keras_bytes(network)
    bundle = _describe(
        index,
        model=model,
        index_sha256=index_sha256,
        epoch=epoch,
        splits=splits,
        keras_version=keras.__version__,
        model_sha256=hashlib.sha256(data).hexdigest(),
    )
    write_file(bundle_dir / MODEL_NAME, data)
    write_json(bundle_dir / BUNDLE_NAME, dataclasses.asdict(bundle))
    return bundle_dir


def write_baseline_bundle(
    run_dir: Path, fitted: FittedBaseline, index: ShardIndex, *, model: str, index_sha256: str
) -> Path:
    """Writes the bundle of a baseline's run, `bundle.json` last, and returns its folder."""
    import sklearn

    bundle_dir = run_dir / BUNDLE_DIR
    data = encode_baseline(fitted)
    versions = {"keras_version": "", "sklearn_version": sklearn.__version__}
    if fitted.extractor is not None:
        import keras

        extractor = _keras_bytes(fitted.extractor)
        write_file(bundle_dir / EXTRACTOR_NAME, extractor)
        versions["keras_version"] = keras.__version__
        versions["extractor_sha256"] = hashlib.sha256(extractor).hexdigest()
    bundle = _describe(
        index,
        model=model,
        index_sha256=index_sha256,
        epoch=1,
        kind="sklearn",
        model_sha256=hashlib.sha256(data).hexdigest(),
        **versions,
    )
    write_file(bundle_dir / BASELINE_NAME, data)
    write_json(bundle_dir / BUNDLE_NAME, dataclasses.asdict(bundle))
    return bundle_dir


def _keras_bytes(network: Any) -> bytes:
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_NAME
        keras.saving.save_model(network, path)
        return path.read_bytes()


def _describe(index: ShardIndex, **fields: Any) -> Bundle:
    """What the index says of the images, and `fields`."""
    ingest = index.lineage.get("ingest", {}).get("settings", {})
    aligned = [source["faces"] for source in ingest.get("sources", ()) if source.get("faces")]
    return Bundle(
        class_names=index.class_names,
        image_shape=index.image_shape,
        color="gray" if index.image_shape[2] == 1 else "rgb",
        equalize=ingest.get("equalize", "none"),
        faces=aligned[0] if aligned else None,
        pixel_mean=index.pixel_mean,
        pixel_std=index.pixel_std,
        dataset=index.name,
        ferkit_version=ferkit_version(),
        **fields,
    )


def find_bundle(run_or_bundle_dir: Path) -> Path:
    """The folder of the bundle, given itself or its run.

    Raises:
        MissingBundleError: there is none.
    """
    for folder in (run_or_bundle_dir / BUNDLE_DIR, run_or_bundle_dir):
        if (folder / BUNDLE_NAME).exists():
            return folder
    if not run_or_bundle_dir.exists():
        what = "no such folder"
    elif (run_or_bundle_dir / SETTINGS_NAME).exists():
        what = (
            "the run has no bundle yet; "
            f"finish it with `fermodel train --resume --run {run_or_bundle_dir}`"
        )
    else:
        what = f"no {BUNDLE_NAME} in it"
    raise MissingBundleError(
        f"{run_or_bundle_dir}: {what}. Expected a run or a bundle as `fermodel train` makes it"
    )


def read_bundle(bundle_dir: Path) -> Bundle:
    """What the `bundle.json` of a folder says.

    Raises:
        DamagedBundleError: it cannot be read, or is of an unknown version.
    """
    path = bundle_dir / BUNDLE_NAME
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields["format"] != FORMAT or fields["format_version"] != FORMAT_VERSION:
            raise DamagedBundleError(
                f"{path}: is {fields['format']} {fields['format_version']}; "
                f"this version of ferkit reads {FORMAT} {FORMAT_VERSION}"
            )
        for name in ("class_names", "image_shape", "pixel_mean", "pixel_std"):
            fields[name] = tuple(fields[name])
        fields["splits"] = tuple(fields.get("splits", ("train",)))
        bundle = Bundle(**fields)
        _ = bundle.face_settings, bundle.face_detector  # an error where they cannot be understood
        return bundle
    except DamagedBundleError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedBundleError(f"{path}: cannot be read ({error})") from None


def load_network(bundle_dir: Path, bundle: Bundle) -> Any:
    """The network of a bundle, from uint8 images (B, H, W, C) to probabilities (B, K).

    The files are checked first, and loaded without running any code that they might hold.

    Returns:
        A `keras.Model`, or the `FittedBaseline` of a baseline, which is used alike.

    Raises:
        DamagedBundleError: a file is missing, or not what was written.
    """
    if bundle.kind == "sklearn":
        path = bundle_dir / BASELINE_NAME
        data = _read_checked(path, bundle.model_sha256)
        extractor = None
        if bundle.extractor_sha256:
            extractor = _load_keras(bundle_dir / EXTRACTOR_NAME, bundle.extractor_sha256)
        try:
            network: Any = decode_baseline(data, extractor)
        except ValueError as error:
            raise DamagedBundleError(f"{path}: {error}; train again") from None
    else:
        path = bundle_dir / MODEL_NAME
        network = _load_keras(path, bundle.model_sha256)
    if tuple(network.output_shape[1:]) != (len(bundle.class_names),):
        raise DamagedBundleError(
            f"{path}: gives {network.output_shape[-1]} probabilities; "
            f"{BUNDLE_NAME} names {len(bundle.class_names)} classes"
        )
    return network


def _read_checked(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedBundleError(f"{path}: {error.strerror}; train again") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedBundleError(
            f"{path}: not the file that was written (its checksum differs); train again, or copy "
            "the bundle again from where it came"
        )
    return data


def _load_keras(path: Path, sha256: str) -> Any:
    _read_checked(path, sha256)
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedBundleError(f"{path}: Keras cannot load it ({reason})") from None
