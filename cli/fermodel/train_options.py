"""The options of `fermodel train` that are settings of the training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fer_models.settings import (
    CLASS_WEIGHTS,
    LOSSES,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    XLA,
)

_NETWORKS = "  [default: the network's]"


def _device_count(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """A number of devices; 0 for all of them, None where nothing was said."""
    if value in (None, "all"):
        return None if value is None else 0
    if not (value.isdecimal() and int(value)):
        raise click.BadParameter(f"{value!r} is neither a number above 0 nor 'all'.")
    return int(value)


def _given(
    _ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Values of an option that may be given several times; None where nothing was said."""
    return value or None


def _number(name: str, text: str, field: str | None = None, kind: Any = float) -> Any:
    names = (name,) if field is None else (name, field)
    return click.option(*names, type=kind, help=text)


def _choice(name: str, known: tuple[str, ...], text: str) -> Any:
    return click.option(name, type=click.Choice(known), help=text)


_OPTIONS = (
    _number("--epochs", f"At most so many; 0 only builds the network.{_NETWORKS}", kind=int),
    click.option(
        "--with-validation/--without-validation",
        default=None,
        help="Learn from the validation split too; keeps the last epoch.",
    ),
    _number("--batch-size", f"Samples a step.{_NETWORKS}", kind=int),
    _number("--lr", f"Learning rate, at its highest.{_NETWORKS}", "learning_rate"),
    _choice("--schedule", SCHEDULES, f"Of the rate.{_NETWORKS}"),
    _number("--drop", "Factor of the rate in step and plateau.  [default: 0.1]"),
    _number("--drop-every", "Epochs of step and plateau.  [default: 10]", kind=int),
    _number("--warmup", "Epochs in which the rate first rises, as 0.5.  [default: 0]"),
    _choice("--optimizer", OPTIMIZERS, f"Takes the steps.{_NETWORKS}"),
    _number("--momentum", "Of sgd.  [default: 0.9]"),
    click.option("--nesterov/--no-nesterov", default=None, help="Look ahead with sgd."),
    _number("--weight-decay", "Decoupled: a step takes it times the rate.  [default: 0]"),
    _number("--clip-norm", "Most norm of all gradients together; 0 any.  [default: 0]"),
    _number("--ema", "Momentum of an average of the weights, as 0.999.  [default: 0, none]"),
    _choice("--loss", LOSSES, "Learn labels, or votes where there are any.  [default: auto]"),
    _number("--vote-share", "Of votes in each target; the rest is the label.  [default: 1]"),
    _number("--gamma", "Of the focal loss.  [default: 2]"),
    _number("--label-smoothing", "Share spread over all classes.  [default: 0]"),
    click.option(
        "--distill",
        metavar="RUN",
        multiple=True,
        callback=_given,
        help="Learn what this trained network says too; given again: their mean.",
    ),
    _number("--distill-weight", "Of --distill in each target.  [default: 0.7]"),
    _choice("--class-weights", CLASS_WEIGHTS, "Before or after balancing.  [default: auto]"),
    _number("--first-side", "Side of the images at first; they grow.  [default: 0, no]", kind=int),
    _number("--grow-epochs", "Epochs until they have grown.  [default: 0]", kind=int),
    click.option(
        "--augment/--no-augment", default=None, help=f"Change training images.{_NETWORKS}"
    ),
    _number("--rotation", "Turn by up to so many degrees."),
    _number("--shift", "Move by up to this share of the side."),
    _number("--zoom", "Scale by up to this share."),
    click.option("--flip/--no-flip", default=None, help="Mirror one image in two."),
    _number("--brightness", "Lighter or darker by up to this share of the range."),
    _number("--contrast", "More or less contrast by up to this share."),
    _number("--erasing", "Probability that a rectangle is erased."),
    _number("--mixup", "Blend images and targets of a batch; alpha, as 0.2."),
    _number("--cutmix", "Put a part of another image in; alpha, as 1."),
    _choice("--precision", PRECISIONS, "Of the sums.  [default: auto]"),
    _choice("--xla", XLA, "Compile steps by XLA.  [default: auto, as Keras sees fit]"),
    click.option(
        "--devices",
        metavar="N|all",
        callback=_device_count,
        help="GPUs that share each batch.  [default: 1]",
    ),
    _number("--patience", "Stop after so many epochs without a better one; 0 never.", kind=int),
    _number("--seed", "Seed of all chance.  [default: 0]", kind=int),
    _number("--save-minutes", "Save a longer epoch this often; 0 each batch.  [default: 5]"),
    click.option("--tensorboard/--no-tensorboard", default=None, help="Write TensorBoard logs."),
)


def train_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds an option for each setting of the training; its value is None where none is given."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
