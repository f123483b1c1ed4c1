"""Embeddings as a Parquet table, which pandas, Polars and DuckDB read."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fer_data.shards.reader import Samples

#: Key of the schema's metadata under which JSON tells where the table comes from.
METADATA_KEY = b"ferkit"
NETWORK, PIXELS = "network", "pixels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Samples in two dimensions.

    Attributes:
        method: `"pca"`, `"tsne"` or `"umap"`.
        space: of what: `"network"` for embeddings, `"pixels"` for the pictures as they are.
        points: float32 array of shape (num_samples, 2).
    """

    method: str
    space: str
    points: NDArray[np.float32]

    @property
    def name(self) -> str:
        """What its columns are called, before `_x` and `_y`."""
        return self.method if self.space == NETWORK else f"{self.method}_{self.space}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """Samples and what a network makes of them.

    Attributes:
        split: of the samples.
        class_names: names of the classes.
        samples: num_samples of them.
        embeddings: float32 array of shape (num_samples, num_values).
        probabilities: float32 array of shape (num_samples, num_classes).
        projections: of the embeddings, and of the pixels where asked for.
    """

    split: str
    class_names: Sequence[str]
    samples: Samples
    embeddings: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    projections: tuple[Projection, ...]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of each sample, rows of `class_names`."""
        return np.asarray(self.probabilities.argmax(axis=1))


def encode_table(embedded: Embedded, about: Mapping[str, Any]) -> bytes:
    """The bytes of the table, a row a sample in the order of the split; the same each time.

    Columns: key, split, true, predicted, probability (of the predicted class), embedding (a list
    of float32, the same length in each row), and x and y of each projection.

    Args:
        embedded: what goes in.
        about: JSON values for the schema's metadata.
    """
    samples, names = embedded.samples, np.array(embedded.class_names, object)
    predicted = embedded.predicted
    values = pa.array(embedded.embeddings.ravel(), pa.float32())
    columns: dict[str, Any] = {
        "key": pa.array([str(key) for key in samples.keys], pa.string()),
        "split": pa.array([embedded.split] * len(samples), pa.string()),
        "true": pa.array(names[samples.labels], pa.string()),
        "predicted": pa.array(names[predicted], pa.string()),
        "probability": pa.array(
            embedded.probabilities[np.arange(len(samples)), predicted], pa.float32()
        ),
        "embedding": pa.FixedSizeListArray.from_arrays(values, embedded.embeddings.shape[1]),
    }
    for projection in embedded.projections:
        for axis, column in zip("xy", projection.points.T, strict=True):
            columns[f"{projection.name}_{axis}"] = pa.array(column, pa.float32())
    told = {METADATA_KEY: json.dumps(about, ensure_ascii=False).encode()}
    file = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata(told), file, compression="zstd")
    return file.getvalue()
