"""What classifiers have learned, as arrays; used with NumPy alone.

Each gives what scikit-learn's own gives, up to rounding. Arrays have no version and run no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, Any]


class Classifier(Protocol):
    """A fitted classifier.

    Attributes:
        kind: its name in `KINDS`.
    """

    kind: str

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Array of shape (num_samples, num_classes) for features (num_samples, num_features)."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that was learned, by name."""


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities of shape (num_samples, num_classes); each row sums to 1.

    Example:
        >>> softmax(np.array([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]
    """
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class DenseLayers:
    """Dense layers with ReLU between them and softmax at the end; one is logistic regression.

    Attributes:
        weights: of each layer, shape (inputs, outputs).
        biases: of each layer, shape (outputs,).
    """

    weights: tuple[NDArray[Any], ...]
    biases: tuple[NDArray[Any], ...]
    kind = "dense"

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Classifier`."""
        values: NDArray[Any] = features
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True), 1):
            values = values @ weight + bias
            if number < len(self.weights):
                values = np.maximum(values, 0)
        return softmax(values)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Classifier`."""
        weights = {f"weight{number}": array for number, array in enumerate(self.weights)}
        return weights | {f"bias{number}": array for number, array in enumerate(self.biases)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> DenseLayers:
        """The classifier that `arrays` came from."""
        count = sum(name.startswith("weight") for name in arrays)
        if not count:
            raise KeyError("weight0")
        return cls(
            tuple(arrays[f"weight{n}"] for n in range(count)),
            tuple(arrays[f"bias{n}"] for n in range(count)),
        )

    @classmethod
    def from_logits(cls, weights: list[Any], biases: list[Any]) -> DenseLayers:
        """With a last layer of one logit, as for two classes, made into two."""
        if weights[-1].shape[1] == 1:
            weights = [*weights[:-1], np.hstack([np.zeros_like(weights[-1]), weights[-1]])]
            biases = [*biases[:-1], np.concatenate([np.zeros_like(biases[-1]), biases[-1]])]
        return cls(tuple(weights), tuple(biases))


@dataclass(frozen=True, slots=True)
class Forest:
    """Decision trees, one behind the other; the probabilities are the mean of the trees'.

    Attributes:
        roots: int64 array of shape (num_trees,): the node each tree starts at.
        feature: int32 array of shape (num_nodes,): which feature a node asks for; -1 at a leaf.
        threshold: float64 array of shape (num_nodes,): up to this value it goes left.
        left: int32 array of shape (num_nodes,): the node there; at a leaf, its row in `shares`.
        right: int32 array of shape (num_nodes,).
        shares: float32 array of shape (num_leaves, num_classes).
    """

    roots: NDArray[np.int64]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    shares: NDArray[np.float32]
    kind = "forest"

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Classifier`."""
        total = np.zeros((len(features), self.shares.shape[1]))
        for root in self.roots:
            nodes = np.full(len(features), root)
            going = np.arange(len(features))  # the samples that are not at a leaf
            while len(going := going[self.feature[nodes[going]] >= 0]):
                at = nodes[going]
                goes_left = features[going, self.feature[at]] <= self.threshold[at]
                nodes[going] = np.where(goes_left, self.left[at], self.right[at])
            total += self.shares[self.left[nodes]]
        return total / len(self.roots)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Classifier`."""
        names = ("roots", "feature", "threshold", "left", "right", "shares")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Forest:
        """The classifier that `arrays` came from."""
        return cls(**arrays)


@dataclass(frozen=True, slots=True)
class SupportVectors:
    """An SVM with the RBF kernel, one against one; Chang and Lin, "LIBSVM", 2011.

    The most probable class is the one that wins most pairs, as in scikit-learn's
    `SVC(break_ties=True)`; `sharpness` makes probabilities of the votes (temperature scaling: Guo
    et al. 2017).

    Attributes:
        vectors: float64 array of shape (num_vectors, num_features), a class behind the other.
        counts: int64 array of shape (num_classes,): vectors of each class.
        coefficients: float64 array of shape (num_classes - 1, num_vectors).
        intercepts: float64 array of shape (num_pairs,).
        gamma: of the kernel, one number.
        sharpness: factor of the votes before softmax, one number.
    """

    vectors: NDArray[np.float64]
    counts: NDArray[np.int64]
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    gamma: np.float64
    sharpness: np.float64
    kind = "vectors"

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Classifier`."""
        return softmax(self.votes(features) * self.sharpness)

    def votes(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """How many pairs each class wins, and by how much, shape (num_samples, num_classes)."""
        values = features.astype(np.float64)
        squares = (values**2).sum(axis=1)[:, None] + (self.vectors**2).sum(axis=1)
        kernel = np.exp(-self.gamma * np.maximum(squares - 2 * values @ self.vectors.T, 0))
        ends = np.concatenate([[0], np.cumsum(self.counts)])
        num_classes = len(self.counts)
        wins = np.zeros((len(values), num_classes))
        margins = np.zeros_like(wins)
        pairs = [(i, j) for i in range(num_classes) for j in range(i + 1, num_classes)]
        for (i, j), intercept in zip(pairs, self.intercepts, strict=True):
            of_i, of_j = slice(ends[i], ends[i + 1]), slice(ends[j], ends[j + 1])
            margin = kernel[:, of_i] @ self.coefficients[j - 1, of_i]
            margin += kernel[:, of_j] @ self.coefficients[i, of_j] + intercept
            wins[:, i] += margin >= 0
            wins[:, j] += margin < 0
            margins[:, i] += margin
            margins[:, j] -= margin
        return wins + margins / (3 * (np.abs(margins) + 1))  # type: ignore[no-any-return]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Classifier`."""
        names = ("vectors", "counts", "coefficients", "intercepts", "gamma", "sharpness")
        return {name: np.asarray(getattr(self, name)) for name in names}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> SupportVectors:
        """The classifier that `arrays` came from."""
        return cls(**arrays)


KINDS: dict[str, type[DenseLayers] | type[Forest] | type[SupportVectors]] = {
    "dense": DenseLayers,
    "forest": Forest,
    "vectors": SupportVectors,
}
