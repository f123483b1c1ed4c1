"""Where work runs: in this process, in several that never outlive it, or on a cluster."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TypeVar

from fer_data.cluster import Cluster
from fer_data.errors import LostWorkerError

Task = TypeVar("Task")
Result = TypeVar("Result")
#: Processes or threads that work at once, or a cluster of them; None: one a core.
Workers = int | Cluster | None
_MOST_BROKEN = 3  # pools of processes that are replaced: a task may be what kills them
#: Tasks of a worker: one that it does, and the next. More would have to be cancelled in the end,
#: which a pool of Python 3.11 does not survive when a process is killed (cpython#107219).
_TASKS_AHEAD = 2


def default_workers() -> int:
    """Processes that work at once unless told otherwise: one a core this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_workers(workers: Workers) -> int:
    """How many work at once."""
    if isinstance(workers, Cluster):
        return workers.num_workers
    return workers if workers is not None else default_workers()


@contextlib.contextmanager
def starting_workers(
    function: Callable[[Task], Result], *, workers: Workers = None
) -> Iterator[Executor | None]:
    """Processes that load what a function needs while this one still finds out what there is to do.

    Args:
        function: a top-level function that `run_tasks` will call.
        workers: processes, this one among them; None comes of 1 and of a cluster, which is ready.
            Default: one a core.
    """
    others = count_workers(workers) - 1
    if others < 1 or isinstance(workers, Cluster):
        yield None
        return
    with _pool(others) as pool:
        for _ in range(others):
            pool.submit(_load, function)
        yield pool


def _load(function: object) -> None:
    """Does nothing: what a function needs is loaded when a process is told its name."""


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: Workers = None,
    pool: Executor | None = None,
) -> Iterator[tuple[int, Result]]:
    """Yields (number of the task, its result) as results come, in any order.

    This process works too, unless there is a cluster: it has loaded everything and begins at once,
    while others start.

    Args:
        function: a top-level function, without side effects beyond files of its own.
        tasks: what to call it with.
        workers: processes, this one among them, or a cluster. Default: one a core.
        pool: of `starting_workers`, where the processes are under way already.

    Raises:
        Exception: whatever the function raised first; tasks not yet begun are dropped.
        LostWorkerError: processes were killed again and again.
    """
    if isinstance(workers, Cluster):
        yield from workers.run(function, tasks)
        return
    workers = min(count_workers(workers), len(tasks))
    if workers <= 1:
        for number, task in enumerate(tasks):
            yield number, function(task)
        return
    with contextlib.ExitStack() as pools:
        others = pool if pool is not None else pools.enter_context(_pool(workers - 1))
        unclaimed = deque(range(len(tasks)))
        claimed: dict[Future[Result], int] = {}
        num_broken = 0
        while unclaimed or claimed:
            try:
                while unclaimed and len(claimed) < (workers - 1) * _TASKS_AHEAD:
                    claimed[others.submit(function, tasks[unclaimed[0]])] = unclaimed[0]
                    unclaimed.popleft()
                own = unclaimed.popleft() if unclaimed else None
                if own is not None:
                    yield own, function(tasks[own])
                finished = wait(claimed, 0 if own is not None else None, FIRST_COMPLETED).done
                for future in finished:
                    result = future.result()
                    yield claimed.pop(future), result
            except BrokenProcessPool:  # a process was killed: what it had is done again
                num_broken += 1
                if num_broken > _MOST_BROKEN:
                    raise LostWorkerError(
                        f"{num_broken} times processes were killed, maybe for want of memory; "
                        "run the same command again with fewer --workers"
                    ) from None
                wait(claimed)
                for future in list(claimed):
                    if isinstance(future.exception(), BrokenProcessPool):
                        unclaimed.append(claimed.pop(future))
                others = pools.enter_context(_pool(workers - 1))


def _pool(workers: int) -> Executor:
    # spawn, not fork: libraries here keep threads, and a fork copies their locks
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    """Leaves Ctrl-C to the coordinator, and ends this process when the coordinator is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
