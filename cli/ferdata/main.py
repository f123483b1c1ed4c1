"""The program `ferdata`: from raw folders of faces to shards one can trust."""

from __future__ import annotations

import click

from fer_data.errors import FerDataError
from fercli.program import LazyGroup, run_program

COMMANDS = {
    "synth": ("ferdata.synth:synth", "Draw cartoon faces to try things on."),
    "ingest": ("ferdata.ingest:ingest", "Read raw files into the data set."),
    "inspect": ("ferdata.inspect:inspect", "Show what is in a data set, and what is wrong."),
    "filter": ("ferdata.filter:filter_", "Decide which samples to keep."),
    "split": ("ferdata.split:split", "Put samples into train, validation and test."),
    "balance": ("ferdata.balance:balance", "Plan augmented copies for small classes."),
    "pack": ("ferdata.pack:pack", "Write shards."),
    "verify": ("ferdata.verify:verify", "Check shards against their index."),
    "export": ("ferdata.export:export", "Write shards for other tools."),
    "run": ("ferdata.run:run", "Do all stages that a recipe says."),
    "status": ("ferdata.status:status", "Show what has been done, and what is stale."),
    "manifests": ("ferdata.manifests:manifests", "List the data sets that are known."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ferkit", prog_name="ferdata")
def ferdata() -> None:
    """Build a facial-expression data set: ingest, filter, split, balance, pack.

    \b
    Example:
      ferdata ingest FER2013.zip
      ferdata inspect
      ferdata balance --target disgust
      ferdata pack --format npz
      fermodel train shards/
    """


def main() -> None:
    """Runs the program."""
    after_interrupt = "what was finished is kept, the same command does the rest"
    run_program(ferdata, "ferdata", (FerDataError,), after_interrupt=after_interrupt)
