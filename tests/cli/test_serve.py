"""`fermodel serve`: it says where it is, answers there, and ends quietly."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.fer_models.served import face_pixels, png, tiny_bundle

# what Keras says of its own old ways is no fault of ours
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    from fer_data.shards.index import read_index
    from tests.cli.test_fermodel import write_shards

    shards = tmp_path_factory.mktemp("serve") / "shards"
    write_shards(shards)
    run_dir = tmp_path_factory.mktemp("run")
    tiny_bundle(run_dir, read_index(shards))
    return run_dir


def start(run_dir, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "fermodel", "serve", str(run_dir), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"COLUMNS": "120", "PYTHONUNBUFFERED": "1"},
    )


def test_it_says_where_it_is_and_ends_with_an_interrupt(run_dir):
    with start(run_dir, "--port", "0", "--no-faces") as process:
        address = ""
        for line in process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                address = found[0]
                break
        assert address
        about = httpx.get(f"{address}/about", timeout=60).json()
        assert about["finds_faces"] is False
        for name in about["examples"]:
            picture = httpx.get(f"{address}/examples/{name}", timeout=60).content
            answer = httpx.post(f"{address}/predict", files={"files": picture}, timeout=60).json()
            assert answer["pictures"][0]["reason"] is None
        answer = httpx.post(f"{address}/predict", files={"files": png(face_pixels())}, timeout=60)
        assert len(answer.json()["pictures"][0]["faces"]) == 1
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert "Traceback" not in rest
    assert process.returncode in {0, 130}


def test_a_port_that_is_taken_is_told_in_one_line(run_dir):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with start(run_dir, "--port", port, "--no-faces") as process:
            output, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    line = output.strip().splitlines()[-1]
    assert port in line
    assert "--port 0" in line


def test_a_run_without_a_network_is_told_in_one_line(tmp_path):
    with start(tmp_path, "--port", "0") as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert str(tmp_path) in output
    assert "Traceback" not in output
