"""Networks of a user's own, from a Python file: `--model path.py:build`.

`build(spec)` gives a `keras.Model` from uint8 images (B, H, W, C) to probabilities
(B, num_classes); `DEFAULTS`, where the file has it, is the `TrainSettings` to train it with.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from fer_data.errors import SettingsError
from fer_models.settings import TrainSettings
from fer_models.zoo.network import NetworkSpec

_FUNCTION = "build"


def is_own(model: str) -> bool:
    """Whether the name of a network is that of a Python file.

    Example:
        >>> is_own("nets/mine.py:build"), is_own("mine.py"), is_own("cnn4")
        (True, True, False)
    """
    return re.search(r"\.py(:|$)", model) is not None


def resolve_own(model: str) -> str:
    """The absolute path of the file, a colon and the name of the function.

    Raises:
        SettingsError: there is no such file.
    """
    path, function = _split(model)
    if not path.is_file():
        raise SettingsError(
            f"{path}: no such file; expected a Python file with a function {function}(spec) "
            "that gives a keras.Model"
        )
    return f"{path.resolve()}:{function}"


def own_title(model: str) -> str:
    """What a run of such a network is called: the name of the file without its ending."""
    return _split(model)[0].stem


def fingerprint_own(model: str) -> str:
    """SHA-256 of the file, hex; what it imports is not looked at.

    Raises:
        SettingsError: there is no such file.
    """
    return hashlib.sha256(_split(resolve_own(model))[0].read_bytes()).hexdigest()


def own_defaults(model: str) -> TrainSettings:
    """The settings that the file names `DEFAULTS`, or the usual ones.

    Raises:
        SettingsError: the file cannot be used, or its `DEFAULTS` are not settings.
    """
    model = resolve_own(model)
    path = _split(model)[0]
    defaults = getattr(_find_function(model)[0], "DEFAULTS", TrainSettings())
    if not isinstance(defaults, TrainSettings):
        raise SettingsError(
            f"{path}: DEFAULTS is of type {type(defaults).__name__}; expected "
            "fer_models.settings.TrainSettings"
        )
    return dataclasses.replace(defaults, model=model, preset="", weights="")


def build_own(model: str, spec: NetworkSpec) -> Any:
    """The `keras.Model` that the function of the file gives, checked.

    Raises:
        SettingsError: the file cannot be used, or gives no network that fits the spec.
    """
    path, name = _split(resolve_own(model))
    function = _find_function(model)[1]
    try:
        network = function(spec)
    except Exception as error:  # a user's code raises what it likes
        raise SettingsError(_locate(path, error)) from error
    trouble = next(_troubles(network, spec), None)
    if trouble is not None:
        raise SettingsError(f"{path}: {name}(spec) gives {trouble}")
    return network


def _split(model: str) -> tuple[Path, str]:
    path, _, function = model.rpartition(".py")
    return Path(f"{path}.py"), function.removeprefix(":") or _FUNCTION


def _find_function(model: str) -> tuple[ModuleType, Callable[[NetworkSpec], Any]]:
    """The module of a file and the function in it that builds the network."""
    path, name = _split(resolve_own(model))
    module = _load_module(path, path.stat().st_mtime_ns)
    function = getattr(module, name, None)
    if not callable(function):
        found = [
            n for n, f in vars(module).items() if getattr(f, "__module__", "") == module.__name__
        ]
        raise SettingsError(
            f"{path}: no function {name} in it ({', '.join(found) or 'nor any other'}); expected "
            f"{name}(spec) that gives a keras.Model"
        )
    return module, function


@functools.cache
def _load_module(path: Path, changed: int) -> ModuleType:
    """The module of a file, run once for each time it was changed; it may import its neighbours."""
    spec = importlib.util.spec_from_file_location(f"ferkit_own_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    sys.modules[spec.name] = module  # where dataclasses look for their annotations
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a user's code raises what it likes
        del sys.modules[spec.name]
        raise SettingsError(_locate(path, error)) from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _locate(path: Path, error: Exception) -> str:
    """What went wrong in a user's file, and in which line of it."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines = [error.lineno]
    where = f", line {lines[-1]}" if lines else ""
    reason = str(error).strip().split("\n")[0]
    return f"{path}{where}: {type(error).__name__}{': ' * bool(reason)}{reason}"


def _troubles(network: Any, spec: NetworkSpec) -> Iterator[str]:
    """What keeps a network from being trained and saved for a spec, the first trouble first."""
    import keras

    if not isinstance(network, keras.Model):
        yield f"{type(network).__name__}; expected a keras.Model"
    elif type(network).__module__.split(".")[0] != "keras":
        yield (
            f"a {type(network).__name__}; expected a keras.Sequential or a keras.Model of inputs "
            "and outputs, which a bundle can hold without your file"
        )
    elif not network.built:
        yield "a network that is not built; start it with keras.Input(spec.image_shape)"
    else:
        yield from _wrong_shapes(network, spec)
        for layer in _foreign_layers(network.get_config()):
            yield (
                f"a network with {layer}; a bundle must load without your file: expected layers "
                "of keras.layers (no Lambda)"
            )
        yield from _wrong_outputs(network, spec)


def _wrong_shapes(network: Any, spec: NetworkSpec) -> Iterator[str]:
    for what, shape, expected in (
        ("input", network.input_shape, (None, *spec.image_shape)),
        ("output", network.output_shape, (None, spec.num_classes)),
    ):
        if shape != expected:
            yield f"a network with {what} shape {shape}; expected {expected}"


def _wrong_outputs(network: Any, spec: NetworkSpec) -> Iterator[str]:
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, *spec.image_shape), dtype=np.uint8)
    outputs = keras.ops.convert_to_numpy(network(pixels)).astype(np.float64)  # (2, num_classes)
    if not ((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=0.02)):
        yield (
            f"numbers from {outputs.min():.3g} to {outputs.max():.3g} that sum to "
            f"{outputs[0].sum():.3g}; expected probabilities: end it with a softmax"
        )


def _foreign_layers(config: Any) -> Iterator[str]:
    """What of a network's configuration Keras cannot load by itself."""
    if isinstance(config, dict):
        module, name = config.get("module"), config.get("class_name")
        if name == "Lambda":
            yield "a Lambda layer"
        elif name == "function":
            yield f"the function {config['config']}"
        elif isinstance(module, str) and name is not None and module.split(".")[0] != "keras":
            if module != "builtins":
                yield f"{name} of {module.removeprefix('ferkit_own_')}"
        elif config.get("registered_name") is not None and module is None:
            yield f"{config['registered_name']}"
        for value in config.values():
            yield from _foreign_layers(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _foreign_layers(value)
