"""Work is done once, wherever it is done, and what fails stops it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from fer_data.errors import LostWorkerError
from fer_data.executors import run_tasks, starting_workers


def square(number: int) -> tuple[int, int]:
    time.sleep(0.01)
    return number * number, os.getpid()


def fail_at_seven(number: int) -> int:
    if number == 7:
        raise ValueError("seven")
    return number


def die_once(path: Path) -> int:
    """Kills the first process beside the main one that comes here."""
    if multiprocessing.parent_process() is not None:
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            return os.getpid()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return 0


def die(_: int) -> None:
    if multiprocessing.parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)


def mark(path: Path) -> None:
    with path.open("x"):  # fails if the task is done twice
        time.sleep(0.005)


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("num_tasks", [0, 1, 5, 60])
def test_every_task_gives_its_result_once(workers: int, num_tasks: int) -> None:
    results = dict(run_tasks(square, range(num_tasks), workers=workers))
    assert {number: value for number, (value, _) in results.items()} == {
        number: number * number for number in range(num_tasks)
    }


def test_no_task_is_done_twice(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(100)]
    assert sorted(number for number, _ in run_tasks(mark, paths, workers=2)) == list(range(100))
    assert len(list(tmp_path.iterdir())) == 100


def test_this_process_works_beside_the_others() -> None:
    processes = [process for _, (_, process) in run_tasks(square, range(400), workers=2)]
    assert len(set(processes)) == 2
    assert os.getpid() in processes


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_task_raises_is_raised(workers: int) -> None:
    with pytest.raises(ValueError, match="seven"):
        list(run_tasks(fail_at_seven, range(50), workers=workers))


@pytest.mark.parametrize("started_before", [True, False])
def test_what_a_killed_process_had_is_done_again(tmp_path: Path, started_before: bool) -> None:
    path = tmp_path / "killed"
    starting = starting_workers(die_once, workers=3) if started_before else nullcontext()
    with starting as pool:
        found = list(run_tasks(die_once, [path] * 500, workers=3, pool=pool))
    assert path.exists()
    assert sorted(number for number, _ in found) == list(range(500))
    assert any(process for _, process in found), "no process worked after one was killed"


def test_processes_that_are_always_killed_are_told_of() -> None:
    with pytest.raises(LostWorkerError, match="fewer --workers"):
        list(run_tasks(die, range(100_000), workers=2))


def test_work_may_be_left_unfinished() -> None:
    results = run_tasks(square, range(10_000), workers=2)
    next(results)
    assert multiprocessing.active_children()
    results.close()  # type: ignore[attr-defined]  # an iterator by its type, a generator in truth
    assert not multiprocessing.active_children()
