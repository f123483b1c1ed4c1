"""Laws of the duplicates stage: what is found does not depend on order or threads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from fer_data.dataset import Dataset
from fer_data.duplicate_report import label_conflicts, leakage
from fer_data.duplicates import KINDS, DuplicateSettings, find_duplicates
from fer_data.errors import SettingsError, UnknownNameError
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings, ingest
from fer_data.synth import SynthSettings, draw_face
from tests.conftest import png_bytes

Pictures = Mapping[str, NDArray[np.uint8]]
Row = dict[str, object]
BLACK = np.zeros((48, 48), np.uint8)
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("exact", pa.int64()),
        ("group", pa.int64()),
        ("kind", pa.string()),
        ("twin", pa.string()),
        ("similarity", pa.float32()),
    ]
)


def face(number: int) -> NDArray[np.uint8]:
    """Another person's face for every number."""
    return draw_face(SynthSettings(seed=8), 6 * number).image[..., 0]


def brighter(picture: NDArray[np.uint8], by: int = 9) -> NDArray[np.uint8]:
    return np.clip(picture.astype(np.int16) + by, 0, 255).astype(np.uint8)


def cut(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture[1:, :-1], (48, 48)), np.uint8)


def make_dataset(
    tmp_path: Path, pictures: Pictures, name: str = "ds", color: str = "gray"
) -> Dataset:
    """An ingested data set of pictures: path → pixels."""
    for path, pixels in pictures.items():
        file = tmp_path / f"raw-{name}" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png_bytes(pixels))
    settings = IngestSettings(image=ImageSettings(color=color))
    return ingest(tmp_path / f"raw-{name}", tmp_path / name, settings, workers=1)[0]


def found_in(dataset: Dataset, **options: object) -> dict[str, Row]:
    """Path in the source → its row, keys shortened to paths."""
    dataset = find_duplicates(dataset, **options)  # type: ignore[arg-type]
    rows = {}
    for row in dataset.table("duplicates").to_pylist():
        row["twin"] = row["twin"] and row["twin"].split("/", 1)[1]
        rows[row.pop("key").split("/", 1)[1]] = row
    return rows


def families(rows: Mapping[str, Row], names: Mapping[str, str]) -> set[frozenset[str]]:
    members: dict[object, set[str]] = {}
    for path, row in rows.items():
        members.setdefault(row["group"], set()).add(names[path])
    return {frozenset(family) for family in members.values()}


MIXED: Pictures = (
    {f"happy/{n:02d}.png": face(n) for n in range(30)}
    | {"sad/a-copy.png": face(3), "sad/b-copy.png": face(3), "happy/copy.png": face(4)}
    | {"sad/bright.png": brighter(face(5)), "sad/cut.png": cut(face(5))}
    | {"sad/mirror.png": face(6)[:, ::-1], "sad/near-copy.png": cut(face(3))}
    | {"sad/near-copy-2.png": cut(face(3)), "sad/black.png": BLACK, "happy/black.png": BLACK}
)


def test_each_sort_of_twin_is_found_and_nothing_else(tmp_path: Path) -> None:
    rows = found_in(make_dataset(tmp_path, MIXED))
    assert {path: (row["kind"], row["twin"]) for path, row in rows.items()} == {
        "happy/03.png": ("first", None),
        "happy/04.png": ("first", None),
        "happy/05.png": ("first", None),
        "happy/06.png": ("first", None),
        "happy/black.png": ("first", None),
        "happy/copy.png": ("exact", "happy/04.png"),
        "sad/a-copy.png": ("exact", "happy/03.png"),
        "sad/b-copy.png": ("exact", "happy/03.png"),
        "sad/black.png": ("exact", "happy/black.png"),
        "sad/bright.png": ("near", "happy/05.png"),
        "sad/cut.png": ("near", "happy/05.png"),
        "sad/mirror.png": ("mirrored", "happy/06.png"),
        "sad/near-copy.png": ("near", "happy/03.png"),
        "sad/near-copy-2.png": ("near", "happy/03.png"),
    }
    for row in rows.values():
        similarity = row["similarity"]
        assert (similarity is None) == (row["kind"] == "first")
        if row["kind"] == "exact":
            assert similarity == 1
        elif row["kind"] != "first":
            assert isinstance(similarity, float)
            assert DuplicateSettings().min_similarity <= similarity <= 1


