"""Lets things go wrong while `ferdata` works, and looks at what is left.

    python tests/faults/faults.py --count 200 --seed 1

Each fault strikes one command (ingest, filter, split, balance, pack to NPZ, pack to HDF5) at a
moment drawn by chance. Afterwards the same command is run once more. What must hold, else the
fault is printed with its seed and the script ends with 1 (`--count 1 --seed N` does it again):

- The struck command ends with 0 and the bytes of a run without faults, or is killed, or says in
  one line what went wrong and where.
- What earlier commands wrote is there, byte for byte; no file with a final name is half written.
- The same command, run again, ends with 0 and the bytes of a run without faults, and nothing else
  lies beside them.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from fer_data.dataset import INFO_NAME
from fer_data.files import is_leftover
from fer_data.lock import LOCK_NAME
from fer_data.shards.index import WORK_DIR
from tests.conftest import face_pixels, png_bytes

#: Command by name, in the order of work.
STAGES = {
    "ingest": ["ingest", "raw", "--workers", "2"],
    "filter": ["filter", "--duplicates", "keep-one", "--workers", "2"],
    "split": ["split"],
    "balance": ["balance", "--to", "max"],
    "npz": ["pack", "--format", "npz", "--shard-samples", "64", "--workers", "2"],
    "hdf5": ["pack", "--format", "hdf5", "--shard-samples", "64", "--workers", "2"],
}
_INJECT = Path(__file__).parent / "inject"
_THEN = 1_700_000_000  # when all files were written; `ferdata ingest` knows a raw file by it
_MANY = 40  # changes of the disk that a command makes, roughly

Files = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: its exit status; negative for a signal.
        errors: what it said on standard error.
    """

    code: int
    errors: str


@dataclass(slots=True)
class Bench:
    """Folders of a data set before and after each stage, and a place for trials.

    Attributes:
        folder: of it all.
        before: stage → files before it.
        after: stage → files after it.
    """

    folder: Path
    before: dict[str, Files] = field(default_factory=dict)
    after: dict[str, Files] = field(default_factory=dict)

    def prepare(self) -> None:
        """Runs all stages without faults."""
        place = self.folder / "trial"
        make_raw(place, 1100)
        for stage in STAGES:
            if stage == "hdf5":
                shutil.rmtree(place / "shards")
            self.before[stage] = read_files(place)
            done = run(place, stage)
            if done.code:
                raise WrongError(f"{stage} ends without a fault with {done.code}: {done.errors}")
            self.after[stage] = read_files(place)
        shutil.rmtree(place)

    @contextlib.contextmanager
    def trial(self, stage: str) -> Iterator[Path]:
        """A folder as it is before a stage; it is gone afterwards."""
        place = self.folder / "trial"
        write_files(place, self.before[stage])
        try:
            yield place
        finally:
            shutil.rmtree(place)


class WrongError(Exception):
    """Something did not hold."""


def make_raw(place: Path, count: int) -> None:
    files = {
        f"raw/{('happy', 'sad', 'sad')[number % 3]}/{number:04d}.png": png_bytes(
            face_pixels(number % 1000, 24)
        )
        for number in range(count)
    }
    write_files(place, files | {"raw/sad/broken.png": b"no picture"})


def read_files(place: Path) -> Files:
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def write_files(place: Path, files: Files) -> None:
    for name, data in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (_THEN, _THEN))


def start(
    place: Path, stage: str, fault: Mapping[str, object] | None, *under: str
) -> subprocess.Popen[str]:
    environment = dict(os.environ)
    if fault is not None:
        environment["FERKIT_FAULT"] = json.dumps({"root": str(place), **fault})
        environment["PYTHONPATH"] = os.pathsep.join([str(_INJECT), str(Path(__file__).parents[2])])
    return subprocess.Popen(
        [*under, sys.executable, "-m", "ferdata", *STAGES[stage]],
        cwd=place,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(place: Path, stage: str, fault: Mapping[str, object] | None = None) -> Outcome:
    return finish(start(place, stage, fault))


def finish(started: subprocess.Popen[str]) -> Outcome:
    try:
        _, errors = started.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, 9)
        raise WrongError("it hangs") from None
    return Outcome(code=started.returncode, errors=errors)


# The faults: each strikes a stage in a folder, and gives how the command ended.


def refuse(place: Path, stage: str, chance: random.Random) -> Outcome:
    """The disk is full, read-only or broken, or a quota used up, from one moment on."""
    number = chance.choice([errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO])
    fault = strike("error", chance, who="any", stays=chance.random() < 0.7)
    return run(place, stage, fault | {"errno": number})


