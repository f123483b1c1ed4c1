"""Laws of filter, and of the pipeline that runs filter and split in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_data.balance import BalanceSettings
from fer_data.dataset import Dataset
from fer_data.errors import FilterLossError, MissingStageError, SettingsError
from fer_data.filter import plan_filter
from fer_data.filter_settings import BLANK, FilterSettings, Rule, default_filter
from fer_data.ingest import IngestSettings, ingest
from fer_data.pipeline import Runner
from fer_data.split import SplitSettings
from tests.conftest import face_pixels, png_bytes

RUNNER = Runner(workers=1)
BLACK = np.zeros((48, 48), np.uint8)
STRIPES = np.tile(np.arange(48, dtype=np.uint8) * 5, (48, 1))
# every filter on, and no limit to the loss: these sets are small
ALL = FilterSettings(
    rules=(BLANK, Rule("relfcs", "above", 0.8)),
    conflicts="drop",
    leaks="drop-train",
    duplicates="keep-one",
    max_loss=1.0,
)


def make_dataset(tmp_path: Path, pictures: dict[str, NDArray[np.uint8]]) -> Dataset:
    """An ingested data set of pictures: path → pixels."""
    for path, pixels in pictures.items():
        file = tmp_path / "raw" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png_bytes(pixels))
    return ingest(tmp_path / "raw", tmp_path / "ds", IngestSettings(), workers=1)[0]


def faces(folder: str, seeds: range) -> dict[str, NDArray[np.uint8]]:
    return {f"{folder}/{seed:04d}.png": face_pixels(seed) for seed in seeds}


def decisions(dataset: Dataset) -> dict[str, tuple[bool, str | None]]:
    """Path in the source → (kept, reason)."""
    rows = dataset.table("filter").to_pylist()
    return {r["key"].split("/", 1)[1]: (r["keep"], r["reason"]) for r in rows}


def splits(dataset: Dataset) -> dict[str, str]:
    """Path in the source → split."""
    rows = dataset.table("split").to_pylist()
    return {r["key"].split("/", 1)[1]: r["split"] for r in rows}


def test_each_filter_drops_what_it_is_for(tmp_path: Path) -> None:
    pictures = faces("train/happy", range(6)) | faces("test/happy", range(20, 22))
    pictures |= faces("train/sad", range(60, 62))
    pictures |= {
        "train/happy/black.png": BLACK,
        "train/happy/stripes.png": STRIPES,
        "train/happy/twin.png": face_pixels(0),
        "train/happy/conflict.png": face_pixels(5),
        "train/sad/conflict.png": face_pixels(5),
        "train/sad/leak.png": face_pixels(30),
        "test/sad/leak.png": face_pixels(30),
        "test/sad/black.png": BLACK,
    }
    dataset, report = RUNNER.filter(make_dataset(tmp_path, pictures), ALL)
    found = decisions(dataset)
    assert {path: why for path, why in found.items() if why[1]} == {
        "train/happy/black.png": (False, "blank"),
        "train/happy/stripes.png": (False, "low-detail"),
        "train/happy/twin.png": (False, "duplicate"),
        "train/happy/0005.png": (False, "conflict"),
        "train/happy/conflict.png": (False, "conflict"),
        "train/sad/conflict.png": (False, "conflict"),
        "train/sad/leak.png": (False, "leak"),
        "test/sad/black.png": (True, "blank"),
    }
    assert report.num_dropped == 7
    assert report.flagged == {"blank": 1}
    assert sum(before for before, _ in report.classes.values()) == len(pictures)
    assert sum(dropped for _, dropped in report.classes.values()) == report.num_dropped


def test_what_is_not_asked_for_drops_nothing(tmp_path: Path) -> None:
    pictures = faces("happy", range(3)) | {"happy/twin.png": face_pixels(0), "happy/b.png": BLACK}
    dataset, report = RUNNER.filter(make_dataset(tmp_path, pictures), FilterSettings())
    assert report.num_dropped == 0
    assert all(kept and reason is None for kept, reason in decisions(dataset).values())


def test_a_class_is_never_emptied_by_accident(tmp_path: Path) -> None:
    pictures = faces("happy", range(8)) | faces("sad", range(20, 23)) | {"sad/b.png": BLACK}
    dataset = make_dataset(tmp_path, pictures)
    with pytest.raises(FilterLossError, match=r"class sadness would lose 1 of 4 samples \(25%\)"):
        RUNNER.filter(dataset, default_filter("gray"))
    assert "filter" not in Dataset.open(dataset.dir).info.stages
    RUNNER.filter(dataset, default_filter("gray"), max_loss=0.25)


def test_a_dry_run_decides_nothing(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, faces("happy", range(8)) | {"happy/b.png": BLACK})
    dataset, report = RUNNER.filter(dataset, ALL, dry_run=True)
    assert report.num_dropped == 1
    assert "filter" not in Dataset.open(dataset.dir).info.stages


def test_filter_needs_its_scores(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, faces("happy", range(3)))
    with pytest.raises(MissingStageError, match="quality has not been done"):
        plan_filter(dataset, ALL)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"conflicts": "most"}, 'conflicts must be one of drop, majority, keep; received "most"'),
        ({"keep": ("a",), "drop": ("a",)}, '"a" is to be kept and to be dropped'),
        ({"leaks": "drop"}, 'leaks must be one of drop-train, keep; received "drop"'),
        ({"max_loss": -0.1}, "max_loss must be"),
    ],
)
def test_wrong_filter_settings_say_what_is_right(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        FilterSettings(**wrong)  # type: ignore[arg-type]


def test_a_dropped_sample_is_in_no_split(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, faces("happy", range(20)) | {"happy/black.png": BLACK})
    dataset, _ = RUNNER.filter(dataset, ALL)
    dataset, _ = RUNNER.split(dataset, SplitSettings())
    assert "happy/black.png" not in splits(dataset)
    assert len(splits(dataset)) == 20


def test_a_later_filter_makes_the_split_stale_and_undoing_it_fresh_again(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, faces("happy", range(20)) | {"happy/black.png": BLACK})
    dataset, _ = RUNNER.split(dataset, SplitSettings(seed=3))
    assert dataset.is_done("split")
    filtered, _ = RUNNER.filter(dataset, ALL)
    assert filtered.is_stale("split")
    assert filtered.withdraw("filter").is_done("split")


def test_split_looks_for_near_pictures_where_it_is_to_keep_them_together(tmp_path: Path) -> None:
    pictures = faces("happy", range(30)) | {"happy/mirror.png": face_pixels(3)[:, ::-1]}
    dataset = make_dataset(tmp_path, pictures)
    exact, _ = RUNNER.split(dataset, SplitSettings(group_by=()))
    assert "duplicates" not in exact.info.stages
    said: list[str] = []
    dataset, report = Runner(workers=1, say=said.append).split(dataset, SplitSettings())
    assert dataset.is_done("duplicates")
    assert said == []
    assert (report.num_groups, report.largest) == (1, 2)
    assert splits(dataset)["happy/mirror.png"] == splits(dataset)["happy/0003.png"]
    redone = dataset.withdraw("duplicates")
    assert redone.is_stale("split")
    again, _ = RUNNER.balance(redone, BalanceSettings(targets={"happiness": None}))
    assert again.is_done("split")
