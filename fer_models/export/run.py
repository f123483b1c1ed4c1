"""Exports the network of a run to other formats, and checks that it says the same there."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_models.bundle import MODEL_NAME, find_bundle, load_network, read_bundle
from fer_models.errors import ExportError
from fer_models.export.about import describe
from fer_models.export.check import TOLERANCE, draw_images, largest_difference
from fer_models.export.formats import ExportFormat, find_formats
from fer_models.export.graph import trace, whole_float32
from fer_models.export.source import ExportSource
from fer_models.export.target import about_path, check_target, hidden_folder, measure, publish
from fer_models.zoo import model_title

EXPORT_DIR = "export"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """A network in one format.

    Attributes:
        format: its name.
        path: the file, or the folder of a SavedModel.
        about_path: the metadata beside it.
        num_bytes: of the file, or of all files of the folder.
        difference: largest difference of a probability from the network itself.
    """

    format: str
    path: Path
    about_path: Path
    num_bytes: int
    difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was exported.

    Attributes:
        model: name of the network.
        files: one a format, as asked for.
        num_images: that the check compared probabilities on.
    """

    model: str
    files: tuple[ExportedFile, ...]
    num_images: int

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        files = [
            dataclasses.asdict(file) | {"path": str(file.path), "about_path": str(file.about_path)}
            for file in self.files
        ]
        return dataclasses.asdict(self) | {"files": files, "tolerance": TOLERANCE}


def export_run(run_dir: Path, formats: Sequence[str], out_dir: Path | None = None) -> ExportReport:
    """Writes the network of a run in other formats, each with its metadata beside it.

    An export takes raw pixels, uint8, and computes in float32, as the network itself does. Each is
    run on images and compared before it gets its name.

    Args:
        run_dir: a run or a bundle.
        formats: names of `fer_models.export.formats.FORMATS`.
        out_dir: folder for the files; None for `export` in the run. Earlier exports are replaced.

    Raises:
        MissingBundleError: there is no trained network.
        DamagedBundleError: it cannot be read.
        ExportError: it is a baseline, cannot be written in a format, or gives other probabilities
            there.
        UnknownNameError: there is no format of a name.
        MissingLibraryError: a library that a format needs is not installed.
        SettingsError: no format, another backend of Keras than a format needs, or something stands
            in the place that was not written by an export.
        OSError: the disk is full or the folder cannot be written.
    """
    chosen = find_formats(formats)
    bundle_dir = find_bundle(run_dir)
    bundle = read_bundle(bundle_dir)
    if bundle.kind != "keras":
        raise ExportError(
            f"{run_dir}: {bundle.model} is a baseline of scikit-learn; expected a network of "
            "Keras, such as cnn4: only those can be exported"
        )
    _check_backend(chosen)
    folder = out_dir if out_dir is not None else run_dir / EXPORT_DIR
    targets = {each: folder / f"{model_title(bundle.model)}{each.suffix}" for each in chosen}
    for path in targets.values():
        check_target(path)
    network = load_network(bundle_dir, bundle)
    images = draw_images(bundle_dir, bundle)
    with whole_float32():
        expected = network.predict(images, verbose=0)
        if not np.isfinite(expected).all():
            raise ExportError(
                f"{run_dir}: {bundle.model} gives numbers that are not finite; expected a network "
                "that has learned: train again"
            )
        function = trace(network, bundle.image_shape) if _of_tensorflow(chosen) else None
        files = []
        for each, path in targets.items():
            source = ExportSource(
                model_path=bundle_dir / MODEL_NAME,
                function=function,
                about=describe(bundle, each.name),
            )
            files.append(_export(source, each, path, images, expected))
    return ExportReport(
        model=bundle.model,
        files=tuple(files),
        num_images=len(images),
    )


def _of_tensorflow(formats: Sequence[ExportFormat]) -> list[str]:
    return [each.name for each in formats if each.name != "keras"]


def _check_backend(formats: Sequence[ExportFormat]) -> None:
    import keras

    backend = keras.backend.backend()
    others = _of_tensorflow(formats)
    if others and backend != "tensorflow":
        raise SettingsError(
            f'KERAS_BACKEND is "{backend}"; {", ".join(others)} can be exported with "tensorflow" '
            "only, which loads the network of any backend"
        )


def _export(
    source: ExportSource,
    export_format: ExportFormat,
    path: Path,
    images: NDArray[np.uint8],
    expected: NDArray[np.float32],
) -> ExportedFile:
    """Writes one format, checks it, and puts it in its place."""
    module = importlib.import_module(export_format.module)
    with hidden_folder(path) as folder:
        written = folder / path.name
        try:
            module.write(source, written)
            classify = module.load(written)
            # one image, then the others: any number at once is taken
            found = [classify(part) for part in (images[:1], images[1:])]
        except OSError:
            raise
        except Exception as error:  # the converters raise nothing narrower
            reason = (str(error).strip() or type(error).__name__).split("\n")[0]
            raise ExportError(
                f"{source.about['model']}: cannot be exported to {export_format.name} ({reason})"
            ) from error
        difference = largest_difference(np.concatenate(found), expected)
        if not difference <= TOLERANCE:
            raise ExportError(
                f"{path}: not written, because its probabilities differ by up to {difference:.2g} "
                f"from those of the network on {len(images)} images; expected {TOLERANCE:g} at most"
            )
        checked = {"images": len(images), "difference": difference, "tolerance": TOLERANCE}
        publish(written, path, {**source.about, "check": checked})
    return ExportedFile(
        format=export_format.name,
        path=path,
        about_path=about_path(path),
        num_bytes=measure(path)[1],
        difference=difference,
    )
