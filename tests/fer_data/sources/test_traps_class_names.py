"""Traps of codes and names: they differ in every data set, and numbers alone mean nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_data.errors import SourceError
from fer_data.ingest import IngestSettings, ingest
from fer_data.manifest import load_manifest
from fer_data.pack import PackSettings
from fer_data.pipeline import Runner
from fer_data.shards.index import read_index
from fer_data.shards.reader import read_split
from fer_data.sources.opening import SourceSettings
from tests import miniatures
from tests.conftest import face_pixels
from tests.fer_data.sources.understanding import known, labels, write_csv_set
from tests.miniatures import save


def test_label_order_differs_in_every_set() -> None:
    names = ("fer2013", "ferplus", "affectnet", "rafdb", "ckplus")
    code_3 = [load_manifest(name).class_name("3") for name in names]
    assert code_3 == ["happiness", "sadness", "surprise", "disgust", "disgust"]


def test_the_alphabetical_index_of_a_folder_is_not_its_code(tmp_path: Path) -> None:
    mini = miniatures.fer2013_copy(tmp_path)
    found = labels(mini.raw)
    # "neutral" is the fifth folder, and 4 is the code of sadness
    assert found["train/neutral/Training_4.jpg"] == "neutral"
    assert found["train/sad/Training_5.jpg"] == "sadness"


def test_folders_that_are_numbers_are_refused_without_a_manifest(tmp_path: Path) -> None:
    for code in range(3):
        save(tmp_path / "raw" / str(code) / "1.png", face_pixels(code))
    with pytest.raises(SourceError, match="class folders are numbers .0, 1, 2."):
        known(tmp_path / "raw")


def test_labels_that_are_numbers_are_refused_without_a_manifest(tmp_path: Path) -> None:
    raw = write_csv_set(
        tmp_path / "raw", b"path,label\na.png,0\nb.png,3\n", {"a.png": 1, "b.png": 2}
    )
    with pytest.raises(SourceError, match=r"labels are numbers \(0, 3\).*--manifest"):
        known(raw)
    settings = SourceSettings(manifest="rafdb", labels=raw / "labels.csv")
    assert labels(raw, settings)["b.png"] == "disgust"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("angry anger ANGER Ang AN", "anger"),
        ("happy happiness joy HA", "happiness"),
        ("sad sadness SA", "sadness"),
        ("surprised surprise SU", "surprise"),
        ("fearful fear afraid FE", "fear"),
        ("disgusted disgust DI", "disgust"),
        ("normal neutral NE", "neutral"),
        ("contempt Contemptuous CO", "contempt"),
    ],
)
def test_all_synonyms_of_a_class_are_one(tmp_path: Path, words: str, name: str) -> None:
    table = "path,label\n" + "".join(f"{n}.png, {word}\n" for n, word in enumerate(words.split()))
    pictures = {f"{n}.png": n for n in range(len(words.split()))}
    raw = write_csv_set(tmp_path / "raw", table.encode(), pictures)
    found = labels(raw)
    found.pop("labels.csv")
    assert set(found.values()) == {name}


def test_two_sets_of_other_orders_and_names_have_one_class_list(tmp_path: Path) -> None:
    sets = [miniatures.rafdb(tmp_path / "a"), miniatures.affectnet_2021(tmp_path / "b"),
            miniatures.fer2013_csv(tmp_path / "c")]  # fmt: skip
    for mini in sets:
        settings = IngestSettings(source=SourceSettings(name=mini.manifest))
        dataset, report = ingest(mini.raw, tmp_path / "ds", settings, workers=1)
    assert dataset.class_names == (
        "anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt",
    )  # fmt: skip
    for name in dataset.class_names:
        expected = sum(counts.get(name, 0) for mini in sets for counts in mini.counts.values())
        assert sum(counts[name] for counts in report.classes.values()) == expected
    rows = dataset.samples().to_pylist()
    assert {row["source"] for row in rows} == {mini.manifest for mini in sets}
    assert {row["label"] for row in rows} == set(dataset.class_names)


def test_codes_of_two_sets_are_one_list_of_names_in_the_shards(tmp_path: Path) -> None:
    # code 3 is happiness in FER2013 and disgust in RAF-DB, which knows no contempt
    sets = [miniatures.fer2013_csv(tmp_path / "a"), miniatures.rafdb(tmp_path / "b")]
    for mini in sets:
        settings = IngestSettings(source=SourceSettings(name=mini.manifest))
        dataset, _ = ingest(mini.raw, tmp_path / "ds", settings, workers=1)
    expected = {row["key"]: row["label"] for row in dataset.samples(["key", "label"]).to_pylist()}
    Runner(workers=1).pack(dataset, tmp_path / "shards", PackSettings())
    index = read_index(tmp_path / "shards")
    found = {}
    for split in {shard.split for shard in index.shards}:
        samples = read_split(tmp_path / "shards", index, split)
        names = [index.class_names[label] for label in samples.labels]
        found.update(zip(samples.keys.tolist(), names, strict=True))
    assert found == expected
