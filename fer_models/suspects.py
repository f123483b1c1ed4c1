"""Samples with a label that is likely wrong, as people and `ferdata filter` read of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_data.shards.samples import Samples
from fer_models.label_errors import LabelErrors


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """One sample.

    Attributes:
        key: of the sample.
        pixels: uint8 array of shape (height, width, channels).
        given: its class, as labelled.
        likely: the class that it counts for.
        given_probability: of its label.
        likely_probability: of the likely class.
        margin: as `fer_models.label_errors.LabelErrors` has it; the lowest is the most suspect.
    """

    key: str
    pixels: NDArray[np.uint8]
    given: str
    likely: str
    given_probability: float
    likely_probability: float
    margin: float


def list_suspects(
    samples: Samples,
    probabilities: NDArray[np.float32],
    errors: LabelErrors,
    class_names: Sequence[str],
) -> list[Suspect]:
    """The samples that count for another class than their label, the most suspect first.

    Args:
        samples: that were judged.
        probabilities: array of shape (num_samples, num_classes).
        errors: what is to be thought of their labels.
        class_names: names in the order of the columns.
    """
    return [
        Suspect(
            key=str(samples.keys[row]),
            pixels=samples.images[row],
            given=class_names[samples.labels[row]],
            likely=class_names[errors.likely[row]],
            given_probability=float(probabilities[row, samples.labels[row]]),
            likely_probability=float(probabilities[row, errors.likely[row]]),
            margin=float(errors.margins[row]),
        )
        for row in errors.ranked(samples.labels)
    ]


def suspects_csv(suspects: Sequence[Suspect]) -> bytes:
    """A table with a line a sample."""
    head = ("key", "given", "likely", "p_given", "p_likely", "margin")
    numbers = [(x.given_probability, x.likely_probability, x.margin) for x in suspects]
    return _csv(
        head,
        (
            (x.key, x.given, x.likely, *(f"{value:.6f}" for value in row))
            for x, row in zip(suspects, numbers, strict=True)
        ),
    )


def decisions_csv(suspects: Sequence[Suspect], action: str) -> bytes:
    """What `ferdata filter --decisions` takes, with what each line is about.

    Args:
        suspects: that are decided on.
        action: `"drop"`, or `"relabel"` to the likely class.
    """
    head = ("key", "action", "label", "given", "likely", "margin")
    relabels = action == "relabel"
    return _csv(
        head,
        (
            (x.key, action, x.likely if relabels else "", x.given, x.likely, f"{x.margin:.6f}")
            for x in suspects
        ),
    )


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()
