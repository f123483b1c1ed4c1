"""Groups of samples that show the same picture."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from fer_data.dataset import Dataset


def find_duplicates(dataset: Dataset) -> Dataset:
    """The data set with a table of duplicates: one row a sample that has a twin.

    Columns: `key`, and `group`, a number that samples with identical pixels share. Groups are
    numbered by their first sample, in the order of the data set.
    """
    samples = dataset.samples(["key", "pixel_sha256"])
    codes = pc.dictionary_encode(samples["pixel_sha256"]).combine_chunks().indices
    tally = pc.value_counts(codes)
    repeated = tally.field("values").filter(pc.greater(tally.field("counts"), 1))
    twins = samples.select(["key"]).append_column("code", codes)
    twins = twins.filter(pc.is_in(twins["code"], value_set=repeated))
    group = pc.dictionary_encode(twins["code"]).combine_chunks().indices
    table = pa.table({"key": twins["key"], "group": group})
    counts = {
        "samples": len(samples),
        "groups": len(repeated),
        "redundant": len(table) - len(repeated),
    }
    return dataset.publish("duplicates", table, settings={}, counts=counts, inputs=["ingest"])
