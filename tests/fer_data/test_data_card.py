"""The card says what the index says, and its picture what the pixels are."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_data.data_card import data_card, mean_faces
from fer_data.filter import filter_samples
from fer_data.filter_settings import FilterSettings
from fer_data.manifest import load_manifest
from fer_data.pack import PackSettings, pack
from fer_data.pipeline import Runner
from fer_data.shards.index import read_index
from fer_data.shards.verify import verify_shards
from tests.fer_data.conftest import MakeDataset


@pytest.fixture
def shards(make_dataset: MakeDataset, tmp_path: Path) -> Path:
    dataset = Runner(workers=1).measure(
        make_dataset({"train": {"happiness": 30, "sadness": 20}, "test": {"happiness": 4}})
    )
    dataset, _ = filter_samples(dataset, FilterSettings(duplicates="keep-one"))
    pack(dataset, tmp_path / "shards", PackSettings(), workers=1)
    return tmp_path / "shards"


def test_the_card_has_counts_sources_terms_and_stages(shards: Path) -> None:
    index = read_index(shards)
    text = data_card(index, {"folders": load_manifest("fer2013")})
    assert text.startswith("---\npretty_name: ")
    assert "- n<1K\n" in text
    row = [f"{index.counts[split]['happiness'].original:,}" for split in index.splits]
    assert f"| happiness | {' | '.join(row)} |" in text
    assert load_manifest("fer2013").terms in text
    for stage in ("ingest", "filter", "split", "pack"):
        assert f"**{stage}**:" in text
    assert index.shards[0].file in text
    assert text == data_card(read_index(shards), {"folders": load_manifest("fer2013")})


def test_any_name_is_a_value_of_the_head(shards: Path) -> None:
    for name in ("my: faces", 'müde "Gesichter"', "{a} # b"):
        text = data_card(dataclasses.replace(read_index(shards), name=name), {})
        value = text.splitlines()[1].removeprefix("pretty_name: ")
        assert json.loads(value) == name


def test_the_example_in_the_card_runs(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = data_card(read_index(shards), {})
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    monkeypatch.chdir(shards)
    values: dict[str, object] = {}
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # one line is enough
        exec(code[1], values)
    assert set(values["names"]) <= set(read_index(shards).class_names)  # type: ignore[call-overload]


@pytest.mark.parametrize("channels", [1, 3])
def test_mean_faces_are_means(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 9, 8, channels))
    sums = np.concatenate([images.sum(axis=1), np.zeros((1, 9, 8, channels), int)])
    data = np.frombuffer(mean_faces(sums, [5, 5, 0]), np.uint8)
    found = cv2.imdecode(data, cv2.IMREAD_UNCHANGED).reshape(9, 24, channels)[..., ::-1]
    expected = np.concatenate([*images.mean(axis=1), np.full((9, 8, channels), 255)], axis=1)
    assert np.abs(found - expected).max() <= 0.5


def test_pack_writes_the_card_anew_unless_its_owner_took_it_over(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset({"train": {"happiness": 30, "sadness": 20}})
    for seed, own in ((0, False), (1, False), (2, True), (3, True)):
        card = tmp_path / "shards" / "README.md"
        if own:
            card.write_text("# My faces\n", encoding="utf-8")
        pack(dataset, tmp_path / "shards", PackSettings(seed=seed), workers=1)
        text = card.read_text(encoding="utf-8")
        assert (text == "# My faces\n") is own
        assert own or f"Seed {seed}." in text
    names = {path.name for path in (tmp_path / "shards").iterdir() if path.suffix != ".npz"}
    assert names == {"README.md", "mean-faces.png", "croissant.json", "index.json"}
    assert verify_shards(tmp_path / "shards").problems == ()
