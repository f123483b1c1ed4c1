"""Laws of packing: the same bytes whatever happens, nothing leaks, nothing foreign is touched."""

from __future__ import annotations

import errno
import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fer_data import pack_shard
from fer_data.augment import augment_image
from fer_data.balance import BalanceSettings, balance
from fer_data.dataset import Dataset
from fer_data.errors import (
    DatasetError,
    LeakageError,
    MissingStageError,
    SettingsError,
    StaleStageError,
    UnknownNameError,
)
from fer_data.ingest import IngestSettings, ingest
from fer_data.manifest import load_manifest, manifest_dir
from fer_data.operations import operations_from_json
from fer_data.pack import PackSettings, pack
from fer_data.pack_plan import plan_pack
from fer_data.shards.index import class_weights, read_index
from fer_data.shards.reader import Samples, read_split
from fer_data.shards.verify import verify_shards
from fer_data.sources.settings import SourceSettings
from fer_data.split import SplitSettings, split_samples
from fer_data.tables import write_table
from tests.fer_data.conftest import MakeDataset, build_dataset
from tests.miniatures import class_folders, fer2013_folders

COUNTS = {
    "train": {"anger": 60, "disgust": 7, "happiness": 83},
    "validation": {"anger": 12, "disgust": 2, "happiness": 9},
    "test": {"anger": 4, "disgust": 1, "happiness": 6},
}
SMALL = PackSettings(shard_samples=16)
AFTER = {"anger": 60, "disgust": 60, "happiness": 83}


@pytest.fixture(scope="module", params=["gray", "rgb"])
def balanced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    dataset = build_dataset(tmp_path_factory.mktemp("pack") / "ds", COUNTS, color=request.param)
    return balance(dataset, BalanceSettings(targets={"disgust": None}))[0]


@pytest.fixture
def prepared(make_dataset: MakeDataset) -> Dataset:
    return balance(make_dataset(COUNTS), BalanceSettings(targets={"disgust": None}))[0]


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def all_samples(shards_dir: Path) -> dict[str, Samples]:
    index = read_index(shards_dir)
    return {split: read_split(shards_dir, index, split) for split in index.splits}


def test_plain_numpy_opens_every_shard(balanced: Dataset, tmp_path: Path) -> None:
    _, report = pack(balanced, tmp_path, SMALL, workers=1)
    shapes = set()
    for shard in report.index.shards:
        with np.load(tmp_path / shard.file, allow_pickle=False) as arrays:
            assert list(arrays) == ["images", "labels", "keys", "parents"]
            assert arrays["images"].dtype == np.uint8
            assert arrays["labels"].dtype == np.int64
            assert len(arrays["keys"]) == shard.num_samples <= 16
            shapes.add(arrays["images"].shape[1:])
    assert shapes == {balanced.image_shape}
    assert verify_shards(tmp_path).problems == ()


def test_every_sample_is_there_once_and_every_copy_has_its_parent(
    balanced: Dataset, tmp_path: Path
) -> None:
    _, report = pack(balanced, tmp_path, SMALL, workers=1)
    samples = all_samples(tmp_path)
    pixels = {
        row["key"]: np.asarray(balanced.pixels(row["block"])[row["row"]])
        for row in balanced.samples(["key"]).to_pylist()
    }
    plan = {f"{r['parent']}#{r['copy']}": r for r in balanced.table("balance").to_pylist()}
    placed = {row["key"]: row["split"] for row in balanced.table("split").to_pylist()}
    seen = set()
    for split, some in samples.items():
        names = Counter(report.index.class_names[label] for label in some.labels)
        assert names == (AFTER if split == "train" else COUNTS[split])
        for image, label, key, parent in zip(
            some.images, some.labels, some.keys, some.parents, strict=True
        ):
            assert key not in seen
            seen.add(key)
            original = str(parent or key)
            assert placed[original] == split
            assert original.split("/")[2] == report.index.class_names[label]
            expected = pixels[original]
            if parent:
                assert split == "train"
                operations = operations_from_json(plan[key]["operations"])
                expected = augment_image(expected, operations, plan[key]["seed"])
            np.testing.assert_array_equal(image, expected)
    assert seen == set(pixels) | set(plan)


