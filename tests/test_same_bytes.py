"""The same sources and settings give the same bytes, whoever works, where, when and in how many."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fer_data.shards.verify import verify_shards

#: The whole line in one process, which costs one start: number of workers, data set, shards.
LINE = """
import os, sys, time
shift, mask = float(os.environ.get("CLOCK_AHEAD", "0")), os.environ.get("MASK")
if shift:
    clock, clock_ns = time.time, time.time_ns
    time.time, time.time_ns = lambda: clock() + shift, lambda: clock_ns() + int(shift) * 10**9
if mask:
    os.umask(int(mask, 8))
from ferdata.main import ferdata
workers, dataset, out, raw = sys.argv[1:]
def call(*arguments):
    ferdata.main([*arguments, "--dataset", dataset], prog_name="ferdata", standalone_mode=False)
if __name__ == "__main__":
    call("ingest", raw, "--size", "24", "--workers", workers)
    call("split", "--ratios", "70/15/15", "--seed", "3")
    call("balance", "--to", "max", "--seed", "4")
    for format_ in ("npz", "hdf5"):
        call("pack", "--out", f"{out}-{format_}", "--format", format_, "--workers", workers,
             "--shard-samples", "40")
"""


@dataclass(frozen=True)
class Surroundings:
    """What must not matter."""

    workers: int = 1
    dataset: str = "dataset"
    out: str = "shards"
    parent: str = "one"
    moved: bool = False
    environment: dict[str, str] = field(default_factory=dict)


PLAIN = Surroundings(environment={"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0"})
OTHERS = {
    "two workers, a far time zone, odd names": Surroundings(
        workers=2,
        dataset="Gesichter für später",
        out="fertige Stücke",
        parent="ein Ordner mit Ümläuten",
        environment={
            "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "77",
            "USER": "somebody", "LOGNAME": "somebody", "HOME": "/nonexistent", "MASK": "077",
        },
    ),
    "three workers, another year and folder": Surroundings(
        workers=3,
        dataset="deep/er/dataset",
        parent="three",
        moved=True,
        environment={
            "TZ": "America/St_Johns", "PYTHONHASHSEED": "random", "CLOCK_AHEAD": "300000000",
            "COLUMNS": "40", "PYTHONUTF8": "0", "HOSTNAME": "elsewhere", "MASK": "002",
        },
    ),
}  # fmt: skip


def run_line(folder: Path, raw: Path, around: Surroundings) -> dict[str, Path]:
    """Does the whole line and returns the folder of shards of each format."""
    home = folder / around.parent
    home.mkdir()
    mine = Path(shutil.copytree(raw, home / "raw"))
    for path in mine.rglob("*"):
        if around.moved:
            os.utime(path, (10**9, 10**9))
    script = folder / "line.py"
    script.write_text(LINE, encoding="utf-8")
    arguments = [str(around.workers), around.dataset, around.out]
    where = home.parent if around.moved else home
    arguments += ["three/raw"] if around.moved else ["raw"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=where, env=environment | around.environment, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return {format_: where / f"{around.out}-{format_}" for format_ in ("npz", "hdf5")}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw") / "raw"
    command = [sys.executable, "-m", "ferdata", "synth", str(folder), "--num-samples", "240"]
    subprocess.run([*command, "--size", "24", "--seed", "1"], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def plain(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Format → name → bytes, of plain surroundings."""
    shards = run_line(tmp_path_factory.mktemp("plain"), raw, PLAIN)
    for folder in shards.values():
        assert verify_shards(folder).problems == ()
    return {format_: files(folder) for format_, folder in shards.items()}


@pytest.mark.parametrize("name", OTHERS)
def test_bytes_do_not_depend_on_the_surroundings(
    raw: Path, plain: dict[str, dict[str, bytes]], tmp_path: Path, name: str
) -> None:
    for format_, folder in run_line(tmp_path, raw, OTHERS[name]).items():
        found = files(folder)
        assert sorted(found) == sorted(plain[format_])
        assert {n for n in found if found[n] != plain[format_][n]} == set()


def installed_locales() -> list[str]:
    """Locales that sort, write numbers or change case otherwise; few machines have any."""
    try:
        done = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    found = set(done.stdout.split())
    wanted = ("tr_TR.utf8", "de_DE.utf8", "ar_SA.utf8", "ja_JP.utf8", "et_EE.utf8")
    return [name for name in wanted if name in found]


@pytest.mark.skipif(not installed_locales(), reason="no locale but C is installed (locale -a)")
def test_bytes_do_not_depend_on_the_locale(
    raw: Path, plain: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    for number, locale in enumerate(installed_locales()):
        around = Surroundings(parent=str(number), environment={"LC_ALL": locale})
        for format_, folder in run_line(tmp_path, raw, around).items():
            assert files(folder) == plain[format_], locale
