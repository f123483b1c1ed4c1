"""Where the weights of the face detector are, and where they come from."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from fer_data.errors import SettingsError, SourceError
from fer_data.files import write_file

WEIGHTS_NAME = "yunet_n_640_640.onnx"
#: YuNet by its author; W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector",
#: Machine Intelligence Research 20 (2023).
WEIGHTS_URL = (
    "https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/"
    "47198234de8c4646961e46159e02af5b06021a78/onnx/yunet_n_640_640.onnx"
)
WEIGHTS_SHA256 = "25a606a145a5b6d7271ae138fbd00eba91dad8b83222ae3f2c7ecd0f4a7b0e31"
WEIGHTS_VARIABLE = "FERKIT_DETECTOR_WEIGHTS"
_TIMEOUT = 30.0  # seconds
_MAX_BYTES = 10_000_000


def cached_weights_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where downloaded weights are kept: `~/.cache/ferkit`, or in `$XDG_CACHE_HOME`."""
    cache = environ.get("XDG_CACHE_HOME", "")
    root = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    return root / "ferkit" / WEIGHTS_NAME


def find_detector_weights(
    path: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Path | None:
    """The weights of the detector: those named, else `$FERKIT_DETECTOR_WEIGHTS`, else the cache's.

    Args:
        path: a file named by the user.
        environ: the variables of the environment.

    Returns:
        A file that exists; None where nothing was named and the cache has none.

    Raises:
        SettingsError: a file was named and is not there.
    """
    variable = environ.get(WEIGHTS_VARIABLE)
    named = path if path is not None else Path(variable) if variable else None
    if named is not None:
        if not named.is_file():
            origin = "" if path is not None else f" (from ${WEIGHTS_VARIABLE})"
            raise SettingsError(f"{named}: no such file{origin}; expected weights of YuNet (.onnx)")
        return named
    cached = cached_weights_path(environ)
    return cached if cached.is_file() else None


def download_detector_weights(
    url: str = WEIGHTS_URL, environ: Mapping[str, str] = os.environ
) -> Path:
    """Fetches the weights into the user's cache, and returns the file.

    Raises:
        SourceError: they cannot be fetched, or are not the file that was expected; says where to
            put a file fetched by other means.
    """
    path = cached_weights_path(environ)
    advice = (
        f"fetch {url} by other means and put it at {path}, or name it with --detector-weights FILE"
    )
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
            data = response.read(_MAX_BYTES)
    except (OSError, ValueError) as error:  # URLError and time-outs are OSErrors
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise SourceError(
            f"weights of the face detector: no download ({reason}); {advice}"
        ) from None
    found = hashlib.sha256(data).hexdigest()
    if found != WEIGHTS_SHA256:
        raise SourceError(
            f"weights of the face detector: {url} gave a file with SHA-256 {found}; "
            f"expected {WEIGHTS_SHA256}; {advice}"
        )
    write_file(path, data)
    return path
