"""A `ferdata pack` that is killed, interrupted or out of space loses nothing and leaves nothing."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fer_data.balance import BalanceSettings, balance
from fer_data.dataset import Dataset
from fer_data.errors import FerDataError, MissingShardsError
from fer_data.pack import PackSettings, pack
from fer_data.shards.index import INDEX_NAME, PAPERS, WORK_DIR, read_index
from fer_data.shards.verify import verify_shards
from tests.edited_index import unsealed
from tests.fer_data.conftest import build_dataset

COUNTS = {
    "train": {"anger": 100, "disgust": 80},
    "validation": {"anger": 30, "disgust": 10},
    "test": {"anger": 20, "disgust": 10},
}
FEW = {"train": {"anger": 3, "disgust": 2}, "test": {"anger": 2}}
SMALL = PackSettings(shard_samples=10)
KILLS = 5  # a case
#: What stands in the folder before; None: nothing.
OLDER = {"nothing": None, "another pack": PackSettings(shard_samples=32, seed=3)}
#: ferdata, that gets a Ctrl-C as its 20th shard takes its place.
INTERRUPTED = (
    "-c",
    """
import os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
left = 20
def hook(event, arguments):
    global left
    if event == "os.rename" and str(arguments[1]).endswith(".npz"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(hook)
runpy.run_module("ferdata", run_name="__main__", alter_sys=True)
""",
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a data set that is split and balanced."""
    dataset = build_dataset(tmp_path_factory.mktemp("killed") / "ds", COUNTS)
    return balance(dataset, BalanceSettings(to="max"))[0].dir


@pytest.fixture
def dataset_dir(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "ds"))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """What changes when a file is written anew: its time and its place on the disk."""
    return {p.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.iterdir()}


def start(
    dataset_dir: Path,
    out: Path,
    settings: PackSettings,
    program: Sequence[str] = ("-m", "ferdata"),
    **options: Any,
) -> subprocess.Popen[str]:
    command = [sys.executable, *program, "pack", "--dataset", str(dataset_dir)]
    command += ["--out", str(out), "--format", settings.format]
    command += ["--shard-samples", str(settings.shard_samples), "--workers", "1"]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options
    )


def assert_no_index_or_a_right_one(out: Path) -> None:
    try:
        assert verify_shards(out).problems == ()
    except MissingShardsError:
        assert not (out / INDEX_NAME).exists()


@pytest.mark.parametrize("older", OLDER)
@pytest.mark.parametrize("format_", ["npz", "hdf5"])
def test_a_killed_pack_goes_on_to_the_same_bytes(
    dataset_dir: Path, tmp_path: Path, format_: str, older: str
) -> None:
    dataset, before = Dataset.open(dataset_dir), OLDER[older]
    settings = PackSettings(format=format_, shard_samples=10)
    pack(dataset, tmp_path / "whole", settings, workers=1)
    expected = files(tmp_path / "whole")
    if before is not None:
        pack(dataset, tmp_path / "before", before, workers=1)
    chance = random.Random(format_ + older)
    out = tmp_path / "out"
    num_midway = 0
    for number in range(KILLS):
        if before is not None:
            shutil.copytree(tmp_path / "before", out)
        last = sorted(expected)[number * len(expected) // KILLS]
        run = start(dataset_dir, out, settings)
        # by the clock the blow would mostly fall while Python still loads its modules
        while run.poll() is None and not (out / last).exists():
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.03))
        run.kill()
        _, errors = run.communicate()
        assert run.returncode in (0, -signal.SIGKILL), errors
        assert_no_index_or_a_right_one(out)
        num_midway += (out / WORK_DIR).is_dir()
        pack(Dataset.open(dataset_dir), out, settings, workers=1)
        assert files(out) == expected
        assert sorted(path.name for path in out.iterdir()) == sorted(expected)
        shutil.rmtree(out)
    assert num_midway >= 1, "no kill fell in the middle of the work"