def test_index_says_what_is_in_the_shards(balanced: Dataset, tmp_path: Path) -> None:
    done, report = pack(balanced, tmp_path, SMALL, workers=1)
    index = read_index(tmp_path)
    assert index == report.index
    assert index.name == "src"
    for split, counts in COUNTS.items():
        for name, count in counts.items():
            assert index.counts[split][name].original == count
            augmented = AFTER[name] - count if split == "train" else 0
            assert index.counts[split][name].augmented == augmented
    assert index.class_weights == {
        "original": class_weights(COUNTS["train"]),
        "balanced": class_weights(AFTER),
    }
    train = read_split(tmp_path, index, "train")
    originals = train.images[train.parents == ""].astype(np.float64) / 255
    np.testing.assert_allclose(index.pixel_mean, originals.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(index.pixel_std, originals.std((0, 1, 2)), rtol=1e-12)
    assert list(index.lineage) == ["ingest", "split", "balance", "pack"]
    for stage in ("ingest", "split", "balance"):
        assert index.lineage[stage]["fingerprint"] == done.fingerprint(stage)
    assert index.leakage == {"groups": 0, "samples": {}, "twins": {}}
    assert str(tmp_path) not in index.to_json()
    assert done.is_done("pack")
    assert [shard.split for shard in index.shards] == sorted(
        (shard.split for shard in index.shards), key=["train", "validation", "test"].index
    )


def test_bytes_do_not_depend_on_workers_runs_or_folder(balanced: Dataset, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []

    def note(done: int, whole: int) -> None:
        calls.append((done, whole))

    pack(balanced, tmp_path / "one", SMALL, workers=1)
    pack(balanced, tmp_path / "two", SMALL, workers=2, on_progress=note)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    whole = sum(AFTER.values()) + 23 + 11
    assert calls[-1] == (whole, whole)
    assert sorted(calls) == calls
    copied = Path(shutil.copytree(balanced.dir, tmp_path / "elsewhere"))
    pack(Dataset.open(copied), tmp_path / "three", SMALL, workers=1)
    assert files(tmp_path / "one") == files(tmp_path / "three")


def test_train_is_shuffled_by_seed_and_stable_and_others_keep_their_order(
    prepared: Dataset, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    def keys(dataset: Dataset, seed: int) -> dict[str, list[str]]:
        plan = plan_pack(dataset, seed)
        return {split: table["key"].to_pylist() for split, table in plan.samples.items()}

    one, same, other = (keys(prepared, seed) for seed in (0, 0, 1))
    assert one == same
    assert one["train"] != other["train"]
    assert sorted(one["train"]) == sorted(other["train"])
    assert one["validation"] == other["validation"] == sorted(one["validation"])
    parents = ["#" in key for key in one["train"]]
    assert 0 < sum(parents[:80]) < 53  # copies stand among the originals
    more = make_dataset({**COUNTS, "train": {**COUNTS["train"], "fear": 9}}, name="more")
    stayed = [key for key in keys(more, 0)["train"] if "/fear/" not in key]
    assert stayed == [key for key in one["train"] if "#" not in key]


def test_data_set_folder_is_unchanged_but_for_its_info(prepared: Dataset, tmp_path: Path) -> None:
    before = files(prepared.dir)
    pack(prepared, tmp_path / "shards", SMALL, workers=1)
    after = files(prepared.dir)
    assert set(after) == set(before)
    assert {name for name in before if before[name] != after[name]} == {"dataset.json"}


def test_shards_are_no_larger_than_asked(prepared: Dataset, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    settings = PackSettings(shard_mb=24 * 24 * 10 / 1_000_000)
    _, report = pack(prepared, shards, settings, workers=1)
    assert {shard.num_samples for shard in report.index.split_shards("train")} == {9, 10}
    assert len(report.index.split_shards("validation")) == 3
    one = PackSettings(shard_mb=1e-6)
    assert one.most_samples(prepared.image_shape) == 1


def test_without_balance_there_are_no_copies(make_dataset: MakeDataset, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    _, report = pack(make_dataset(COUNTS), shards, SMALL, workers=1)
    assert "balance" not in report.index.lineage
    assert report.index.num_samples("train") == 150
    assert report.index.class_weights["original"] == report.index.class_weights["balanced"]


def test_packing_again_writes_nothing_when_all_is_right(prepared: Dataset, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    done, first = pack(prepared, shards, SMALL, workers=1)
    stamps = {path: path.stat().st_mtime_ns for path in shards.iterdir()}
    again, second = pack(done, shards, SMALL, workers=1)
    assert {path: path.stat().st_mtime_ns for path in shards.iterdir()} == stamps
    assert (first.num_made, first.num_found) == (len(first.index.shards), 0)
    assert (second.num_made, second.num_found) == (0, len(first.index.shards))
    assert again.fingerprint("pack") == done.fingerprint("pack")


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "index", "no index"])
def test_packing_again_mends_what_is_damaged(prepared: Dataset, tmp_path: Path, harm: str) -> None:
    shards = tmp_path / "shards"
    _, report = pack(prepared, shards, SMALL, workers=1)
    before = files(shards)
    path = shards / report.index.shards[2].file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    match harm:
        case "flip":
            path.write_bytes(data)
        case "cut":
            path.write_bytes(data[:100])
        case "remove":
            path.unlink()
        case "index":
            (shards / "index.json").write_text('{"format": "ferkit-')
        case _:
            (shards / "index.json").unlink()
    pack(prepared, shards, SMALL, workers=1)
    assert files(shards) == before


def test_packing_otherwise_removes_the_old_shards(prepared: Dataset, tmp_path: Path) -> None:
    pack(prepared, tmp_path / "a", SMALL, workers=1)
    (tmp_path / "a" / "notes.txt").write_text("mine")
    large = PackSettings(shard_samples=64, seed=3)
    pack(prepared, tmp_path / "a", large, workers=1)
    pack(prepared, tmp_path / "b", large, workers=1)
    assert files(tmp_path / "a") == {**files(tmp_path / "b"), "notes.txt": b"mine"}


def test_a_folder_of_other_things_is_refused_and_left_alone(
    prepared: Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "index.json").write_text('{"format": "somebody else\'s"}')
    (folder / "photo.jpg").write_bytes(b"photo")
    before = files(folder)
    with pytest.raises(SettingsError, match=r"holds 1 files that are no shards \(photo.jpg\)"):
        pack(prepared, folder, SMALL, workers=1)
    (folder / "photo.jpg").unlink()
    with pytest.raises(SettingsError, match=r"no shards \(index.json\)"):
        pack(prepared, folder, SMALL, workers=1)
    del before["photo.jpg"]
    assert files(folder) == before
    with pytest.raises(SettingsError, match="is a file; expected a folder"):
        pack(prepared, folder / "index.json", SMALL, workers=1)


@pytest.mark.parametrize("number", [0, 3, 12])
def test_a_full_disk_leaves_no_index_and_the_rest_is_made_later(
    prepared: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    pack(prepared, tmp_path / "whole", SMALL, workers=1)
    expected = files(tmp_path / "whole")
    pack(prepared, tmp_path / "cut", PackSettings(shard_samples=16, seed=1), workers=1)
    shards_written = []

    def full(path: Path, data: bytes) -> None:
        if path.suffix == ".npz":
            if len(shards_written) == number:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            shards_written.append(path.name)
        write_file(path, data)

    write_file = pack_shard.write_file
    with monkeypatch.context() as patch:
        patch.setattr(pack_shard, "write_file", full)
        with pytest.raises(OSError, match="No space left on device"):
            pack(prepared, tmp_path / "cut", SMALL, workers=1)
        assert not (tmp_path / "cut" / "index.json").exists()
    _, report = pack(prepared, tmp_path / "cut", SMALL, workers=1)
    assert report.num_found == number
    assert files(tmp_path / "cut") == expected


def test_a_harmed_shard_of_an_unfinished_pack_is_made_again(
    prepared: Dataset, tmp_path: Path
) -> None:
    pack(prepared, tmp_path / "whole", SMALL, workers=1)
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    (tmp_path / "cut" / "index.json").unlink()
    work = tmp_path / "cut" / ".pack"
    work.mkdir()
    for shard in read_index(tmp_path / "whole").shards:
        (work / f"{shard.file}.json").write_text('{"fingerprint": "0"}')
    (tmp_path / "cut" / ".train-00000-of-00013.npz.123.tmp").write_bytes(b"half")
    (work / ".train-00000-of-00013.npz.json.123.tmp").write_bytes(b"half")
    _, report = pack(prepared, tmp_path / "cut", SMALL, workers=1)
    assert report.num_found == 0
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_pack_goes_on_to_the_same_bytes(prepared: Dataset, tmp_path: Path) -> None:
    settings = PackSettings(shard_samples=8)
    pack(prepared, tmp_path / "whole", settings, workers=1)
    expected = files(tmp_path / "whole")
    shards = tmp_path / "killed"
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from fer_data.dataset import Dataset\n"
        "from fer_data.pack import PackSettings, pack\n"
        "if __name__ == '__main__':\n"
        "    settings = PackSettings(shard_samples=8)\n"
        "    pack(Dataset.open(sys.argv[1]), Path(sys.argv[2]), settings, workers=2)\n"
    )
    command = [sys.executable, "-c", code, str(prepared.dir), str(shards)]
    chance = random.Random(4)
    num_found = 0
    for number in (0, 1, 3, 5, 8, 11, 14, 17, 20, 23):  # shards that stand when the blow falls
        run = subprocess.Popen(command)
        while run.poll() is None and len(list(shards.glob("*.npz"))) < number:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.05))
        workers = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
        run.kill()
        run.wait()
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert alive == []
        assert not (shards / "index.json").exists() or files(shards).items() >= expected.items()
        _, report = pack(prepared, shards, settings, workers=1)
        num_found += 0 < report.num_found < report.num_found + report.num_made
        assert files(shards) == expected
        shutil.rmtree(shards)
    assert num_found >= 1, "no kill fell in the middle of the work"


def test_votes_stand_in_the_order_of_the_classes_and_copies_have_their_parents(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    key = "src/train/anger/000é.png"
    votes = {key: {"sadness": 3.0, "anger": 6.0, "happiness": 1.0}}
    dataset = make_dataset({"train": {"anger": 4, "happiness": 9}}, votes=votes)
    dataset, _ = balance(dataset, BalanceSettings(targets={"anger": 9}))
    _, report = pack(dataset, tmp_path / "shards", PackSettings(shard_samples=6), workers=1)
    samples = read_split(tmp_path / "shards", report.index, "train")
    assert report.index.class_names == ("anger", "happiness")
    assert samples.votes is not None
    assert samples.votes.dtype == np.float32
    for own, parent, row in zip(samples.keys, samples.parents, samples.votes, strict=True):
        assert row.tolist() == ([6.0, 1.0] if key in (own, parent) else [0.0, 0.0])
    assert verify_shards(tmp_path / "shards").problems == ()


@pytest.mark.parametrize("way", ["as it is", "mapped", "another source", "own manifest"])
def test_the_published_accuracy_of_people_is_that_of_the_data_set_alone(
    tmp_path: Path, way: str
) -> None:
    raw = fer2013_folders(tmp_path / "raw").raw
    source = SourceSettings(class_map={"disgust": "anger"} if way == "mapped" else {})
    if way == "own manifest":
        own = tmp_path / "fer2013.toml"
        shutil.copy(manifest_dir() / "fer2013.toml", own)
        source = SourceSettings(manifest=str(own))
    dataset, _ = ingest(raw, tmp_path / "ds", IngestSettings(source=source), workers=1)
    if way == "another source":
        more = class_folders(tmp_path / "more").raw
        dataset, _ = ingest(more, tmp_path / "ds", IngestSettings(), workers=1)
    dataset, _ = split_samples(dataset, SplitSettings(group_by=()))
    index = pack(dataset, tmp_path / "shards", SMALL)[1].index
    assert read_index(tmp_path / "shards") == index
    expected = load_manifest("fer2013").human_accuracy if way == "as it is" else None
    assert index.human_accuracy == expected


def test_without_votes_there_is_no_array_of_them(prepared: Dataset, tmp_path: Path) -> None:
    _, report = pack(prepared, tmp_path / "shards", SMALL, workers=1)
    assert all("votes" not in shard.arrays for shard in report.index.shards)
    assert read_split(tmp_path / "shards", report.index, "train").votes is None


def test_identical_images_in_two_splits_are_refused(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    pairs = [
        ("src/train/anger/003é.png", "src/validation/anger/001é.png"),
        ("src/train/happiness/003é.png", "src/test/disgust/000é.png"),
        ("src/train/happiness/004é.png", "src/train/happiness/005é.png"),
    ]
    leaking = make_dataset(COUNTS, same=pairs)
    with pytest.raises(
        LeakageError,
        match=r"2 images stand in two splits, for example src/train/anger/003é.png \(train\) and "
        r"src/validation/anger/001é.png \(validation\)",
    ):
        pack(leaking, tmp_path / "shards", SMALL, workers=1)
    assert not (tmp_path / "shards").exists()


def test_leaks_of_official_splits_are_counted(make_dataset: MakeDataset, tmp_path: Path) -> None:
    pairs = [
        ("src/train/anger/003é.png", "src/validation/anger/001é.png"),
        ("src/train/anger/003é.png", "src/train/anger/004é.png"),
        ("src/train/happiness/003é.png", "src/test/disgust/000é.png"),
    ]
    dataset = make_dataset(COUNTS, same=pairs, official=True)
    _, report = pack(dataset, tmp_path / "shards", SMALL, workers=1)
    twins = {
        "train": {"validation": [pairs[0][0], pairs[1][1]], "test": [pairs[2][0]]},
        "validation": {"train": [pairs[0][1]]},
        "test": {"train": [pairs[2][1]]},
    }
    samples = {"train": 3, "validation": 1, "test": 1}
    expected = {"groups": 2, "samples": samples, "twins": twins}
    assert report.index.leakage == expected
    assert verify_shards(tmp_path / "shards").problems == ()
    table = dataset.table("split")
    moved = pc.if_else(pc.equal(table["key"], pairs[0][1]), "test", table["split"])
    edited = dataset.publish(
        "split",
        table.set_column(1, "split", moved),
        settings={"by": "hand"},
        counts={},
        inputs=["ingest"],
    )
    with pytest.raises(LeakageError, match="1 images stand in two splits"):
        pack(edited, tmp_path / "shards", SMALL, workers=1)


def grouped(dataset: Dataset, *families: tuple[str, ...]) -> Dataset:
    """The data set as if split had been asked to keep families and subjects together."""
    numbers = {key: number for number, keys in enumerate(families) for key in keys}
    keys, groups = pa.array(numbers, pa.string()), pa.array(numbers.values(), pa.int64())
    table = pa.table({"key": keys, "group": groups})
    dataset = dataset.publish("duplicates", table, settings={}, counts={}, inputs=["ingest"])
    asked = {"group_by": ["duplicates", "subject"]}
    inputs = ["ingest", "duplicates"]
    table = dataset.table("split")
    return dataset.publish("split", table, settings=asked, counts={}, inputs=inputs)


def edit_split(dataset: Dataset, key: str, split: str) -> None:
    """Puts one sample into another split, as a person with a table editor would."""
    table = dataset.table("split")
    moved = pc.if_else(pc.equal(table["key"], key), split, table["split"])
    write_table(dataset.dir / "split.parquet", table.set_column(1, "split", moved))


def test_a_family_that_a_hand_put_into_two_splits_is_refused(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    family = tuple(f"src/train/anger/{number:03d}é.png" for number in (3, 4, 5))
    dataset = grouped(make_dataset(COUNTS), family, ("src/train/disgust/001é.png",))
    _, report = pack(dataset, tmp_path / "before", SMALL, workers=1)
    assert report.index.leakage == {
        "groups": 0, "samples": {}, "twins": {}, "near_groups": 0, "near_samples": {},
    }  # fmt: skip
    edit_split(dataset, family[1], "test")
    with pytest.raises(
        LeakageError,
        match=r"1 group of samples that belong together stand in two splits, for example near or "
        r"mirrored pictures: src/train/anger/003é.png \(train\) and "
        r"src/train/anger/004é.png \(test\); run `ferdata split` again",
    ):
        pack(dataset, tmp_path / "shards", SMALL, workers=1)
    assert not (tmp_path / "shards").exists()


def test_a_subject_that_a_hand_put_into_two_splits_is_refused(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    subjects = {f"src/train/happiness/{n:03d}é.png": f"S{n // 4}" for n in range(40)}
    dataset = grouped(make_dataset(COUNTS, subjects=subjects))
    edit_split(dataset, "src/train/happiness/013é.png", "validation")
    with pytest.raises(
        LeakageError,
        match=r"1 group .* for example samples of one subject: src/train/happiness/012é.png "
        r"\(train\) and src/train/happiness/013é.png \(validation\)",
    ):
        pack(dataset, tmp_path / "shards", SMALL, workers=1)


def test_near_leaks_of_official_splits_are_counted(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    family = ("src/train/anger/003é.png", "src/train/anger/004é.png", "src/test/anger/001é.png")
    subjects = {"src/train/anger/007é.png": "A", "src/validation/anger/002é.png": "A"}
    dataset = grouped(make_dataset(COUNTS, official=True, subjects=subjects), family)
    _, report = pack(dataset, tmp_path / "shards", SMALL, workers=1)
    assert report.index.leakage == {
        "groups": 0, "samples": {}, "twins": {},
        "near_groups": 1, "near_samples": {"train": 2, "test": 1},
        "subject_groups": 1, "subject_samples": {"train": 1, "validation": 1},
    }  # fmt: skip
    assert verify_shards(tmp_path / "shards").problems == ()
    edit_split(dataset, family[1], "validation")
    with pytest.raises(LeakageError, match="near or mirrored pictures"):
        pack(dataset, tmp_path / "moved", SMALL, workers=1)


def test_a_copy_whose_parent_left_train_is_refused(prepared: Dataset, tmp_path: Path) -> None:
    table = prepared.table("split")
    parent = "src/train/disgust/002é.png"

    def with_split(edited: pa.Table, *, inputs: list[str]) -> Dataset:
        dataset = prepared.publish(
            "split", edited, settings={"by": "hand"}, counts={}, inputs=inputs
        )
        with pytest.raises(StaleStageError, match="balance no longer fits"):
            pack(dataset, tmp_path / "shards", SMALL, workers=1)
        plan = dataset.table("balance")
        return dataset.publish("balance", plan, settings={}, counts={}, inputs=["split"])

    moved = pc.if_else(pc.equal(table["key"], parent), "validation", table["split"])
    dataset = with_split(table.set_column(1, "split", moved), inputs=["ingest"])
    with pytest.raises(
        LeakageError, match=r"parent outside train, .*disgust/002é.png \(validation\)"
    ):
        pack(dataset, tmp_path / "shards", SMALL, workers=1)
    dropped = table.filter(pc.not_equal(table["key"], parent))
    dataset = with_split(dropped, inputs=["ingest"])
    with pytest.raises(LeakageError, match=r"parent outside train, .*002é.png \(no split\)"):
        pack(dataset, tmp_path / "shards", SMALL, workers=1)


def test_changed_pixels_are_noticed(prepared: Dataset, tmp_path: Path) -> None:
    path = prepared.block_path("pixels", 1)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"block-00001.npy: image 31 is not the one that was"):
        pack(prepared, tmp_path / "shards", SMALL, workers=1)


def test_what_cannot_be_packed_is_told(
    make_dataset: MakeDataset, prepared: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(MissingStageError, match="split has not been done"):
        pack(make_dataset(COUNTS, name="raw").withdraw("split"), tmp_path / "out", SMALL)
    table = prepared.table("balance")
    twice = prepared.publish(
        "balance", pa.concat_tables([table, table]), settings={}, counts={}, inputs=["split"]
    )
    with pytest.raises(DatasetError, match="53 keys stand for several samples"):
        pack(twice, tmp_path / "out", SMALL, workers=1)
    unknown = pa.table({"key": ["src/else.png"], "split": ["train"]})
    dataset = prepared.withdraw("balance").publish(
        "split", unknown, settings={}, counts={}, inputs=["ingest"]
    )
    with pytest.raises(DatasetError, match="split has 1 samples, of which the data set knows 0"):
        pack(dataset, tmp_path / "out", SMALL, workers=1)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"format": "hdf6"}, UnknownNameError, 'unknown format "hdf6"; expected one of npz'),
        ({"shard_mb": 0}, SettingsError, "shard_mb must be above 0, at most 1024; received 0"),
        ({"shard_samples": 0}, SettingsError, "shard_samples must be 1 or more; received 0"),
        ({"seed": -1}, SettingsError, "seed must be 0 to"),
    ],
)
def test_wrong_settings_are_refused(
    fields: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        PackSettings(**fields)  # type: ignore[arg-type]


def test_evaluation_only_set_has_neutral_mean(make_dataset: MakeDataset, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    _, report = pack(make_dataset({"test": {"anger": 3}}), shards, SMALL, workers=1)
    assert report.index.splits == ("test",)
    assert (report.index.pixel_mean, report.index.pixel_std) == ((0.0,), (1.0,))
    assert verify_shards(shards).problems == ()
    assert json.loads((shards / "index.json").read_text())["class_weights"]["original"] == {}
