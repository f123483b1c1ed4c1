"""Where a command works: on this machine, or on a cluster."""

from __future__ import annotations

import click

from fer_data.cluster import connect
from fer_data.executors import Workers


def choose_workers(workers: int | None, scheduler: str | None) -> Workers:
    """What was asked for; a cluster is connected to until the command ends.

    Raises:
        MissingPluginError: Dask is not installed.
        ClusterError: no scheduler answers, or it has no worker.
    """
    if scheduler is None:
        return workers
    if workers is not None:
        raise click.UsageError("--workers and --scheduler exclude each other")
    return click.get_current_context().with_resource(connect(scheduler))
