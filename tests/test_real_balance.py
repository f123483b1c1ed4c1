"""Balancing the whole of FER2013: class sizes, parents, and a validation split left as it was."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fer_data.balance import BalanceSettings, balance
from fer_data.dataset import Dataset
from fer_data.ingest import IngestSettings, ingest
from fer_data.pack import PackSettings, pack
from fer_data.pipeline import Runner
from fer_data.shards.verify import verify_shards
from fer_data.split import SplitSettings

pytestmark = [pytest.mark.realdata, pytest.mark.xdist_group("realdata")]


@pytest.fixture(scope="module")
def fer2013(real_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("balance")
    dataset, _ = ingest(real_data_dir / "fer2013.zip", folder / "dataset", IngestSettings())
    dataset, _ = Runner().split(dataset, SplitSettings())
    pack(dataset, folder / "unbalanced", PackSettings())
    return dataset


@pytest.mark.parametrize(
    ("settings", "after", "num_same"),
    [
        (BalanceSettings(targets={"disgust": None}), {"disgust": 4097}, 0),
        (
            BalanceSettings(targets={"disgust": None, "surprise": None}),
            {"disgust": 4097, "surprise": 4097},
            0,
        ),
        # nine copies are of pictures that are blank
        (BalanceSettings(to="max", max_copies=20), dict.fromkeys(["fear", "disgust"], 7215), 9),
    ],
)
def test_classes_are_lifted_and_validation_is_untouched(
    fer2013: Dataset,
    tmp_path: Path,
    settings: BalanceSettings,
    after: dict[str, int],
    num_same: int,
) -> None:
    dataset, plan = balance(fer2013, settings)
    pack(dataset, tmp_path / "shards", PackSettings())
    assert verify_shards(tmp_path / "shards").problems == ()
    assert plan.before["disgust"] == 436
    assert {name: plan.after[name] for name in after} == after
    if settings.to == "max":
        assert set(plan.after.values()) == {7215}
    labels: dict[str, int] = {}
    copies: list[tuple[str, int]] = []
    pictures: Counter[tuple[str, bytes]] = Counter()
    for path in sorted((tmp_path / "shards").glob("train-*.npz")):
        with np.load(path, allow_pickle=False) as npz:
            columns = [npz[name].tolist() for name in ("keys", "parents", "labels")]
            images = npz["images"]
        for key, parent, label, image in zip(*columns, images, strict=True):
            pictures[parent or key, image.tobytes()] += 1
            if parent:
                copies.append((parent, label))
            else:
                labels[key] = label
    assert len(copies) == sum(plan.copies.values())
    assert all(labels[parent] == label for parent, label in copies)
    assert sum(number - 1 for number in pictures.values()) == num_same
    for path in (fer2013.dir.parent / "unbalanced").glob("validation-*.npz"):
        assert (tmp_path / "shards" / path.name).read_bytes() == path.read_bytes()
