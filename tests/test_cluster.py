"""A cluster of Dask workers writes the bytes that one machine writes, whoever is killed."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fer_data import cluster as cluster_module
from fer_data.cluster import Cluster, connect
from fer_data.dataset import Dataset
from fer_data.errors import ClusterError, FerDataError
from fer_data.executors import run_tasks
from fer_data.pack import PackSettings, pack
from fer_data.threads import map_in_threads
from fer_data.version import ferkit_version
from tests.conftest import face_pixels, png_bytes

BIN = Path(sys.executable).parent
KILLS = 5


class Machines:
    """A scheduler and its workers, in processes of their own, in another folder."""

    def __init__(self, folder: Path, *options: str, num_workers: int = 4) -> None:
        self.folder = folder
        self.programs: list[subprocess.Popen[bytes]] = []
        log = folder / "scheduler.log"
        self._start(log, "scheduler", "--host", "127.0.0.1", "--port", "0")
        self.address = _wait_for(log, r"Scheduler at: +(tcp://\S+)")
        if num_workers:
            options = (*options, "--nworkers", str(num_workers), "--nthreads", "1")
            self._start(folder / "workers.log", "worker", self.address, "--no-dashboard", *options)

    def _start(self, log: Path, *arguments: str) -> None:
        with log.open("wb") as file:
            program = subprocess.Popen(
                [BIN / "dask", *arguments], cwd=self.folder, stdout=file, stderr=file
            )
        self.programs.append(program)

    def kill_a_worker(self, rng: random.Random) -> bool:
        """Kills a process that works, if there is one; its nanny starts another one."""
        nanny = psutil.Process(self.programs[1].pid)
        workers = [p for p in nanny.children() if "spawn_main" in " ".join(p.cmdline())]
        if workers:
            rng.choice(workers).kill()
        return bool(workers)

    def stop(self) -> None:
        for program in reversed(self.programs):
            program.send_signal(signal.SIGINT)
            try:
                program.wait(20)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()


def _wait_for(log: Path, pattern: str) -> str:
    for _ in range(600):
        if found := re.search(pattern, log.read_text()):
            return found[1]
        time.sleep(0.1)
    raise TimeoutError(log.read_text())


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    started = Machines(tmp_path_factory.mktemp("machines"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def cluster(machines: Machines) -> Iterator[Cluster]:
    with connect(machines.address) as connected:
        while connected.num_workers < 4:
            time.sleep(0.1)
        yield connected


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw pictures, three blocks of them."""
    folder = tmp_path_factory.mktemp("work")
    for number, name in enumerate(("happy", "sad")):
        (folder / "raw" / name).mkdir(parents=True)
        for seed in range(650):
            data = png_bytes(face_pixels(1000 * number + seed % 640, 24))
            (folder / "raw" / name / f"{seed}.png").write_bytes(data)
    (folder / "raw" / "sad" / "bad.png").write_bytes(b"no picture")
    return folder


