"""`fermodel models`."""

from __future__ import annotations

import dataclasses

import click

from fer_models.zoo import NETWORKS
from fercli.options import json_option
from fercli.output import Output


@click.command()
@json_option
def models(as_json: bool) -> None:
    """List the networks that `fermodel train --model` knows.

    \b
    Example:
      fermodel models
    """
    out = Output(as_json=as_json)
    rows = [
        (
            n.name,
            f"{n.num_parameters:,}" if n.num_parameters else "by the samples",
            f"{'x'.join(map(str, n.usual_shape))}, {n.usual_classes} classes",
            n.summary,
        )
        for n in NETWORKS.values()
    ]
    out.table("Networks", ("name", "parameters", "at", "what it is"), rows)
    out.note("Next:  fermodel train shards --model NAME")
    out.result({name: dataclasses.asdict(network) for name, network in NETWORKS.items()})
