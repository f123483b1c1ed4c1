"""Croissant metadata: valid by the judgement of its own validator, and true to the shards."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import pytest

from fer_data.croissant import croissant_text
from fer_data.manifest import load_manifest
from fer_data.pack import PackSettings, pack
from fer_data.shards.index import ShardIndex, read_index
from tests.fer_data.conftest import MakeDataset


@pytest.fixture
def shards(make_dataset: MakeDataset, tmp_path: Path) -> Path:
    dataset = make_dataset({"train": {"happiness": 30, "sadness": 20}, "test": {"happiness": 4}})
    pack(dataset, tmp_path / "shards", PackSettings(shard_samples=16), workers=1)
    return tmp_path / "shards"


@pytest.mark.filterwarnings("default")  # what the validator's own libraries warn of
def test_its_validator_finds_no_error(shards: Path, caplog: pytest.LogCaptureFixture) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    path = shards.parent / "croissant.json"
    path.write_text(croissant_text(read_index(shards), (load_manifest("fer2013"),)), "utf-8")
    with caplog.at_level(logging.WARNING):
        metadata = mlcroissant.Dataset(path)
    issues = metadata.metadata.ctx.issues
    assert not issues.errors
    assert all("datePublished" in warning for warning in issues.warnings), issues.report()
    classes = list(metadata.records("classes"))
    assert [row["classes/label"] for row in classes] == list(range(len(classes)))
    names = tuple(str(row["classes/name"]) for row in classes)
    assert names == read_index(shards).class_names


def test_it_names_every_file_with_its_digest_and_cites_its_sources(shards: Path) -> None:
    index = read_index(shards)
    manifest = load_manifest("fer2013")
    values = json.loads(croissant_text(index, (manifest,)))
    files = {file["contentUrl"]: file["sha256"] for file in values["distribution"]}
    assert set(files) == {"index.json", *(shard.file for shard in index.shards)}
    for name, digest in files.items():
        assert hashlib.sha256((shards / name).read_bytes()).hexdigest() == digest
    assert values["citeAs"] == manifest.citation
    assert manifest.terms in values["license"]
    plain = json.loads(croissant_text(index, ()))
    assert not {"citeAs", "license", "url"} & set(plain)


def test_same_index_same_text(shards: Path) -> None:
    index: ShardIndex = read_index(shards)
    assert croissant_text(index, ()) == croissant_text(read_index(shards), ())
