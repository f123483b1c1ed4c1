"""The random generators of a learner, those of dropout: their states, and how they are seeded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def generator_states(learner: Any) -> tuple[NDArray[Any], ...]:
    """The states of all generators that a learner draws from, in its order.

    Under PyTorch a dropout without a seed of its own draws from PyTorch's generators: theirs are
    the last ones.
    """
    import keras

    states = [np.array(keras.ops.convert_to_numpy(v)) for v in _variables(learner)]
    if keras.backend.backend() == "torch":
        import torch

        states.append(torch.get_rng_state().numpy())
        states += [state.numpy() for state in torch.cuda.get_rng_state_all()]
    return tuple(states)


def restore_generators(learner: Any, states: Sequence[NDArray[Any]]) -> None:
    """Puts all generators that a learner draws from into the states that they had."""
    import keras

    variables = _variables(learner)
    for variable, state in zip(variables, states, strict=False):
        variable.assign(state)
    if keras.backend.backend() == "torch":
        import torch

        first, *others = (torch.from_numpy(state) for state in states[len(variables) :])
        torch.set_rng_state(first)
        torch.cuda.set_rng_state_all(others)


def seed_generators(learner: Any, seed: int, epoch: int) -> None:
    """Puts every generator of a learner into a state of its seed and epoch alone."""
    import keras

    variables = _variables(learner)
    # integers from 0 to 2**31 - 1 of shape (1 + generators, 2); the first are of no generator
    seeds = np.random.default_rng((seed, epoch, 1)).integers(2**31, size=(len(variables) + 1, 2))
    for variable, state in zip(variables, seeds[1:], strict=True):
        variable.assign(state.astype(variable.dtype))
    if keras.backend.backend() == "torch":
        import torch

        torch.manual_seed(int(seeds[0, 0]))


def _variables(learner: Any) -> list[Any]:
    """The variables that hold the states of a learner's generators."""
    weights = {id(variable) for variable in learner.weights}
    return [v for v in learner.variables if id(v) not in weights and v.shape == (2,)]
