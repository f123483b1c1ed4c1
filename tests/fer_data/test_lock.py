"""One writer at a time in a folder, whatever becomes of the one before."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fer_data.errors import InUseError
from fer_data.lock import LOCK_NAME, holding

HOLD = """
import sys, time
from pathlib import Path
from fer_data.lock import holding
with holding(Path(sys.argv[1]), "ferdata pack"):
    print("held", flush=True)
    time.sleep(600)
"""
COUNT = """
import sys, time
from pathlib import Path
from fer_data.errors import InUseError
from fer_data.lock import holding
folder, counter = Path(sys.argv[1]), Path(sys.argv[2])
done = 0
while done < 40:
    try:
        with holding(folder, "count"):
            number = int(counter.read_text())
            time.sleep(0.001)
            counter.write_text(str(number + 1))
            done += 1
    except InUseError:
        time.sleep(0.0005)
"""


@pytest.fixture
def other(tmp_path: Path) -> Any:
    """Another process that holds a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_another_command_is_refused_and_told_who_is_there(tmp_path: Path, other: Any) -> None:
    with (
        pytest.raises(InUseError, match=rf"`ferdata pack` \(process {other.pid} on .+, since 20"),
        holding(tmp_path, "ferdata split"),
    ):
        pytest.fail("two at once")
    assert json.loads((tmp_path / LOCK_NAME).read_text())["process"] == other.pid


def test_what_a_killed_command_held_is_free(tmp_path: Path, other: Any) -> None:
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (tmp_path / LOCK_NAME).exists()
    with holding(tmp_path, "ferdata split"):
        owner = json.loads((tmp_path / LOCK_NAME).read_text())
    assert (owner["command"], owner["process"]) == ("ferdata split", os.getpid())
    assert not (tmp_path / LOCK_NAME).exists()


def test_never_two_at_once_however_often_it_changes_hands(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    (tmp_path / "held").mkdir()
    arguments = [sys.executable, "-c", COUNT, tmp_path / "held", counter]
    processes = [subprocess.Popen(arguments) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0] * 4
    assert counter.read_text() == str(4 * 40)
    assert not any((tmp_path / "held").iterdir())


@pytest.mark.parametrize("how", ["finished", "failed"])
def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "a" / "b"
    try:
        with holding(folder, "ferdata ingest", make=True):
            assert folder.is_dir()
            if how == "failed":
                raise ValueError
    except ValueError:
        pass
    assert not any(tmp_path.iterdir())
    with holding(folder, "ferdata ingest", make=True):
        (folder / "dataset.json").touch()
    assert [path.name for path in folder.iterdir()] == ["dataset.json"]


def test_a_folder_that_is_not_there_is_left_to_the_command(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "none", tmp_path / "file"):
        with holding(place, "ferdata filter"):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_where_nothing_can_be_written_there_is_nothing_to_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(path: Path, *_: object) -> int:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(os, "open", refuse)
    with holding(tmp_path, "ferdata inspect"):
        pass


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="No space left"), holding(tmp_path, "ferdata split"):
        pytest.fail("held nothing")


def test_a_file_system_without_locks_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with holding(tmp_path, "ferdata split"):
        pass
    assert "one command at a time" in caplog.text
    assert not any(tmp_path.iterdir())


def test_an_owner_that_has_not_signed_yet_is_another_command(tmp_path: Path, other: Any) -> None:
    (tmp_path / LOCK_NAME).write_bytes(b"")
    with (
        pytest.raises(InUseError, match="another command is at work there"),
        holding(tmp_path, "ferdata split"),
    ):
        pytest.fail("two at once")