def ferdata(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "ferdata", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_command_writes_the_same_bytes(
    work: Path, tmp_path: Path, machines: Machines
) -> None:
    written = []
    for where in ([], ["--scheduler", machines.address]):
        folder = tmp_path / f"{len(where)}"
        shutil.copytree(work, folder)
        for command in (
            ["ingest", *where],
            ["inspect", *where],
            ["filter", "--duplicates", "keep-one", "--near", "--max-loss", "100%", *where],
            ["split"],
            ["pack", "--shard-samples", "100", *where],
        ):
            done = ferdata(folder, *command)
            assert done.returncode == 0, done.stderr
        shutil.rmtree(folder / "dataset" / "reports")  # they name the folder
        written.append(contents(folder))
    local, elsewhere = written
    assert len(local) > len(contents(work)) + 20
    assert elsewhere == local


@pytest.fixture(scope="module")
def split(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("split")
    for command in ("ingest", "split"):
        assert ferdata(work, command, "--dataset", str(folder)).returncode == 0
    return Dataset.open(folder)


FEW_EACH = PackSettings(shard_samples=6)  # some 220 shards


def test_workers_may_be_killed(
    split: Dataset, tmp_path: Path, machines: Machines, cluster: Cluster
) -> None:
    pack(split, tmp_path / "local", FEW_EACH, workers=1)
    rng = random.Random(5)
    num_killed = 0

    def kill() -> None:
        nonlocal num_killed
        while num_killed < KILLS:
            num_killed += machines.kill_a_worker(rng)
            time.sleep(rng.uniform(0.3, 1.5))

    killer = threading.Thread(target=kill)
    killer.start()
    number = 0
    while killer.is_alive():  # all are killed while there is work
        number += 1
        pack(split, tmp_path / f"{number}", FEW_EACH, workers=cluster)
        assert contents(tmp_path / f"{number}") == contents(tmp_path / "local")
    assert num_killed == KILLS


def test_who_asks_may_be_killed(split: Dataset, tmp_path: Path, machines: Machines) -> None:
    pack(split, tmp_path / "local", FEW_EACH, workers=1)
    rng = random.Random(6)
    out = tmp_path / "shards"
    command = [BIN / "ferdata", "pack", "--dataset", split.dir, "--out", out]
    command += ["--shard-samples", "6", "--scheduler", machines.address]
    for _ in range(KILLS):
        asking = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = len(list(out.glob("*.npz"))) if out.exists() else 0
        while asking.poll() is None and (
            not out.exists() or len(list(out.glob("*.npz"))) < before + rng.randrange(1, 30)
        ):
            time.sleep(0.01)
        asking.kill()
        asking.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    time.sleep(0.5)  # for what a worker had not ended
    assert contents(out) == contents(tmp_path / "local")


#: Two networks joined by a cable: the scheduler and who asks on one, the workers on the other.
TWO_NETWORKS = r"""
set -eu
unshare -n sleep 600 &
other=$!
trap 'kill $(jobs -p)' EXIT
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep .05; done
ip link add name here type veth peer name there
ip link set there netns $other
ip address add 10.77.0.1/24 dev here
ip link set here up
ip link set lo up
nsenter -t $other -n ip address add 10.77.0.2/24 dev there
nsenter -t $other -n ip link set there up
nsenter -t $other -n ip link set lo up
"$BIN/dask" scheduler --host 10.77.0.1 --port 8786 --no-dashboard &
scheduler=tcp://10.77.0.1:8786
nsenter -t $other -n "$BIN/dask" worker $scheduler --nworkers 2 --nthreads 1 --no-dashboard &
"$BIN/ferdata" "$@" --scheduler $scheduler
echo "workers at $("$BIN/python" -c "
from distributed import Client
client = Client('$scheduler')
print(sorted(worker.rsplit(':', 1)[0] for worker in client.nthreads()))
")"
"""


def test_workers_on_another_network_write_the_same_bytes(split: Dataset, tmp_path: Path) -> None:
    apart = ["unshare", "--map-root-user", "--net"]
    if not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        pytest.skip("needs unshare, nsenter and ip")
    cable = ["ip", "link", "add", "name", "here", "type", "veth"]
    if subprocess.run([*apart, *cable], check=False).returncode:
        pytest.skip("no network of its own can be made here")
    pack(split, tmp_path / "local", FEW_EACH, workers=1)
    out = tmp_path / "shards"
    arguments = ["pack", "--dataset", split.dir, "--out", out, "--shard-samples", "6"]
    done = subprocess.run(
        [*apart, "bash", "-c", TWO_NETWORKS, "bash", *arguments],
        env=os.environ | {"BIN": str(BIN)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "workers at ['tcp://10.77.0.2', 'tcp://10.77.0.2']" in done.stdout
    assert contents(out) == contents(tmp_path / "local")


def test_every_task_gives_its_result_once_and_in_order_where_asked(cluster: Cluster) -> None:
    assert cluster.num_workers == 4
    assert dict(run_tasks(abs, range(-200, 0), workers=cluster)) == {
        number: 200 - number for number in range(200)
    }
    assert list(map_in_threads(abs, iter(range(-50, 0)), workers=cluster)) == [*range(50, 0, -1)]
    assert list(run_tasks(abs, [], workers=cluster)) == []


def test_what_a_task_raises_is_raised(cluster: Cluster) -> None:
    with pytest.raises(TypeError, match="bad operand type"):
        list(run_tasks(abs, [1, None, 2], workers=cluster))  # type: ignore[list-item]
    with pytest.raises(TypeError, match="bad operand type"):
        list(map_in_threads(abs, [1, None, 2], workers=cluster))  # type: ignore[list-item]


def test_a_mistake_is_the_same_clear_line(work: Path, tmp_path: Path, machines: Machines) -> None:
    told = []
    for number, where in enumerate(([], ["--scheduler", machines.address])):
        dataset = str(tmp_path / f"{number}")
        done = ferdata(work, "ingest", "--on-error", "raise", "--dataset", dataset, *where)
        assert done.returncode == 1
        told.append(done.stderr)
    assert told[0].startswith("Error: ")
    assert told[1] == told[0]


def test_workers_and_a_cluster_exclude_each_other(split: Dataset) -> None:
    options = ("--dataset", str(split.dir), "--workers", "2", "--scheduler", "tcp://127.0.0.1:1")
    done = ferdata(split.dir.parent, "pack", *options)
    assert done.returncode == 2
    assert "--workers and --scheduler exclude each other" in done.stderr
    assert not (split.dir.parent / "shards").exists()


def test_a_worker_of_another_version_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text("import fer_data.cluster\nfer_data.cluster.ferkit_version = lambda: '0.0.1'\n")
    machines = Machines(tmp_path, "--preload", str(other), num_workers=1)
    try:
        with (
            connect(machines.address) as cluster,
            pytest.raises(ClusterError, match=f"has ferkit 0.0.1, this is {ferkit_version()}"),
        ):
            list(run_tasks(abs, range(3), workers=cluster))
    finally:
        machines.stop()


def test_a_scheduler_that_is_not_there_or_has_no_worker_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "_PATIENCE", 1)
    for address, message in (
        ("tcp://127.0.0.1:1", "no Dask scheduler answers there"),
        ("nonsense://here", "no Dask scheduler answers there"),
    ):
        with pytest.raises(ClusterError, match=message), connect(address):
            pytest.fail("connected")
    machines = Machines(tmp_path, num_workers=0)
    try:
        with pytest.raises(ClusterError, match="has no worker"), connect(machines.address):
            pytest.fail("connected")
    finally:
        machines.stop()


def test_a_folder_that_a_worker_has_not_is_told() -> None:
    folder = Path.cwd()
    with pytest.raises(ClusterError, match="has no folder /not/here"):
        cluster_module._do(ferkit_version(), Path("/not/here"), abs, [-1])
    assert issubclass(ClusterError, FerDataError)
    assert Path.cwd() == folder
    assert cluster_module._do(ferkit_version(), folder, abs, [-1]) == [1]
    assert os.getcwd() == str(folder)  # noqa: PTH109
