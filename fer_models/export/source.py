"""What the formats are given and give back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: From uint8 images (B, H, W, C) to float32 probabilities (B, num_classes).
Classify = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSource:
    """What is exported.

    Attributes:
        model_path: the network as Keras wrote it.
        function: the same as a `tf.function`, see `fer_models.export.graph.trace`; None where no
            format needs it.
        about: what a user of the exported network must know, as JSON values.
    """

    model_path: Path
    function: Any
    about: Mapping[str, Any]
