"""TensorFlow, loaded without the log lines that tell its users nothing."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from fer_data.errors import FerDataError, SettingsError
from fer_models.errors import FerModelError, MissingLibraryError

_BACKENDS = ("tensorflow", "jax", "torch")


def load_keras_for(run_dir: Path) -> None:
    """Imports Keras if the bundle of a run needs it; a baseline does not.

    Raises:
        MissingBundleError: the run has none.
        DamagedBundleError: it cannot be read.
    """
    from fer_models.bundle import find_bundle, read_bundle

    if read_bundle(find_bundle(run_dir)).keras_version:
        load_keras()


def load_keras() -> None:
    """Imports Keras and its backend; what they write to standard error shows only if they fail.

    Raises:
        MissingLibraryError: Keras, TensorFlow or the backend is not installed.
        SettingsError: `$KERAS_BACKEND` names none that trains.
    """
    backend = os.environ.get("KERAS_BACKEND") or _BACKENDS[0]
    if backend not in _BACKENDS:
        raise SettingsError(
            f'KERAS_BACKEND is "{backend}"; expected {", ".join(_BACKENDS[:-1])} or {_BACKENDS[-1]}'
        )
    for name in dict.fromkeys(("keras", "tensorflow", backend)):  # TensorFlow reads the shards
        if find_spec(name) is None:
            where = "tensorflow" if name == "keras" else name
            raise MissingLibraryError(
                f"networks need {name}, which is not installed: pip install {where}"
            )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    with hushed():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()  # which is when it looks for a GPU, and says so
    tf.get_logger().setLevel("ERROR")


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keeps warnings and standard error back; the latter shows where an error is not ours.

    TensorFlow's C++ part writes to the file descriptor before any log level is looked at.
    """
    sys.stderr.flush()
    standard_error = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except (FerDataError, FerModelError, OSError):
            raise
        except BaseException:
            said.seek(0)
            os.write(standard_error, said.read())
            raise
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
