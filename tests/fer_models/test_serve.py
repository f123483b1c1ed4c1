"""The server: the same answers as `predict`, and nothing but answers to whatever it is sent."""

from __future__ import annotations

import asyncio
import dataclasses
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import httpx
import numpy as np
import pytest

from fer_data.face_align import FaceSettings
from fer_models.picture_faces import SampleCutter
from fer_models.predict import Predictor
from fer_models.serve.app import ServeSettings, create_app
from tests.fer_models.served import (
    examples,
    face_pixels,
    png,
    running,
    tiny_bundle,
    video_bytes,
)

MAX_BYTES = 2_000_000
SETTINGS = ServeSettings(max_files=4, max_bytes=MAX_BYTES, max_seconds=1.5)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory, shard_writer):
    index = shard_writer(tmp_path_factory.mktemp("shards"), {"train": [4]}, image_shape=(48, 48, 1))
    return Predictor.load(tiny_bundle(tmp_path_factory.mktemp("run"), index))


@pytest.fixture(scope="module")
def cutter(predictor):
    """Finds faces with the cascade, which needs no weights."""
    return SampleCutter(image=predictor.image_settings, faces=FaceSettings(), keeps_tiny=True)


@pytest.fixture
def app(predictor, cutter):
    return create_app(predictor, cutter, SETTINGS, examples())