def fill_disk(place: Path, stage: str, chance: random.Random) -> Outcome:
    """A disk of its own has no room any more in the middle of a file; then it has."""
    used = sum(path.stat().st_blocks * 512 for path in place.rglob("*"))
    resize = ["mount", "-o", f"remount,size={used + int(10 ** chance.uniform(3, 6))}"]
    subprocess.run([*resize, str(place.parent)], check=True)
    try:
        return run(place, stage)
    finally:
        subprocess.run(["mount", "-o", "remount,size=2g", str(place.parent)], check=True)


def limit_files(place: Path, stage: str, chance: random.Random) -> Outcome:
    """No file may be larger than so many bytes: writing stops in the middle of one."""
    most = int(10 ** chance.uniform(2, 6))
    return finish(start(place, stage, None, "prlimit", f"--fsize={most}"))


def kill(place: Path, stage: str, chance: random.Random) -> Outcome:
    """The command, or one of its workers, is killed at a change of the disk."""
    return run(place, stage, strike("kill", chance, who=chance.choice(["main", "any", "worker"])))


def kill_by_clock(place: Path, stage: str, chance: random.Random) -> Outcome:
    """The command and all its workers are killed at any time."""
    started = start(place, stage, None)
    with contextlib.suppress(subprocess.TimeoutExpired):
        started.wait(chance.uniform(0.2, 2.5))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(started.pid, 9)
    return finish(started)


def interrupt(place: Path, stage: str, chance: random.Random) -> Outcome:
    """Ctrl-C at a change of the disk."""
    return run(place, stage, strike("interrupt", chance, who="main"))


def two_at_once(place: Path, stage: str, chance: random.Random) -> Outcome:
    """The same command twice, one a little later."""
    first = start(place, stage, strike("wait", chance, who="any", stays=True))
    time.sleep(chance.uniform(0, 1.5))
    second = finish(start(place, stage, None))
    outcome = finish(first)
    check_said(second)
    if 0 not in (outcome.code, second.code):
        raise WrongError(f"neither of the two ended well: {outcome} {second}")
    return outcome


def wait(place: Path, stage: str, chance: random.Random) -> Outcome:
    """A slow disk, as over a network."""
    return run(place, stage, strike("wait", chance, who="any", stays=True))


def jump_clock(place: Path, stage: str, chance: random.Random) -> Outcome:
    """What was written is of times to come and long past."""
    for path in (place / "dataset").rglob("*"):
        when = time.time() + chance.uniform(-1e8, 1e8)
        os.utime(path, (when, when))
    return run(place, stage)


def rename_unwritten(place: Path, stage: str, chance: random.Random) -> Outcome:
    """The power fails after a rename: what was renamed must have been on the disk."""
    found = place.parent / "order.txt"
    fault = strike("order", chance, who="any") | {"found": str(found)}
    outcome = run(place, stage, fault)
    if found.exists():
        names = found.read_text(encoding="utf-8").splitlines()
        found.unlink()
        raise WrongError(f"renamed before it was on the disk: {names}")
    return outcome


