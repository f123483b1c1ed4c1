"""Where the detector's weights are found, and how a download fails."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_data import face_weights
from fer_data.errors import SettingsError, SourceError
from fer_data.face_weights import (
    WEIGHTS_URLS,
    cached_weights_path,
    download_detector_weights,
    find_detector_weights,
)


def test_weights_are_found_by_argument_variable_and_cache(tmp_path: Path) -> None:
    named, other = tmp_path / "named.onnx", tmp_path / "other.onnx"
    named.write_bytes(b"1")
    other.write_bytes(b"2")
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    assert find_detector_weights(None, environ) is None
    cached = cached_weights_path(environ)
    assert cached == tmp_path / "ferkit" / "yunet_n_640_640.onnx"
    cached.parent.mkdir()
    cached.write_bytes(b"3")
    assert find_detector_weights(None, environ) == cached
    environ["FERKIT_DETECTOR_WEIGHTS"] = str(other)
    assert find_detector_weights(None, environ) == other
    assert find_detector_weights(named, environ) == named


def test_weights_that_are_named_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing.onnx"
    with pytest.raises(SettingsError, match=r"missing.onnx: no such file; expected weights"):
        find_detector_weights(missing, {})
    with pytest.raises(SettingsError, match="FERKIT_DETECTOR_WEIGHTS"):
        find_detector_weights(None, {"FERKIT_DETECTOR_WEIGHTS": str(missing)})


WEIGHTS = b"weights " * 1000


class Answers(http.server.BaseHTTPRequestHandler):
    """What servers may answer, by the path that is asked for."""

    def do_GET(self) -> None:
        whole = self.path in ("/whole", "/other")
        if not whole and self.path not in ("/broken-off", "/broken-chunk", "/empty"):
            self.send_error(404)
            return
        self.send_response(200)
        if self.path == "/broken-chunk":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", "0" if self.path == "/empty" else str(len(WEIGHTS)))
        self.end_headers()
        if self.path == "/broken-chunk":
            self.wfile.write(b"1f40\r\n" + WEIGHTS[:100])
        elif self.path != "/empty":
            data = WEIGHTS if self.path != "/other" else WEIGHTS[::-1]
            self.wfile.write(data if whole else data[:100])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server on this machine, whose /whole is what is expected."""
    monkeypatch.setattr(face_weights, "WEIGHTS_SHA256", hashlib.sha256(WEIGHTS).hexdigest())
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_downloaded_weights_are_kept_and_not_fetched_again(server: str, tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    path = download_detector_weights([f"{server}/whole"], environ)
    assert path.read_bytes() == WEIGHTS
    assert find_detector_weights(None, environ) == path
    assert download_detector_weights(["http://127.0.0.1:1/nobody"], environ) == path
    path.write_bytes(b"damaged")
    assert download_detector_weights([f"{server}/whole"], environ).read_bytes() == WEIGHTS


def test_only_the_version_that_is_expected_is_taken(server: str, tmp_path: Path) -> None:
    urls = [f"{server}/other", f"{server}/missing", f"{server}/whole"]
    path = download_detector_weights(urls, {"XDG_CACHE_HOME": str(tmp_path)})
    assert path.read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:1/nobody", "Connection refused"),
        ("no address", "unknown url type"),
        ("{server}/missing", "Not Found"),
        ("{server}/other", "8,000 bytes with SHA-256"),
        ("{server}/empty", "0 bytes with SHA-256"),
        ("{server}/broken-off", "broke off after 100 of 8,000 bytes"),
        ("{server}/broken-chunk", "IncompleteRead"),
    ],
)
def test_a_failed_download_is_one_line_that_says_what_to_do_and_leaves_nothing(
    server: str, tmp_path: Path, address: str, reason: str
) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    with pytest.raises(SourceError) as caught:
        download_detector_weights([address.format(server=server)], environ)
    message = str(caught.value)
    assert message.startswith("weights of the face detector: no download from ")
    assert reason in message
    assert "\n" not in message
    assert f"expected 317,466 bytes with SHA-256 {face_weights.WEIGHTS_SHA256}" in message
    assert f"put it at {cached_weights_path(environ)}" in message
    assert message.endswith("or name it with --detector-weights FILE")
    assert not list(tmp_path.rglob("*"))


def test_every_address_is_pinned_to_a_commit() -> None:
    for url in WEIGHTS_URLS:
        assert re.fullmatch(r"https://\S+/[0-9a-f]{40}/onnx/yunet_n_640_640\.onnx", url)