def test_the_table_is_in_order_and_numbers_by_the_first_sample(tmp_path: Path) -> None:
    dataset = find_duplicates(make_dataset(tmp_path, MIXED))
    table = dataset.table("duplicates")
    assert table.schema == SCHEMA
    keys = dataset.samples(["key"])["key"].to_pylist()
    places = [keys.index(key) for key in table["key"].to_pylist()]
    assert places == sorted(places)
    for column in ("exact", "group"):
        numbers = [n for n in table[column].to_pylist() if n is not None]
        assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))
    hashes = dict(zip(keys, dataset.samples(["pixel_sha256"])["pixel_sha256"], strict=True))
    for row in table.to_pylist():
        copies = [k for k in keys if hashes[k] == hashes[row["key"]]]
        same = [r["key"] for r in table.to_pylist() if r["exact"] == row["exact"]]
        assert (row["exact"] is None) == (len(copies) == 1)
        assert row["exact"] is None or same == copies
    assert set(table["kind"].to_pylist()) <= set(KINDS)


def test_the_counts_add_up(tmp_path: Path) -> None:
    counts = find_duplicates(make_dataset(tmp_path, MIXED)).stage("duplicates").counts
    assert counts["samples"] == len(MIXED)
    assert counts["unique"] == len({picture.tobytes() for picture in MIXED.values()})
    assert counts["redundant"] == counts["samples"] - counts["unique"] == 5
    assert (counts["exact_groups"], counts["near_families"]) == (4, 3)
    assert (counts["near"], counts["mirrored"]) == (3, 1)
    assert (counts["flat"], counts["crowded"]) == (1, 0)


def test_families_do_not_depend_on_the_order_of_samples(tmp_path: Path) -> None:
    shuffled = np.random.default_rng(0).permutation(len(MIXED)).tolist()
    names = {f"any/{place:03d}.png": path for place, path in zip(shuffled, MIXED, strict=True)}
    renamed = {place: MIXED[path] for place, path in names.items()}
    plain = found_in(make_dataset(tmp_path, MIXED))
    mixed = found_in(make_dataset(tmp_path, renamed, "shuffled"))
    assert families(plain, {path: path for path in MIXED}) == families(mixed, names)


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, MIXED)
    one, two = (find_duplicates(dataset, workers=workers) for workers in (1, 2))
    assert one.table("duplicates").equals(two.table("duplicates"))
    assert one.fingerprint("duplicates") == two.fingerprint("duplicates")


def test_a_picture_that_is_near_by_way_of_another_is_in_the_family(tmp_path: Path) -> None:
    steps = [face(1)]
    for _ in range(20):
        steps.append(cut(steps[-1]))
    pictures = {f"happy/{n:02d}.png": step for n, step in enumerate(steps)}
    rows = found_in(make_dataset(tmp_path, pictures))
    assert list(rows) == list(pictures)
    assert {row["group"] for row in rows.values()} == {0}
    assert {row["kind"] for row in rows.values()} == {"first", "near"}
    assert rows["happy/01.png"]["twin"] == "happy/00.png"
    # the last shows a third less than the first, too little to be near it by itself
    assert rows["happy/20.png"]["twin"] > "happy/15.png"  # type: ignore[operator]


