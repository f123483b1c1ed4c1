"""What a Dask cluster on one machine costs beside processes of ferdata's own.

    python tests/benchmarks/bench_cluster.py [--size 100000] [--rounds 3]

The same commands on the same made pictures (those of bench_scale.py), with as many processes as
there are cores: those that `ferdata` starts itself, and workers of a Dask scheduler that stand
ready (`--scheduler`). Both ways take turns; medians of the rounds, and what comes out is compared
byte by byte.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.executors import default_workers
from tests.benchmarks.bench_scale import STAGES, measure, write_pictures
from tests.benchmarks.made_data import machine

#: Commands that know --scheduler; the others run as well, as what follows needs them.
SHARED = ("ingest", "inspect", "filter", "pack")
_TARGET = 1.1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    took: dict[str, dict[str, list[float]]] = {"own processes": {}, "Dask": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "raw", asked.size)
        print(f"{asked.size:,} pictures; {machine()}", flush=True)
        with workers_at(folder) as address:
            digests = set()
            for _ in range(asked.rounds):
                for way, options in (("own processes", []), ("Dask", ["--scheduler", address])):
                    for stage in (*SHARED[:3], "split", "pack"):
                        use = options if stage in SHARED else []
                        seconds = measure(folder, [*STAGES[stage], *use]).seconds
                        took[way].setdefault(stage, []).append(seconds)
                    digests.add(digest(folder / "dataset") + digest(folder / "shards"))
                    shutil.rmtree(folder / "dataset")
                    shutil.rmtree(folder / "shards")
    print("| stage | own processes | Dask | ratio |\n|---|---|---|---|")
    whole = {
        way: [sum(each) for each in zip(*(of[stage] for stage in SHARED), strict=True)]
        for way, of in took.items()
    }
    for stage in (*SHARED, "all"):
        ours, theirs = (
            statistics.median(whole[way] if stage == "all" else took[way][stage]) for way in took
        )
        print(f"| {stage} | {ours:.1f} s | {theirs:.1f} s | {theirs / ours:.2f}x |")
    print(f"target: at most {_TARGET}x; {'the same' if len(digests) == 1 else 'OTHER'} bytes")


@contextlib.contextmanager
def workers_at(folder: Path) -> Iterator[str]:
    """The address of a scheduler with a worker a core."""
    dask = str(Path(sys.executable).with_name("dask"))
    log = folder / "scheduler.log"
    with contextlib.ExitStack() as programs:

        def start(*arguments: str) -> None:
            file = programs.enter_context(log.open("ab"))
            program = subprocess.Popen([dask, *arguments], cwd=folder, stdout=file, stderr=file)
            programs.callback(program.wait)
            programs.callback(program.terminate)

        start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        while not (found := re.search(r"Scheduler at: +(tcp://\S+)", log.read_text())):
            time.sleep(0.1)
        number = str(default_workers())
        start("worker", found[1], "--nworkers", number, "--nthreads", "1", "--no-dashboard")
        time.sleep(5)  # until all are there
        yield found[1]


def digest(folder: Path) -> str:
    """Of all files and their names, but the reports, which name the folder."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "reports" not in path.parts:
            whole.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return whole.hexdigest()


if __name__ == "__main__":
    main()
