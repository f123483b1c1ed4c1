"""How far predictions agree with people, where several people labelled each picture.

With v the votes for the classes of a sample, T their sum and q = v / T:

- cross-entropy: mean of -sum q log p; less the entropy of the votes it is the Kullback-Leibler
  divergence of the prediction p from the votes (Peterson et al., "Human Uncertainty Makes
  Classification More Robust", 2019; FER+ trains on it: Barsoum et al., arXiv:1608.01041).
- agreement: mean of q at the predicted class: how often one of these people, drawn by chance, chose
  what is predicted.
- two people: mean of sum v (v - 1) / (T (T - 1)), which is P of Fleiss, "Measuring nominal scale
  agreement among many raters", 1971; his kappa is (P - E) / (1 - E), where E is the sum of the
  squared shares that the classes have of all votes.
- one person and the others: how often one vote is what most of the other votes are; where several
  classes have most of them, one of these is drawn.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_models.intervals import Z_95, Interval, wilson_interval

_Votes = NDArray[np.float64]
#: Least share of the votes that the first choice has, and what such samples are called.
_SURENESS = ((1.0, "all the same"), (0.8, "80% to 99%"), (0.6, "60% to 79%"), (0.0, "under 60%"))


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """How far people agree among themselves, over samples with two votes or more.

    Attributes:
        num_samples: with so many votes.
        pair_agreement: how often two people chose the same for a sample.
        fleiss_kappa: the same, beyond what chance gives; NaN where all votes are for one class.
        majority_agreement: how often a person chose what most of the others did.
    """

    num_samples: int
    pair_agreement: Interval
    fleiss_kappa: float
    majority_agreement: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class SureGroup:
    """Samples on which people were about as sure.

    Attributes:
        name: share of the votes that the first choice has.
        num_samples: how many.
        accuracy: share of predictions that are the label, with its 95% interval.
        agreement: how often a person chose what is predicted.
        pair_agreement: how often two people chose the same; None where that cannot be told.
    """

    name: str
    num_samples: int
    accuracy: Interval
    agreement: float
    pair_agreement: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far predictions agree with people.

    Attributes:
        num_samples: those with votes; all figures are of these.
        cross_entropy: of the predictions to the votes, natural logarithm; less is better.
        entropy: of the votes: the least that the cross-entropy can be.
        divergence: of Kullback and Leibler: the difference of the two.
        any_vote: share of predictions that at least one person chose.
        agreement: how often a person chose what is predicted.
        best_agreement: the most that it can be: always the first choice of the people.
        people: among themselves; None where no sample has two votes, or votes are not counts.
        by_sureness: groups of samples, those that people were surest of first.
    """

    num_samples: int
    cross_entropy: float
    entropy: float
    divergence: float
    any_vote: float
    agreement: Interval
    best_agreement: float
    people: People | None
    by_sureness: tuple[SureGroup, ...]

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON values; a kappa that cannot be told is null."""
        told = dataclasses.asdict(self)
        if self.people is not None and math.isnan(self.people.fleiss_kappa):
            told["people"]["fleiss_kappa"] = None
        return told


def measure_agreement(
    votes: NDArray[np.float32] | None,
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
) -> Agreement | None:
    """How far predictions agree with people; None where there are no votes.

    Args:
        votes: array of shape (num_samples, num_classes), how many chose each class; rows of zeros
            where nobody was asked.
        labels: int array of shape (num_samples,).
        probabilities: array of shape (num_samples, num_classes); each row sums to 1.

    Example:
        >>> votes = np.array([[3, 1], [0, 4]], np.float32)
        >>> found = measure_agreement(votes, np.array([0, 1]), np.array([[0.6, 0.4], [0.8, 0.2]]))
        >>> found.agreement.value, found.best_agreement, found.people.pair_agreement.value
        (0.375, 0.875, 0.75)
    """
    if votes is None or not votes.any():
        return None
    asked = votes.sum(axis=1) > 0
    counts: _Votes = votes[asked].astype(np.float64)
    labels, probabilities = labels[asked], probabilities[asked]
    rows = np.arange(len(counts))
    predicted = probabilities.argmax(axis=1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    # as `fer_models.metrics.log_loss` has it: float32 rounds small probabilities to 0
    logs = np.log(np.clip(probabilities.astype(np.float64), np.finfo(np.float32).tiny, 1.0))
    cross_entropy = float(-(shares * logs).sum(axis=1).mean())
    # 0 log 0 is 0
    entropy = float(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1).mean())
    agreed = shares[rows, predicted]
    pairs = _pair_agreement(counts) if (counts == np.rint(counts)).all() else None
    return Agreement(
        num_samples=len(counts),
        cross_entropy=cross_entropy,
        entropy=entropy,
        divergence=cross_entropy - entropy,
        any_vote=float((agreed > 0).mean()),
        agreement=_mean(agreed),
        best_agreement=float(shares.max(axis=1).mean()),
        people=_people(counts, pairs) if pairs is not None else None,
        by_sureness=_by_sureness(shares.max(axis=1), predicted == labels, agreed, pairs),
    )


def _pair_agreement(counts: _Votes) -> _Votes:
    """Of each sample, how often two of its people chose the same; NaN under two votes."""
    total = counts.sum(axis=1)
    several = np.where(total > 1, total, np.nan)
    found: _Votes = (counts * (counts - 1)).sum(axis=1) / (several * (several - 1))
    return found


def _majority_agreement(counts: _Votes) -> _Votes:
    """Of each sample, how often one of its people chose what most of the others did."""
    found: _Votes = np.zeros(len(counts))
    for column in range(counts.shape[1]):
        others = counts.copy()
        others[:, column] -= 1  # the votes of all but one who chose this class
        is_most = others == others.max(axis=1, keepdims=True)
        found += counts[:, column] * is_most[:, column] / is_most.sum(axis=1)
    found /= counts.sum(axis=1)
    return found


def _people(counts: _Votes, pairs: _Votes) -> People | None:
    several = ~np.isnan(pairs)
    if not several.any():
        return None
    counts, pairs = counts[several], pairs[several]
    by_chance = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    beyond = float(pairs.mean()) - by_chance
    return People(
        num_samples=len(counts),
        pair_agreement=_mean(pairs),
        fleiss_kappa=beyond / (1 - by_chance) if by_chance < 1 else math.nan,
        majority_agreement=_mean(_majority_agreement(counts)),
    )


def _mean(values: _Votes) -> Interval:
    """The mean over samples, and its 95% interval by the normal distribution."""
    mean = float(values.mean())
    reach = Z_95 * float(values.std()) / math.sqrt(len(values))
    return Interval(value=mean, low=max(0.0, mean - reach), high=min(1.0, mean + reach))


def _by_sureness(
    first: _Votes, is_right: NDArray[np.bool_], agreed: _Votes, pairs: _Votes | None
) -> tuple[SureGroup, ...]:
    groups = []
    left = np.ones(len(first), np.bool_)
    for least, name in _SURENESS:
        members = left & (first >= least)
        left &= ~members
        if not members.any():
            continue
        known = pairs[members] if pairs is not None else np.empty(0)
        known = known[~np.isnan(known)]
        groups.append(
            SureGroup(
                name=name,
                num_samples=int(members.sum()),
                accuracy=wilson_interval(int(is_right[members].sum()), int(members.sum())),
                agreement=float(agreed[members].mean()),
                pair_agreement=float(known.mean()) if len(known) else None,
            )
        )
    return tuple(groups)
