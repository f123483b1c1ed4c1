"""Threads, for work that shares large arrays and spends its time inside NumPy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from fer_data.cluster import Cluster
from fer_data.executors import Workers, count_workers

Task = TypeVar("Task")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, workers: Workers = None
) -> Iterator[Result]:
    """Yields the result of each task, in their order; a few are worked on ahead.

    NumPy leaves the interpreter to others while it works on large arrays, so threads do as well
    as processes here, without the second that a process takes to start and the copies it needs.

    Args:
        function: what to call with each task.
        tasks: taken as threads become free.
        workers: threads; 1 works in the thread that asks; or a cluster, and then `function` and
            tasks are pickled. Default: one a core.

    Raises:
        Exception: whatever the function raised first, in the order of the tasks.
    """
    if isinstance(workers, Cluster):
        yield from workers.map(function, tasks)
        return
    workers = count_workers(workers)
    if workers == 1:
        yield from map(function, tasks)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(function, task))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
