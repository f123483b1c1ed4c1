"""TensorFlow Lite: one file for phones and small computers.

As the format has it, class names and metadata are a ZIP archive behind the network: `unzip` and
`zipfile` show them, an interpreter passes over them.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fer_models.export.formats import ABOUT_NAME, INPUT_NAME, OUTPUT_NAME
from fer_models.export.source import Classify, ExportSource

LABELS_NAME = "labels.txt"


def write(source: ExportSource, path: Path) -> None:
    """Writes the network and what must be known of it."""
    import tensorflow as tf

    module = tf.Module()
    module.probabilities = source.function
    functions = [module.probabilities.get_concrete_function()]
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions(functions, module).convert())
    names = "".join(f"{name}\n" for name in source.about["class_names"])
    about = json.dumps(source.about, indent=1, ensure_ascii=False)
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in ((LABELS_NAME, names), (ABOUT_NAME, about)):
            archive.writestr(zipfile.ZipInfo(name), text)  # dated 1980: the same bytes every time


def load(path: Path) -> Classify:
    """What LiteRT, or TensorFlow's own interpreter, makes of the file."""
    run = _make_interpreter(path).get_signature_runner()
    return lambda images: np.asarray(run(**{INPUT_NAME: images})[OUTPUT_NAME])


def _make_interpreter(path: Path) -> Any:
    if find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(model_path=str(path))
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        return tf.lite.Interpreter(model_path=str(path))