def test_flat_pictures_are_twins_only_where_identical(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = {f"happy/{n}.png": np.full((48, 48), 10 * n, np.uint8) for n in range(20)}
    pictures |= {"happy/copy.png": pictures["happy/3.png"]}
    pictures |= {
        f"sad/{n}.png": rng.integers(100, 103, (48, 48), dtype=np.uint8) for n in range(20)
    }
    dataset = make_dataset(tmp_path, pictures)
    rows = found_in(dataset)
    assert {path: row["kind"] for path, row in rows.items()} == {
        "happy/3.png": "first",
        "happy/copy.png": "exact",
    }
    assert find_duplicates(dataset).stage("duplicates").counts["flat"] == 40


def test_without_twins_the_table_is_empty(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, {f"happy/{n}.png": face(n) for n in range(5)})
    table = find_duplicates(dataset).table("duplicates")
    assert (len(table), table.schema) == (0, SCHEMA)


def test_colour_pictures_have_twins_too(tmp_path: Path) -> None:
    settings = SynthSettings(seed=8, channels=3)
    pictures = {f"happy/{n}.png": draw_face(settings, 6 * n).image for n in range(6)}
    pictures |= {"sad/0.png": brighter(pictures["happy/0.png"])}
    pictures |= {"sad/1.png": pictures["happy/1.png"][:, ::-1]}
    rows = found_in(make_dataset(tmp_path, pictures, color="rgb"))
    assert {path: row["kind"] for path, row in rows.items()} == {
        "happy/0.png": "first",
        "happy/1.png": "first",
        "sad/0.png": "near",
        "sad/1.png": "mirrored",
    }


def test_stricter_settings_find_no_more(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, MIXED)
    strict = found_in(dataset, settings=DuplicateSettings(min_similarity=1.0))
    assert {row["kind"] for row in strict.values()} == {"first", "exact", "mirrored"}
    blind = found_in(dataset, settings=DuplicateSettings(min_contrast=200.0))
    assert {row["kind"] for row in blind.values()} == {"first", "exact"}


def test_progress_ends_with_all_samples(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    find_duplicates(make_dataset(tmp_path, MIXED), on_progress=lambda *step: told.append(step))
    done = [step[0] for step in told]
    assert done == sorted(done)
    assert told[-1] == (len(MIXED), len(MIXED))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_distance": 7}, "max_distance must be 0 to 6 bits; received 7"),
        ({"min_similarity": 1.5}, "min_similarity must be from 0 to 1; received 1.5"),
        ({"min_detail": -0.1}, "min_detail must be from 0 to 1"),
        ({"min_contrast": -1.0}, "min_contrast must be 0 or more"),
        ({"crowd": 0}, "crowd must be 1 or more"),
    ],
)
def test_wrong_settings_say_what_is_right(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        DuplicateSettings(**wrong)  # type: ignore[arg-type]


LABELLED: Pictures = {
    # one label throughout
    "train/happy/a.png": face(1),
    "test/happy/a.png": face(1),
    # two labels in one split
    "train/happy/b.png": face(2),
    "train/sad/b.png": face(2),
    # another label in the other split, three samples
    "train/happy/c.png": face(3),
    "train/happy/c2.png": face(3),
    "test/sad/c.png": face(3),
    # both
    "train/happy/d.png": face(4),
    "train/fear/d.png": face(4),
    "test/sad/d.png": face(4),
    # near, another label
    "train/happy/e.png": face(5),
    "test/sad/e.png": brighter(face(5)),
    # alone
    "test/sad/f.png": face(6),
}


def test_conflicts_are_told_within_and_across_splits(tmp_path: Path) -> None:
    dataset = find_duplicates(make_dataset(tmp_path, LABELLED))
    samples = dataset.samples(["key", "label", "split"])
    conflicts = label_conflicts(dataset.table("duplicates"), samples).to_pylist()
    told = {
        (tuple(c["labels"]), c["samples"], tuple(c["splits"]), c["within"], c["across"])
        for c in conflicts
    }
    assert told == {
        (("happiness", "sadness"), 2, ("train",), True, False),
        (("happiness", "sadness"), 3, ("test", "train"), False, True),
        (("fear", "happiness", "sadness"), 3, ("test", "train"), True, True),
    }
    families = label_conflicts(dataset.table("duplicates"), samples, same="group")
    assert len(families) == 4


def test_leakage_counts_groups_and_the_samples_of_either_side(tmp_path: Path) -> None:
    dataset = find_duplicates(make_dataset(tmp_path, LABELLED))
    table, samples = dataset.table("duplicates"), dataset.samples(["key", "split", "source"])
    expected = {"one": "test", "other": "train", "groups": 3}
    assert leakage(table, samples).to_pylist() == [
        expected | {"samples_one": 3, "samples_other": 5}
    ]
    assert leakage(table, samples, same="group").to_pylist() == [
        expected | {"groups": 4, "samples_one": 4, "samples_other": 6}
    ]
    assert leakage(table, samples, between="source").to_pylist() == []


def test_leakage_between_sources_is_counted(tmp_path: Path) -> None:
    make_dataset(tmp_path, {"happy/a.png": face(1), "happy/b.png": face(2)})
    other = tmp_path / "other"
    (other / "happy").mkdir(parents=True)
    (other / "happy" / "c.png").write_bytes(png_bytes(face(2)))
    dataset, _ = ingest(other, tmp_path / "ds", IngestSettings(), workers=1)
    dataset = find_duplicates(dataset)
    samples = dataset.samples(["key", "split", "source"])
    assert leakage(dataset.table("duplicates"), samples, between="source").to_pylist() == [
        {"one": "other", "other": "raw-ds", "groups": 1, "samples_one": 1, "samples_other": 1}
    ]
    assert leakage(dataset.table("duplicates"), samples).to_pylist() == []


def test_an_unknown_side_or_sameness_is_refused(tmp_path: Path) -> None:
    dataset = find_duplicates(make_dataset(tmp_path, LABELLED))
    table, samples = dataset.table("duplicates"), dataset.samples(["key", "label", "split"])
    with pytest.raises(UnknownNameError, match="expected one of exact, group"):
        label_conflicts(table, samples, same="near")
    with pytest.raises(UnknownNameError, match="expected one of split, source"):
        leakage(table, samples, between="label")
