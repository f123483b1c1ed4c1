"""The formats that a network can be exported to, as data: nothing heavy is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from fer_data.errors import SettingsError, UnknownNameError
from fer_models.errors import MissingLibraryError

INPUT_NAME = "pixels"
OUTPUT_NAME = "probabilities"
#: What the metadata is called inside a file or folder that has a place for it.
ABOUT_NAME = "ferkit.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """A format.

    Attributes:
        name: what it is called on the command line.
        suffix: what follows the name of the network in the name of the file or folder.
        module: where `write(source, path)` and `load(path)` stand.
        libraries: what must be installed besides TensorFlow, by the names they are imported by.
    """

    name: str
    suffix: str
    module: str
    libraries: tuple[str, ...] = ()


_FORMATS = (
    ExportFormat(
        name="onnx",
        suffix=".onnx",
        module="fer_models.export.onnx_file",
        libraries=("onnx", "onnxruntime", "tf2onnx"),
    ),
    ExportFormat(name="tflite", suffix=".tflite", module="fer_models.export.tflite_file"),
    ExportFormat(name="saved-model", suffix="-saved-model", module="fer_models.export.saved_model"),
    ExportFormat(name="keras", suffix=".keras", module="fer_models.export.keras_file"),
)
FORMATS: dict[str, ExportFormat] = {each.name: each for each in _FORMATS}


def find_formats(names: Sequence[str]) -> tuple[ExportFormat, ...]:
    """The formats of these names, each once.

    Raises:
        SettingsError: there is no name.
        UnknownNameError: there is no format of a name.
        MissingLibraryError: a library that a format needs is not installed.
    """
    if not names:
        raise SettingsError(f"no format to export to; expected {', '.join(FORMATS)}")
    for name in names:
        if name not in FORMATS:
            raise UnknownNameError("format", name, FORMATS)
    found = tuple(FORMATS[name] for name in dict.fromkeys(names))
    for each in found:
        missing = [library for library in each.libraries if find_spec(library) is None]
        if missing:
            raise MissingLibraryError(
                f"{each.name} needs {' and '.join(missing)}, which "
                f"{'is' if len(missing) == 1 else 'are'} not installed: "
                "pip install 'ferkit[export]'"
            )
    return found
