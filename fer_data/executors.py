"""Where work runs: in this process, or in several that never outlive it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
_TASKS_AHEAD = 4  # a worker: enough to keep it busy, few enough to hold in memory


def default_workers() -> int:
    """Processes that work at once unless told otherwise: one a core this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(
    function: Callable[[Task], Result], tasks: Sequence[Task], *, workers: int | None = None
) -> Iterator[tuple[int, Result]]:
    """Yields (number of the task, its result) as results come, in any order.

    Args:
        function: a top-level function, without side effects beyond files of its own.
        tasks: what to call it with.
        workers: processes; 1 works in this one. Default: one a core.

    Raises:
        Exception: whatever the function raised first; tasks not yet begun are dropped.
    """
    workers = workers if workers is not None else default_workers()
    if workers == 1 or len(tasks) <= 1:
        for number, task in enumerate(tasks):
            yield number, function(task)
        return
    with _pool(min(workers, len(tasks))) as pool:
        waiting: dict[Future[Result], int] = {}
        try:
            for number, task in enumerate(tasks):
                waiting[pool.submit(function, task)] = number
                if len(waiting) >= workers * _TASKS_AHEAD:
                    yield from _collect(waiting)
            while waiting:
                yield from _collect(waiting)
        finally:
            for future in waiting:
                future.cancel()


def _collect(waiting: dict[Future[Result], int]) -> Iterator[tuple[int, Result]]:
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield waiting.pop(future), future.result()


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
