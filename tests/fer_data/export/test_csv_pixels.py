"""FER2013's form comes back through ingest; what it cannot hold is refused."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_data.errors import SettingsError
from fer_data.export.shards import ExportSettings, export_shards
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings, ingest
from fer_data.shards.samples import Samples
from fer_data.sources.settings import SourceSettings
from tests.made_shards import NAMES, made_splits, make_shards, numbered_samples

SETTINGS = ExportSettings(format="csv")
ROOT = Path(__file__).parents[3]
FER2013_NAMES: st.SearchStrategy[Sequence[str]] = st.permutations(NAMES)


@given(made_splits(shapes=st.just((48, 48, 1)), class_names=FER2013_NAMES))
@settings(max_examples=15, deadline=None)
def test_ingest_reads_it_back(made: tuple[dict[str, Samples], tuple[str, ...]]) -> None:
    splits, class_names = made
    if not any(map(len, splits.values())):
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_shards(folder / "shards", splits, class_names)
        export_shards(folder / "shards", folder / "out", SETTINGS)
        dataset, _ = ingest(folder / "out", folder / "ds", IngestSettings(), workers=1)
        assert dataset.info.sources[0].manifest == "fer2013"
        rows = iter(sorted(dataset.samples().to_pylist(), key=lambda row: row["path"]))
        for split, samples in splits.items():
            for image, label in zip(samples.images, samples.labels, strict=True):
                row = next(rows)
                assert (row["split"], row["label"]) == (split, class_names[label])
                np.testing.assert_array_equal(dataset.pixels(row["block"])[row["row"]], image)
        assert next(rows, None) is None


def test_codes_and_words_are_those_of_fer2013(tmp_path: Path) -> None:
    names = NAMES[::-1]
    splits = {split: numbered_samples(7, split=split) for split in ("train", "validation", "test")}
    make_shards(tmp_path / "shards", splits, names, name="a/b")
    export_shards(tmp_path / "shards", tmp_path / "out", SETTINGS)
    text = (tmp_path / "out" / "a_b.csv").read_text(encoding="ascii")
    assert text.startswith("emotion,pixels,Usage\n6,")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["emotion"] for row in rows] == list("6543210") * 3
    usage = [row["Usage"] for row in rows]
    assert usage == ["Training"] * 7 + ["PublicTest"] * 7 + ["PrivateTest"] * 7
    levels = [int(word) for word in rows[0]["pixels"].split(" ")]
    assert levels == splits["train"].images[0].ravel().tolist()


def test_every_level_is_written(tmp_path: Path) -> None:
    samples = numbered_samples(1, (16, 16, 1))
    samples.images[:] = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    make_shards(tmp_path / "shards", {"train": samples})
    export_shards(tmp_path / "shards", tmp_path / "out", SETTINGS)
    (row,) = csv.DictReader((tmp_path / "out" / "made.csv").read_text().splitlines())
    assert row["pixels"] == " ".join(map(str, range(256)))


def test_another_size_is_read_with_a_manifest_that_says_it(tmp_path: Path) -> None:
    samples = numbered_samples(9, (10, 12, 1))
    make_shards(tmp_path / "shards", {"train": samples})
    export_shards(tmp_path / "shards", tmp_path / "out", SETTINGS)
    text = (ROOT / "manifests" / "fer2013.toml").read_text(encoding="utf-8")
    text = text.replace("height = 48", "height = 10").replace("width = 48", "width = 12")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    source = SourceSettings(manifest=str(tmp_path / "mine.toml"))
    image = ImageSettings(size=12)
    dataset, _ = ingest(
        tmp_path / "out", tmp_path / "ds", IngestSettings(source=source, image=image), workers=1
    )
    assert dataset.samples().num_rows == 9


@pytest.mark.parametrize(
    ("shape", "names", "message"),
    [
        ((8, 8, 3), NAMES, "csv holds grey pictures only; these shards are RGB; use --format"),
        ((8, 8, 1), (*NAMES, "contempt", "tired"), "shards have contempt, tired too; use --format"),
    ],
)
def test_what_it_cannot_hold_is_refused(
    tmp_path: Path, shape: tuple[int, int, int], names: tuple[str, ...], message: str
) -> None:
    make_shards(tmp_path / "shards", {"train": numbered_samples(9, shape)}, names)
    with pytest.raises(SettingsError, match=message):
        export_shards(tmp_path / "shards", tmp_path / "out", SETTINGS)
    assert not (tmp_path / "out").exists()
