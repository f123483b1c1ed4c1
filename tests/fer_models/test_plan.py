"""What a training run decides by itself, and says."""

from __future__ import annotations

import dataclasses

import pytest

from fer_data.shards.index import ClassCount, read_index
from fer_models.plan import choose_class_weights


@pytest.mark.parametrize(
    ("count", "method", "wanted", "said"),
    [
        ({}, "augment", "auto", "original, because the shards hold no augmented samples."),
        ({}, "weights", "auto", "original, because `ferdata balance --method weights` left"),
        (
            {"augmented": 7},
            "augment",
            "auto",
            "balanced, because the shards hold 21 augmented samples.",
        ),
        ({"left_out": 5}, "undersample", "auto", "balanced, because the shards leave 15 originals"),
        ({"augmented": 7}, "augment", "none", "none, as asked."),
        ({}, "augment", "original", "original, as asked."),
        (
            {"augmented": 7},
            "augment",
            "original",
            "original, as asked, on shards that hold 21 augmented samples: small classes are "
            "balanced twice, by samples and by weights",
        ),
    ],
)
def test_class_weights_are_never_stacked_on_a_balance_in_silence(
    make_shards, caplog, count, method, wanted, said
):
    folder, _ = make_shards({"train": [30]})
    counts = {n: ClassCount(**{"original": 9, "augmented": 0, **count}) for n in ("a", "b", "c")}
    lineage = {"balance": {"settings": {"method": method}}}
    index = dataclasses.replace(read_index(folder), counts={"train": counts}, lineage=lineage)
    weights, note = choose_class_weights(index, wanted)
    assert weights == said.split(",")[0]
    assert f"lass weights{'' if 'twice' in said else ':'} {said}" in note
    assert ("balanced twice" in caplog.text) == ("balanced twice" in said)
    assert note.startswith("Warning: ") == ("balanced twice" in said)
