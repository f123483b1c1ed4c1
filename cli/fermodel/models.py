"""`fermodel models`."""

from __future__ import annotations

import dataclasses

import click

from fer_models.baselines.options import taken_fields
from fer_models.zoo import NETWORKS, Network, find_network, network_presets
from fercli.options import json_option
from fercli.output import Output, describe


@click.command()
@click.argument("name", required=False)
@json_option
def models(name: str | None, as_json: bool) -> None:
    """List the networks that `fermodel train --model` knows, or show the one called NAME.

    \b
    Example:
      fermodel models
      fermodel models cnn4-sched
    """
    out = Output(as_json=as_json)
    if name is None:
        _list_networks(out)
    else:
        _show_network(out, find_network(name))


def _list_networks(out: Output) -> None:
    rows = [
        (
            n.name,
            _describe_input(n),
            n.num_parameters or "varies",
            f"{n.summary} ({n.source})",
            _presets(n),
        )
        for n in NETWORKS.values()
    ]
    out.table("Networks", ("name", "input", "parameters", "what it is", "presets"), rows)
    out.note("Next:  fermodel models NAME, or  fermodel train shards --model NAME")
    out.result({name: dataclasses.asdict(network) for name, network in NETWORKS.items()})


def _show_network(out: Output, network: Network) -> None:
    about = [
        ("what it is", network.summary),
        ("source", network.source),
        ("input", f"{_describe_input(network)}; at least {network.min_side}x{network.min_side}"),
        ("parameters", f"{network.num_parameters:,}" if network.num_parameters else "varies"),
        *((f"preset {p.name}", f"{p.summary}; {p.num_parameters:,}") for p in network.presets),
    ]
    out.table(network.name, ("", "value"), about)
    taken = taken_fields(network.name)
    presets = {
        name: {field: settings.to_json()[field] for field in taken}
        for name, settings in network_presets(network.name).items()
    }
    fields = [field for field in taken if field not in {"model", "preset", "weights"}]
    rows = [(f.replace("_", " "), *(describe(p[f]) for p in presets.values())) for f in fields]
    out.table("Settings", ("setting", *(name or "value" for name in presets)), rows)
    options = f" --preset {network.presets[-1].name}" if network.presets else ""
    out.note(f"Next:  fermodel train shards --model {network.name}{options}")
    out.result(dataclasses.asdict(network) | {"settings": presets})


def _describe_input(network: Network) -> str:
    return f"{'x'.join(map(str, network.usual_shape))}, {network.usual_classes} classes"


def _presets(network: Network) -> str:
    return ", ".join(preset.name for preset in network.presets)
