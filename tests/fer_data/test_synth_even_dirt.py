"""Laws of a synthetic set with as much dirt of every kind."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_data.synth import KINDS, LEDGER_NAME, SynthSettings, write_faces
from fer_data.synth.files import HARDER_NEAR_DUPLICATES, NEAR_DUPLICATES, plan_files

EVEN = SynthSettings(num_samples=120, dirt=0.1, even_dirt=True, splits=True, seed=2)


def test_every_kind_has_that_share() -> None:
    kinds = Counter(file.kind for file in plan_files(EVEN))
    assert kinds == {kind: 120 if kind == "clean" else 12 for kind in KINDS}


def test_every_sort_of_near_duplicate_appears() -> None:
    variants = {file.variant for file in plan_files(EVEN) if file.kind == "near-duplicate"}
    assert variants == {*NEAR_DUPLICATES, *HARDER_NEAR_DUPLICATES}


@pytest.mark.parametrize("channels", [1, 3])
def test_near_duplicates_differ_from_their_source(tmp_path: Path, channels: int) -> None:
    settings = SynthSettings(
        num_samples=90, dirt=0.2, even_dirt=True, channels=channels, image_size=64
    )
    write_faces(tmp_path / "set", settings)
    with (tmp_path / "set" / LEDGER_NAME).open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "near-duplicate"]
    assert len(rows) == 18
    for row in rows:
        with Image.open(tmp_path / "set" / row["path"]) as picture:
            copy = np.asarray(picture.convert("L").resize((64, 64)), dtype=np.float64)
        with Image.open(tmp_path / "set" / row["source_path"]) as picture:
            source = np.asarray(picture.convert("L"), dtype=np.float64)
        difference = min(np.abs(copy - source).mean(), np.abs(copy[:, ::-1] - source).mean())
        assert difference < 32, row
        assert (copy != source).any(), row
