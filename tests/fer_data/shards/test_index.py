"""The shard index survives its file, and says what is wrong with another."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_data.errors import DamagedShardError, MissingShardsError, SettingsError, UnknownNameError
from fer_data.shards.index import (
    ArrayEntry,
    ClassCount,
    HumanAccuracy,
    ShardEntry,
    ShardIndex,
    class_weights,
    index_from_json,
    read_index,
)
from tests.edited_index import resealed, unsealed


def make_index(**fields: object) -> ShardIndex:
    array = ArrayEntry(
        dtype="|u1",
        shape=(5, 48, 48, 1),
        offset=40,
        compressed_bytes=100,
        raw_bytes=11648,
        header_bytes=128,
        crc32=2**32 - 1,
        compression="deflate",
    )
    shards = tuple(
        ShardEntry(
            file=f"{split}-00000-of-00001.npz",
            split=split,
            num_samples=5,
            bytes=400,
            sha256="ab" * 32,
            arrays={"images": array},
        )
        for split in ("train", "test")
    )
    values: dict[str, object] = {
        "ferkit_version": "1.2.3",
        "name": "fer2013",
        "class_names": ("anger", "Ärger"),
        "image_shape": (48, 48, 1),
        "seed": 2**62,
        "counts": {"train": {"anger": ClassCount(original=3, augmented=2)}},
        "class_weights": {"original": {"anger": 1 / 3}, "balanced": {"anger": 0.1}},
        "pixel_mean": (0.1 + 0.2,),
        "pixel_std": (1 / 7,),
        "leakage": {"groups": 0, "samples": {}, "twins": {}},
        "lineage": {"ingest": {"settings": {"size": 48}, "counts": {}, "fingerprint": "00"}},
        "shards": shards,
    }
    return ShardIndex(**{**values, **fields})  # type: ignore[arg-type]


def test_index_survives_its_text() -> None:
    index = make_index()
    text = index.to_json()
    assert index_from_json(text) == index
    assert index_from_json(text).to_json() == text
    assert json.loads(text)["format_version"] == 1
    assert "Ärger" in text


def test_the_accuracy_of_people_survives_and_is_absent_where_none_is_known() -> None:
    people = HumanAccuracy(value=0.65, plus_minus=0.05, source="Müller")
    text = make_index(human_accuracy=people).to_json()
    assert index_from_json(text).human_accuracy == people
    assert index_from_json(text).to_json() == text
    assert "human_accuracy" not in make_index().to_json()
    wrong = resealed(text.replace('"value": 0.65', '"value": 65'))
    with pytest.raises(DamagedShardError, match="human_accuracy must have a value above 0"):
        index_from_json(wrong)


def test_a_reader_can_check_the_digest_or_do_without() -> None:
    index = make_index()
    data = index.to_json().encode()
    assert json.loads(data)["sha256"] == hashlib.sha256(data[:-82]).hexdigest()
    assert index_from_json(unsealed(index.to_json())) == index
    assert resealed(unsealed(index.to_json())) == index.to_json()


def test_a_digest_that_does_not_stand_at_the_end_is_refused() -> None:
    text = make_index().to_json()
    fields = json.loads(text)
    digest = fields.pop("sha256")
    for wrong in (
        json.dumps({"sha256": digest, **fields}),
        text + "\n",
        text.replace("\n", "\r\n"),
    ):
        with pytest.raises(DamagedShardError, match=r'its last field, "sha256", says'):
            index_from_json(wrong)


def test_splits_and_samples_are_told() -> None:
    index = make_index()
    assert index.splits == ("train", "test")
    assert (index.num_samples("train"), index.num_samples("validation")) == (5, 0)
    assert [shard.split for shard in index.split_shards("test")] == ["test"]
    assert index.counts["train"]["anger"].total == 5
    with pytest.raises(UnknownNameError, match='unknown split "tset".*Did you mean "test"'):
        index.split_shards("tset")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "index.json: not a shard index (JSONDecodeError"),
        ("[]", "index.json: not a shard index (TypeError"),
        ("{}", "index.json: not a shard index (KeyError: 'format')"),
        ('{"format": "mds"}', 'index.json: format is "mds"; expected "ferkit-shards"'),
        (
            make_index(format_version=2).to_json(),
            "index.json: format version 2 is not known to this version of ferkit (it reads 1)",
        ),
        (
            make_index().to_json().replace('"num_samples"', '"samples"'),
            'index.json: its text is not what its last field, "sha256", says: it is damaged, or',
        ),
        (
            resealed(make_index().to_json().replace('"num_samples"', '"samples"')),
            "index.json: not a shard index (TypeError",
        ),
        (make_index().to_json()[:-40], "index.json: not a shard index (JSONDecodeError"),
        *(
            (
                resealed(make_index(leakage=leakage).to_json()),
                f"index.json: not a shard index ({message}",
            )
            for leakage, message in (
                ([], "TypeError"),
                ({"groups": 0, "samples": {}}, "KeyError: 'twins'"),
                ({"groups": "1", "samples": {}, "twins": {}}, "ValueError: leakage cannot be of"),
                ({"groups": 1, "samples": {"test": []}, "twins": {}}, "ValueError: leakage cannot"),
                ({"groups": 1, "samples": {}, "twins": {"test": ["a"]}}, "AttributeError"),
                (
                    {"groups": 1, "samples": {}, "twins": {"test": {"train": [7]}}},
                    "ValueError: leakage has twins whose keys are no text",
                ),
            )
        ),
        *(
            (
                resealed(make_index(image_shape=(48, 48, channels)).to_json()),
                f"images cannot have the shape (48, 48, {channels})",
            )
            for channels in (0, -1, 2**20, 10**30)
        ),
        *(
            (
                resealed(re.sub(rf'("{name}": )\d+', rf"\g<1>{number}", make_index().to_json())),
                f"cannot have a size or place of {number}",
            )
            for name in ("offset", "compressed_bytes", "raw_bytes", "header_bytes", "crc32")
            for number in (-1, 2**63, 0.5)
        ),
    ],
)
def test_another_text_is_no_index(text: str, message: str) -> None:
    with pytest.raises(DamagedShardError) as caught:
        index_from_json(text)
    assert message in str(caught.value)


def test_missing_and_unreadable_indexes_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingShardsError, match="nowhere: no such folder; expected a folder"):
        read_index(tmp_path / "nowhere")
    with pytest.raises(MissingShardsError, match=r"no index.json in it"):
        read_index(tmp_path)
    (tmp_path / "index.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedShardError, match=r"index.json: not UTF-8 text; run `ferdata pack`"):
        read_index(tmp_path)
    (tmp_path / "index.json").write_text(make_index().to_json(), encoding="utf-8")
    assert read_index(tmp_path) == make_index()


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10**6), min_size=1))
def test_class_weights_give_every_class_the_same_share(counts: dict[str, int]) -> None:
    weights = class_weights(counts)
    present = [name for name, count in counts.items() if count]
    total = sum(counts.values())
    for name in present:
        assert weights[name] * counts[name] == pytest.approx(total / len(present))
    assert all(weights[name] == 0 for name in counts if name not in present)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(SettingsError, match="class counts must be 0 or more"):
        class_weights({"anger": -1})