def lose_source(place: Path, stage: str, chance: random.Random) -> Outcome:
    """A raw file vanishes, or changes, while it is read; afterwards it is as it was."""
    source = chance.choice(sorted((place / "raw").rglob("*.png")))
    data, times = source.read_bytes(), source.stat()
    other = chance.choice([None, b"", data[: len(data) // 2], png_bytes(face_pixels(7777, 24))])
    fault = strike("source", chance, who="any") | {"source": str(source)}
    try:
        return run(place, stage, fault | {"bytes": None if other is None else other.hex()})
    finally:
        source.write_bytes(data)
        os.utime(source, (times.st_atime, times.st_mtime))


def strike(what: str, chance: random.Random, *, who: str, stays: bool = False) -> dict[str, object]:
    return {
        "what": what,
        "at": int(_MANY ** chance.random()),  # the first ones more often: some make few
        "who": who,
        "stays": stays,
        "seconds": 0.05,
        "seed": chance.randrange(2**32),
    }


Fault = Callable[[Path, str, random.Random], Outcome]
FAULTS: tuple[Fault, ...] = (
    refuse, fill_disk, limit_files, kill, kill_by_clock, interrupt,
    two_at_once, wait, jump_clock, rename_unwritten, lose_source,
)  # fmt: skip


def draw(seed: int, *, has_own_disk: bool) -> tuple[Fault, str, random.Random]:
    """A fault, a stage, and what else is left to chance."""
    chance = random.Random(seed)
    fault, stage = chance.choice(FAULTS), chance.choice(list(STAGES))
    if fault is fill_disk and not has_own_disk:
        fault = limit_files
    if fault is lose_source:
        stage = "ingest"
    return fault, stage, chance


def try_fault(bench: Bench, fault: Fault, stage: str, chance: random.Random) -> Outcome:
    """How the struck command ended.

    Raises:
        WrongError: something did not hold.
    """
    before, after = bench.before[stage], bench.after[stage]
    with bench.trial(stage) as place:
        outcome = fault(place, stage, chance)
        check_said(outcome)
        if fault is not lose_source or outcome.code:
            check_files(read_files(place), before, after, is_done=outcome.code == 0)
        again = run(place, stage)
        if again.code:
            raise WrongError(f"run again it ends with {again.code}: {again.errors}")
        if differ := different(read_files(place), after):
            raise WrongError(f"run again it leaves other files: {differ}")
    return outcome


def check_said(outcome: Outcome) -> None:
    if "Traceback" in outcome.errors:
        raise WrongError(f"a traceback: {outcome.errors}")
    if outcome.code > 0:
        last = outcome.errors.strip().splitlines()[-1:] or [""]
        if not last[0].startswith("Error: "):
            raise WrongError(f"ended with {outcome.code} and no error: {outcome.errors!r}")
        if outcome.code != 130 and not any(
            word in last[0] for word in ("dataset", "shards", "raw", "processes were killed")
        ):
            raise WrongError(f"the error names no file: {last[0]}")


def check_files(found: Files, before: Files, after: Files, *, is_done: bool) -> None:
    if is_done:
        if differ := [name for name in different(found, after) if Path(name).name != LOCK_NAME]:
            raise WrongError(f"ended with 0 and left other files: {differ}")
        return
    for name, data in before.items():
        if found.get(name) not in (data, after.get(name)) and not is_between(name, found, before):
            raise WrongError(f"lost or changed: {name}")
    for name, data in found.items():
        path = Path(name)
        if is_leftover(path) or path.name == LOCK_NAME or WORK_DIR in path.parts:
            continue
        if data not in (before.get(name), after.get(name)) and not is_between(name, found, before):
            raise WrongError(f"half written: {name}")


def is_between(name: str, found: Files, before: Files) -> bool:
    """Whether it is what a data set says of itself, whole, and no stage is lost that was done."""
    if name != f"dataset/{INFO_NAME}" or name not in found:
        return False
    done = json.loads(before[name])["stages"] if name in before else {}
    try:
        stages = json.loads(found[name])["stages"]
    except (ValueError, KeyError):
        return False
    return all(stages.get(stage) == record for stage, record in done.items())


def different(found: Files, expected: Files) -> list[str]:
    names = sorted({*found, *expected})
    return [name for name in names if found.get(name) != expected.get(name)]


def try_faults(seeds: range, folder: Path, *, has_own_disk: bool) -> int:
    """Tries a fault a seed, says how each ended; the number of those that went wrong."""
    bench = Bench(folder)
    bench.prepare()
    ends = Counter[tuple[str, str]]()
    for seed in seeds:
        fault, stage, chance = draw(seed, has_own_disk=has_own_disk)
        try:
            outcome = try_fault(bench, fault, stage, chance)
        except WrongError as error:
            end, said = "WRONG", str(error)
        else:
            end = {0: "done", 130: "interrupted"}.get(outcome.code, "error")
            end = "killed" if outcome.code < 0 else end
            said = (outcome.errors.strip().splitlines() or [""])[-1] if end == "error" else ""
        ends[fault.__name__, end] += 1
        print(f"seed {seed}: {fault.__name__} in {stage}: {end} {said}".rstrip(), flush=True)
    num_wrong = sum(count for (_, end), count in ends.items() if end == "WRONG")
    print(f"{len(seeds)} faults, seeds {seeds[0]} to {seeds[-1]}: {num_wrong} wrong")
    for (name, end), count in sorted(ends.items()):
        print(f"  {name:20}{end:12}{count:5}")
    return num_wrong


@contextlib.contextmanager
def own_disk() -> Iterator[tuple[Path, bool]]:
    """A folder, and whether it is a disk of its own, whose size can be changed."""
    with tempfile.TemporaryDirectory() as name:
        mount = ["mount", "-t", "tmpfs", "-o", "size=2g", "none", name]
        is_own = os.geteuid() == 0 and not subprocess.run(mount, check=False).returncode
        try:
            yield Path(name), is_own
        finally:
            if is_own:
                subprocess.run(["umount", "-l", name], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="how many faults")
    parser.add_argument("--seed", type=int, default=1, help="of the first; the next has one more")
    asked = parser.parse_args()
    if os.geteuid() and shutil.which("unshare"):  # root of a world of its own may mount a disk
        os.execvp("unshare", ["unshare", "-rm", sys.executable, *sys.argv])
    with own_disk() as (folder, has_own_disk):
        if not has_own_disk:
            print("No disk of its own can be made here: full disks are limits of files instead.")
        seeds = range(asked.seed, asked.seed + asked.count)
        num_wrong = try_faults(seeds, folder, has_own_disk=has_own_disk)
    sys.exit(1 if num_wrong else 0)


if __name__ == "__main__":
    main()