@pytest.fixture(scope="module")
def client(predictor, cutter):
    app = create_app(predictor, cutter, SETTINGS, examples())
    with running(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture
def temp_dir(tmp_path, monkeypatch):
    """Where all temporary files go."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def upload(client, *files, path="/predict", field="files", **headers):
    return client.post(path, files=[(field, file) for file in files], headers=headers)


def test_the_answer_is_that_of_predict(client, predictor, cutter):
    rng = np.random.default_rng(0)
    pictures = {
        "face.png": png(face_pixels()),
        "small.png": png(rng.integers(0, 256, (60, 48, 3), dtype=np.uint8)),
        "nobody.png": png(np.full((200, 300, 3), 90, np.uint8)),
        "words.txt": b"a face, described in words",
    }
    expected = predictor.predict_samples(cutter.cut_files(list(pictures.values())))
    answer = upload(client, *pictures.items()).json()
    assert [picture["name"] for picture in answer["pictures"]] == list(pictures)
    assert [picture["reason"] for picture in answer["pictures"]] == [
        None, None, "no-face", "not-an-image",
    ]  # fmt: skip
    for told, seen in zip(answer["pictures"], expected, strict=True):
        assert len(told["faces"]) == len(seen.faces)
        for face, right in zip(told["faces"], seen.faces, strict=True):
            assert list(face["probabilities"]) == list(predictor.bundle.class_names)
            values = list(face["probabilities"].values())
            assert values == pytest.approx(right.probabilities, abs=1e-4)
            assert face["class_name"] == right.class_name
            box = tuple(face["box"].values()) if face["box"] else None
            assert box == right.box
    assert answer["pictures"][0]["faces"][0]["box"] is not None
    assert answer["pictures"][1]["faces"][0]["box"] is None


def test_names_are_told_back_and_never_used(client, temp_dir):
    picture = png(face_pixels())
    names = ["../../etc/passwd", "C:\\a\\b.png", "ü ☺.png", "<img src=x onerror=alert(1)>.png"]
    answer = upload(client, *((name, picture) for name in names)).json()
    assert [picture["name"] for picture in answer["pictures"]] == [names[0], "b.png", *names[2:]]
    assert not list(temp_dir.iterdir())


def test_a_video_is_told_by_moments(client, temp_dir, tmp_path):
    data = video_bytes(tmp_path / "a", num_frames=10)
    answer = upload(client, ("a.webm", data), path="/predict/video", field="file").json()
    assert (answer["width"], answer["height"], answer["is_whole"]) == (400, 300, True)
    assert answer["seconds"] == pytest.approx(1)
    assert [moment["frame"] for moment in answer["moments"]] == [0, 2, 5, 7]
    people = [face["person"] for moment in answer["moments"] for face in moment["faces"]]
    assert people
    assert set(people) == {1}
    lefts = [m["faces"][0]["box"]["left"] for m in answer["moments"] if m["faces"]]
    assert lefts == sorted(lefts)
    assert not list(temp_dir.iterdir())


def test_a_long_video_is_looked_at_as_far_as_allowed(client, tmp_path):
    data = video_bytes(tmp_path / "a", num_frames=40)
    answer = upload(client, ("a.webm", data), path="/predict/video", field="file").json()
    assert answer["is_whole"] is False
    assert answer["seconds"] == 1.5
    assert answer["moments"][-1]["time"] <= 1.5


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"words", "is no video; expected MP4"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "is no video"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(40), "damaged"),
    ],
)
def test_what_is_no_video_is_told_without_a_path(client, temp_dir, data, words):
    answer = upload(client, ("a.mp4", data), path="/predict/video", field="file")
    assert answer.status_code == 200
    assert answer.json()["reason"] == "no-video"
    assert words in answer.json()["detail"]
    assert str(temp_dir) not in answer.text
    assert not list(temp_dir.iterdir())


def test_too_much_is_refused(client):
    small = png(np.zeros((48, 48), np.uint8))
    assert upload(client, *[("a.png", small)] * 4).status_code == 200
    assert upload(client, *[("a.png", small)] * 5).status_code == 422
    large = upload(client, ("a.png", bytes(MAX_BYTES + 1)))
    assert large.status_code == 413
    assert f"expected {MAX_BYTES:,} at most" in large.json()["detail"]
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    pieces = iter([head, *[bytes(100_000)] * 21])  # without saying how many there will be
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert client.post("/predict", content=pieces, headers=kind).status_code == 413
    assert client.post("/predict").status_code == 422
    assert upload(client, ("a.png", small), field="other").status_code == 422


def test_a_small_file_that_unfolds_to_too_many_pixels_is_told(client):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10_000_000), 9))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = upload(client, ("bomb.png", bomb)).json()
    assert answer["pictures"][0]["reason"] == "too-large"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://other.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
        {"Host": "other.example"},
        {"Host": "localhost.other.example"},
        {"Host": "169.254.169.254"},
    ],
)
def test_other_pages_are_refused(client, headers):
    for answer in (
        upload(client, ("a.png", png(face_pixels())), **headers),
        client.get("/about", headers=headers),
        client.get("/", headers=headers),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "localhost:8000", "LOCALHOST"])
def test_its_own_page_is_heard(client, host):
    headers = {"Host": host, "Origin": f"http://{host}"}
    assert upload(client, ("a.png", png(face_pixels())), **headers).status_code == 200


def test_with_any_host_the_origin_still_counts(predictor, cutter):
    settings = dataclasses.replace(SETTINGS, hosts=())
    with running(create_app(predictor, cutter, settings, [])) as address:
        for host, origin, status in (
            ("box.local", "http://box.local", 200),
            ("box.local", "http://other.example", 403),
        ):
            headers = {"Host": host, "Origin": origin}
            assert httpx.get(f"{address}/about", headers=headers).status_code == status


def test_every_answer_keeps_others_out(client):
    for answer in (
        client.get("/"), client.get("/nothing"), client.post("/predict"), client.put("/about"),
        client.get("/", headers={"Host": "other.example"}), client.get("/examples/face 0"),
    ):  # fmt: skip
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers


def test_the_page_names_no_other_host(client):
    for path in ("/", "/page.css", "/page.js"):
        text = client.get(path).text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert "//" not in text.replace(" // ", "").replace("\n// ", "").replace("  // ", "")
    assert client.get("/docs").status_code == 404


def test_examples_and_about(client, predictor):
    about = client.get("/about").json()
    assert about["class_names"] == list(predictor.bundle.class_names)
    assert about["finds_faces"] is True
    assert about["max_bytes"] == MAX_BYTES
    for name, example in zip(about["examples"], examples(), strict=True):
        assert client.get(f"/examples/{name}").content == example.png
    assert client.get("/examples/nobody").status_code == 404


def test_the_schema_holds_for_whatever_is_sent(app, tmp_path):
    """schemathesis: answers that fit the schema, and no error of the server."""
    with running(app) as address:
        command = [
            sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()",
            "run", f"{address}/openapi.json", "--max-examples=30", "--generation-deterministic",
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
        )
    assert done.returncode == 0, done.stdout + done.stderr


async def send(address, bodies, at_once):
    """Sends malformed uploads, many at once, and gives their statuses."""
    slots = asyncio.Semaphore(at_once)
    limits = httpx.Limits(max_connections=at_once)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=120) as client:

        async def one(body, headers, path):
            async with slots:
                return (await client.post(path, content=body, headers=headers)).status_code

        return await asyncio.gather(*(one(*each) for each in bodies))


def malformed(number):
    """A body that is wrong in one of many ways, its headers, and where it goes."""
    rng = np.random.default_rng(number)
    picture = png(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
    name = ["a.png", "../../../../etc/cron.d/x", "\\\\host\\share", "a\0b.png", "%00", "." * 300][
        number % 6
    ]
    data = [
        b"",
        picture[: int(rng.integers(1, len(picture)))],  # cut off
        bytes(rng.integers(0, 256, 2000, dtype=np.uint8)),
        picture[:60] + bytes(rng.integers(0, 256, 500, dtype=np.uint8)),
        b"GIF89a" + b"\xff\xff\xff\xff" + bytes(20),  # of 65,535 x 65,535 pixels
        b"\x00\x00\x00\x20ftypisom" + bytes(rng.integers(0, 256, 900, dtype=np.uint8)),
        b"RIFF\x00\x01\x00\x00AVI LIST" + bytes(rng.integers(0, 256, 900, dtype=np.uint8)),
        b"\xff\xd8\xff\xe0" + bytes(rng.integers(0, 256, 900, dtype=np.uint8)),
        b"II*\x00" + bytes(rng.integers(0, 256, 900, dtype=np.uint8)),
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    ][number % 10]
    video = number % 3 == 0
    field = "file" if video else "files"
    head = f'--b\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + b"\r\n--b--\r\n"
    kind = "multipart/form-data; boundary=b"
    shape = number % 11
    if shape == 7:
        body = body[: len(body) // 2]  # ends in the middle
    if shape == 8:
        kind = "application/json"
    if shape == 9:
        body = body * 40  # forty files, each after the end of the last
    if shape == 10:
        kind = "multipart/form-data"  # no boundary
    return body, {"Content-Type": kind}, "/predict/video" if video else "/predict"


# a body that ends in the middle of a file: starlette leaves it to the garbage collector
@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning")
def test_a_thousand_malformed_uploads_leave_it_answering(temp_dir, app):
    bodies = [malformed(number) for number in range(1000)]
    with running(app) as address:
        answer = httpx.post(f"{address}/predict", files={"files": png(face_pixels())}, timeout=60)
        files_before = len(list(Path("/proc/self/fd").iterdir()))
        statuses = asyncio.run(send(address, bodies[:800], at_once=20))
        statuses += asyncio.run(send(address, bodies[800:], at_once=200))
        assert set(statuses) <= {200, 400, 413, 422}
        assert len(statuses) == 1000
        again = httpx.post(f"{address}/predict", files={"files": png(face_pixels())}, timeout=60)
        assert again.json() == answer.json()
        assert len(list(Path("/proc/self/fd").iterdir())) <= files_before + 5
    assert not list(temp_dir.iterdir())


def test_a_sender_who_says_nothing_does_not_keep_others_out(app, monkeypatch):
    monkeypatch.setattr("fer_models.serve.guard._SILENCE_SECONDS", 0.5)
    with running(app) as address:
        host, port = address.removeprefix("http://").split(":")
        silent = []
        for _ in range(8):
            line = socket.create_connection((host, int(port)))
            line.sendall(
                b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b"
            )
            silent.append(line)
        picture = png(face_pixels())
        answer = httpx.post(f"{address}/predict", files={"files": picture}, timeout=30)
        assert answer.status_code == 200
        for line in silent:
            line.close()
