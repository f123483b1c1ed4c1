"""FER+ over the whole of FER2013: the published number of pictures that have a majority."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fer_data.ingest import IngestSettings, ingest
from fer_data.manifest import load_manifest
from fer_data.sources.opening import SourceSettings

pytestmark = [pytest.mark.realdata, pytest.mark.xdist_group("realdata")]


def test_ferplus_majorities_are_as_published(real_data_dir: Path, tmp_path: Path) -> None:
    settings = IngestSettings(source=SourceSettings(votes=real_data_dir / "fer2013new.csv"))
    dataset, report = ingest(real_data_dir / "fer2013.zip", tmp_path / "ds", settings)
    counts = load_manifest("ferplus").counts
    assert report.classes == {
        split: {name: counts[split][name] for name in dataset.class_names}
        for split in ("train", "validation")
    }
    totals = {split: sum(each.values()) for split, each in report.classes.items()}
    assert totals == {"train": 25_060, "validation": 3_199}
    assert report.reasons == {"no-majority": 3_879, "not-a-face": 160}
    table = dataset.samples(["label", "votes", "attributes"])
    num_agreeing = 0
    for row in table.to_pylist():
        votes, attributes = dict(row["votes"]), dict(row["attributes"])
        given = sum(votes.values()) + int(attributes["votes_unknown"]) + int(attributes["votes_nf"])
        assert given in (9, 10)
        assert max(votes, key=lambda name: votes[name]) == row["label"]
        num_agreeing += attributes["fer2013_label"] == row["label"]
    assert 0.6 < num_agreeing / len(table) < 0.8


def test_the_command_says_that_the_join_is_complete(real_data_dir: Path, tmp_path: Path) -> None:
    command = [Path(sys.executable).parent / "ferdata", "ingest", real_data_dir / "fer2013.zip"]
    votes = ["--votes", real_data_dir / "fer2013new.csv"]
    done = subprocess.run(
        [*command, *votes], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "ferplus train: complete, all 25,060 samples" in done.stdout
    assert "ferplus validation: complete, all 3,199 samples" in done.stdout
