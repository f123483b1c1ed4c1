"""Where the weights of the face detector are, and where they come from."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_data.errors import SettingsError, SourceError
from fer_data.files import write_file

WEIGHTS_NAME = "yunet_n_640_640.onnx"
#: YuNet by its authors (Apache 2.0); W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face
#: Detector", Machine Intelligence Research 20 (2023). The three commits that changed the file; the
#: SHA-256 says which of them is meant.
WEIGHTS_URLS = tuple(
    f"https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/{commit}/onnx/{WEIGHTS_NAME}"
    for commit in (
        "47198234de8c4646961e46159e02af5b06021a78",
        "2a9e94ccc6b4bfbc32a427618dfe13f7667c8d1d",
        "7985249d03b0b0571507a4dc25f30752945b51f5",
    )
)
WEIGHTS_BYTES = 317_466
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
    urls: Sequence[str] = WEIGHTS_URLS, environ: Mapping[str, str] = os.environ
) -> Path:
    """The weights in the user's cache, fetched where they are not there yet.

    Args:
        urls: addresses, asked in this order until one gives the file that is expected.
        environ: the variables of the environment.

    Raises:
        SourceError: they cannot be fetched, or are not the file that was expected; says where to
            put a file fetched by other means. Nothing is left in the cache.
    """
    path = cached_weights_path(environ)
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == WEIGHTS_SHA256:
        return path
    failures = []
    for url in urls:
        try:
            data = _fetch(url)
        except urllib.error.HTTPError as error:
            failures.append(_reason(error))
            continue
        except (OSError, ValueError, http.client.HTTPException) as error:
            failures.append(_reason(error))  # no network: none for the other addresses either
            break
        found = hashlib.sha256(data).hexdigest()
        if found == WEIGHTS_SHA256:
            write_file(path, data)
            return path
        failures.append(f"it is {len(data):,} bytes with SHA-256 {found}")
    raise SourceError(
        f"weights of the face detector: no download from {urls[0]} "
        f"({'; '.join(dict.fromkeys(failures))}); expected {WEIGHTS_BYTES:,} bytes with SHA-256 "
        f"{WEIGHTS_SHA256}; fetch that file by other means and put it at {path}, or name it with "
        "--detector-weights FILE"
    )


def _fetch(url: str) -> bytes:
    """What stands there, all of it."""
    # addresses of this file alone, and what they give is compared with a checksum
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:  # noqa: S310
        data = bytes(response.read(_MAX_BYTES))
        # a read of so many bytes takes a connection that breaks off for the end of the file
        announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and len(data) < min(int(announced), _MAX_BYTES):
        raise OSError(f"broke off after {len(data):,} of {int(announced):,} bytes")
    return data


def _reason(error: Exception) -> str:
    """Why a download failed, on one line."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return " ".join(str(reason).split()) or type(error).__name__
