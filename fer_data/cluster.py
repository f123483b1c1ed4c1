"""Work on other machines, by way of a Dask scheduler.

Every task is a block or a shard that is read from and written to folders which all machines share.
A task whose worker is lost is done again by another one; it writes the same bytes. Nothing but the
process that asked publishes what was done.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fer_data.errors import ClusterError, MissingPluginError
from fer_data.version import ferkit_version

Task = TypeVar("Task")
Result = TypeVar("Result")
_TASKS_AHEAD = 3  # a thread of a worker: enough to keep it busy
_MOST_AT_ONCE, _FEWEST_SHARES = 8, 8  # tasks in one request; requests a worker
_PATIENCE = 30  # seconds, to find a scheduler and a first worker
_one_at_a_time = threading.Lock()  # Augmentor and others keep states that threads would share


class Cluster:
    """The workers of a scheduler; given where a number of workers is asked for.

    Args:
        client: `distributed.Client`, connected.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def num_workers(self) -> int:
        """Workers there are now, or 1 while there is none."""
        return max(1, len(self._client.nthreads()))

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[int, Result]]:
        """Yields (number of the task, its result) as results come, in any order.

        A worker gets several tasks at once where there are many: to be told of one and to answer
        takes some hundredths of a second of all who take part.

        Args:
            function: a function or object that can be pickled.
            tasks: what to call it with.

        Raises:
            ClusterError: a worker has another version of ferkit or none, or one task has cost
                several workers their life.
            Exception: whatever the function raised first; tasks not yet begun are dropped.
        """
        from distributed import as_completed

        at_once = self._at_once(len(tasks))
        waiting = iter(range(0, len(tasks), at_once))
        starts: dict[Any, int] = {}
        finished = as_completed(loop=self._client.loop)
        try:
            while True:
                room = _TASKS_AHEAD * self.num_workers - len(starts)
                for start in itertools.islice(waiting, max(0, room)):
                    future = self._submit(function, tasks[start : start + at_once])
                    starts[future] = start
                    finished.add(future)
                if not starts:
                    return
                future = next(finished)
                yield from enumerate(_results(future), starts.pop(future))
        finally:
            if starts:
                self._client.cancel(list(starts), force=True)

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yields the result of each task, in their order; see `run`.

        Tasks that are no sequence are taken one by one, as they can be worked on.
        """
        at_once = self._at_once(len(tasks)) if isinstance(tasks, Sequence) else 1
        waiting = iter(tasks)
        futures: deque[Any] = deque()
        try:
            while True:
                room = _TASKS_AHEAD * self.num_workers - len(futures)
                for _ in range(room):
                    if not (some := [*itertools.islice(waiting, at_once)]):
                        break
                    futures.append(self._submit(function, some))
                if not futures:
                    return
                yield from _results(futures.popleft())
        finally:
            if futures:
                self._client.cancel(list(futures), force=True)

    def _at_once(self, num_tasks: int) -> int:
        """Tasks in one request: few enough that all workers end at about the same time."""
        shares = num_tasks // (_FEWEST_SHARES * self.num_workers)
        return min(max(1, shares), _MOST_AT_ONCE)

    def _submit(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Any:
        here = ferkit_version(), Path.cwd()
        return self._client.submit(_do, *here, function, [*tasks], pure=False)


@contextlib.contextmanager
def connect(address: str) -> Iterator[Cluster]:
    """The workers of the scheduler at an address, such as `tcp://host:8786`.

    Raises:
        MissingPluginError: Dask is not installed.
        ClusterError: no scheduler answers there, or it has no worker.
    """
    try:
        from distributed import Client
    except ImportError:
        raise MissingPluginError(
            "a cluster needs Dask; install it with `pip install 'ferkit[cluster]'`"
        ) from None
    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"{address}: no Dask scheduler answers there ({_one_line(error)}); start one with "
            "`dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except OSError:
            raise ClusterError(
                f"{address}: the scheduler has no worker; start some with "
                f"`dask worker {address} --nthreads 1`"
            ) from None
        yield Cluster(client)


def _do(
    version: str, folder: Path, function: Callable[[Task], Result], tasks: Sequence[Task]
) -> list[Result]:
    """What a worker does: some tasks, in the folder and with the ferkit of who asked."""
    if ferkit_version() != version:
        raise ClusterError(
            f"the worker on {socket.gethostname()} has ferkit {ferkit_version()}, this is "
            f"{version}; install the same version on all machines"
        )
    with _one_at_a_time:
        try:
            os.chdir(folder)  # a worker has no paths of its own that are not absolute
        except OSError:
            raise ClusterError(
                f"the worker on {socket.gethostname()} has no folder {folder}; work in one that "
                "all machines share"
            ) from None
        return [function(task) for task in tasks]


def _results(future: Any) -> Any:
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        raise ClusterError(
            f"a task has cost {error.allowed_failures + 1} workers their life, the last one "
            f"{error.last_worker.address}; see their logs, and how much memory they may take"
        ) from None
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "fer_data":
            raise
        raise ClusterError(
            "a worker has no ferkit; install the same version on all machines"
        ) from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