class Stopped(BaseException):
    """Ends a pack between two steps, as a kill does; nobody catches it."""


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Lets the process die before its n-th change of the disk."""
    num_steps = 0

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            nonlocal num_steps
            num_steps += 1
            if num_steps > step:  # once dead, nothing more is done, clearing up neither
                raise Stopped
            return function(*arguments, **options)

        return call

    for name in ("replace", "unlink", "mkdir", "rmdir", "open"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))


@pytest.mark.parametrize("harm", ["another pack", "three shards", "papers"])
def test_whichever_step_is_the_last_the_next_run_ends_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    """Every change of the disk in turn is the one that is not done any more."""
    settings = PackSettings(shard_samples=3)
    dataset = build_dataset(tmp_path / "ds", FEW)
    dataset, _ = pack(dataset, tmp_path / "whole", settings, workers=1)
    expected, before = files(tmp_path / "whole"), tmp_path / "before"
    other = PackSettings(shard_samples=4, seed=2)
    pack(dataset, before, other if harm == "another pack" else settings, workers=1)
    if harm == "three shards":
        damage_three(before)
    if harm == "papers":
        (before / PAPERS[0]).unlink()
    out, step, is_cut = tmp_path / "out", 0, True
    while is_cut:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(before, out)
        with monkeypatch.context() as patch:
            stop_at(patch, step)
            try:
                pack(dataset, out, settings, workers=1)
                is_cut = False
            except Stopped:
                pass
        if is_cut and harm != "three shards":
            assert_no_index_or_a_right_one(out)
        pack(dataset, out, settings, workers=1)
        assert files(out) == expected, step
        assert not (out / WORK_DIR).exists()
        step += 1
    assert step > 15


def damage_three(out: Path) -> list[str]:
    """One shard gone, one cut short, one with another byte; their names."""
    names = [shard.file for shard in read_index(out).shards]
    gone, cut, flipped = names[0], names[len(names) // 2], names[-1]
    (out / gone).unlink()
    (out / cut).write_bytes((out / cut).read_bytes()[:100])
    data = bytearray((out / flipped).read_bytes())
    data[len(data) // 2] ^= 4
    (out / flipped).write_bytes(data)
    return [gone, cut, flipped]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("format_", ["npz", "hdf5"])
def test_pack_writes_only_what_is_damaged(
    dataset_dir: Path, tmp_path: Path, format_: str, workers: int
) -> None:
    settings, out = PackSettings(format=format_, shard_samples=10), tmp_path / "out"
    dataset, first = pack(Dataset.open(dataset_dir), out, settings, workers=1)
    expected, before = files(out), stamps(out)
    damaged = damage_three(out)
    calls: list[tuple[int, int]] = []
    _, report = pack(
        dataset, out, settings, workers=workers, on_progress=lambda *call: calls.append(call)
    )
    assert files(out) == expected
    assert report.index == first.index
    assert (report.num_made, report.num_found) == (3, len(first.index.shards) - 3)
    after = stamps(out)
    assert {name for name in after if after[name] != before[name]} == {*damaged, INDEX_NAME}
    num_samples = sum(shard.num_samples for shard in first.index.shards)
    assert calls[0][0] > num_samples // 2
    assert calls[-1] == (num_samples, num_samples)


def test_a_mending_that_was_cut_short_goes_on(
    dataset_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    dataset, first = pack(Dataset.open(dataset_dir), out, SMALL, workers=1)
    expected = files(out)
    damage_three(out)
    with monkeypatch.context() as patch:
        patch.setattr("fer_data.pack.stale_papers", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pack(dataset, out, SMALL, workers=1)
    assert not (out / INDEX_NAME).exists()
    _, report = pack(dataset, out, SMALL, workers=1)
    assert (report.num_made, report.num_found) == (0, len(first.index.shards))
    assert files(out) == expected


@pytest.mark.parametrize("harm", ["gone", "flipped", "cut", "edited", "without digest"])
def test_whole_shards_without_their_index_are_packed_right(
    dataset_dir: Path, tmp_path: Path, harm: str
) -> None:
    out = tmp_path / "out"
    dataset, _ = pack(Dataset.open(dataset_dir), out, SMALL, workers=1)
    expected = files(out)
    text = expected[INDEX_NAME].decode()
    (out / INDEX_NAME).write_text(
        {
            "gone": "",
            "flipped": text.replace('"pixel_mean"', '"pixel_mfan"'),
            "cut": text[: len(text) // 2],
            "edited": text.replace('"seed": 0', '"seed": 1'),
            "without digest": unsealed(text).replace('"seed": 0', '"seed": 1', 1),
        }[harm],
        encoding="utf-8",
    )
    if harm == "gone":
        (out / INDEX_NAME).unlink()
    pack(dataset, out, SMALL, workers=1)
    assert files(out) == expected


def test_ctrl_c_ends_with_one_line_and_the_work_goes_on(dataset_dir: Path, tmp_path: Path) -> None:
    pack(Dataset.open(dataset_dir), tmp_path / "whole", PackSettings(shard_samples=2), workers=1)
    out = tmp_path / "out"
    run = start(dataset_dir, out, PackSettings(shard_samples=2), program=INTERRUPTED)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors.splitlines()[-1] == (
        "Error: interrupted; what was finished is kept, the same command does the rest"
    )
    assert "Traceback" not in errors
    assert not (out / INDEX_NAME).exists()
    assert not list(out.rglob("*.tmp"))
    settings = PackSettings(shard_samples=2)
    _, report = pack(Dataset.open(dataset_dir), out, settings, workers=1)
    assert report.num_found >= 19
    assert files(out) == files(tmp_path / "whole")


def test_a_disk_that_takes_no_more_is_one_line(dataset_dir: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the write fails half-way."""
    out = tmp_path / "out"
    pack(Dataset.open(dataset_dir), out, PackSettings(shard_samples=150), workers=1)
    expected = files(out)
    shutil.rmtree(out)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    run = start(dataset_dir, out, PackSettings(shard_samples=150), preexec_fn=limit)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 1
    (line,) = (line for line in errors.splitlines() if line.startswith("Error"))
    assert line.endswith("File too large")
    assert "train-00000-of-00002.npz" in line
    assert "Traceback" not in errors
    assert files(out) == {}
    pack(Dataset.open(dataset_dir), out, PackSettings(shard_samples=150), workers=1)
    assert files(out) == expected


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into read-only folders")
def test_a_read_only_folder_is_one_line(dataset_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pack(Dataset.open(dataset_dir), out, PackSettings(shard_samples=150), workers=1)
    before = files(out)
    out.chmod(0o555)
    try:
        run = start(dataset_dir, out, SMALL)
        _, errors = run.communicate(timeout=60)
    finally:
        out.chmod(0o755)
    assert run.returncode == 1
    assert "Permission denied; check who may read and write there" in errors
    assert "Traceback" not in errors
    assert files(out) == before
    assert verify_shards(out).problems == ()


def test_other_errors_are_no_reason_to_lose_the_folder(dataset_dir: Path, tmp_path: Path) -> None:
    """A data set that cannot be packed leaves what was packed before as it is."""
    out = tmp_path / "out"
    dataset, _ = pack(Dataset.open(dataset_dir), out, SMALL, workers=1)
    before, before_stamps = files(out), stamps(out)
    with pytest.raises(FerDataError):
        pack(dataset.withdraw("split"), out, SMALL, workers=1)
    assert (files(out), stamps(out)) == (before, before_stamps)
