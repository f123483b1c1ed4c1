"""`fermodel`: the commands, each loaded when it is used."""

from __future__ import annotations

from typing import NoReturn

import click

from fer_data.errors import FerDataError
from fer_models.errors import FerModelError
from fercli.program import LazyGroup, run_program

COMMANDS = {
    "train": ("fermodel.train:train", "Train a network on shards."),
    "evaluate": ("fermodel.evaluate:evaluate", "Judge a trained network, and write its report."),
    "compare": ("fermodel.compare:compare", "Train several networks alike, and compare them."),
    "audit": ("fermodel.audit:audit", "Find labels that are likely wrong."),
    "embed": ("fermodel.embed:embed", "Show what a trained network sees alike in samples."),
    "predict": ("fermodel.predict:predict", "Name the expression on picture files."),
    "serve": ("fermodel.serve:serve", "Open a web page that names expressions."),
    "export": ("fermodel.export:export", "Write a trained network for other programs."),
    "models": ("fermodel.models:models", "List the networks."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="ferkit", prog_name="fermodel")
def fermodel() -> None:
    """Train, judge and use facial-expression classifiers on shards from ferdata.

    \b
    Example:
      fermodel train shards/
      fermodel evaluate
      fermodel predict runs/cnn4-001 photos/
    """


def main() -> NoReturn:
    """Runs the program."""
    errors = (FerDataError, FerModelError)
    run_program(fermodel, "fermodel", errors, after_interrupt="what was finished is kept")
