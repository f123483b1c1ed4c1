"""Traps of CK+, CK+48 and JAFFE: sequences, peaks, and what file names say."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_data.sources.raw import Facts
from tests import miniatures
from tests.fer_data.sources.understanding import known, labels, opened


def test_ckplus_first_frame_is_neutral_and_the_last_three_are_the_peak(tmp_path: Path) -> None:
    found = labels(miniatures.ckplus(tmp_path).raw)
    names = [found[f"cohn-kanade-images/S005/001/S005_001_{n:08d}.png"] for n in range(1, 7)]
    assert names == ["neutral", "not-peak", "not-peak", "anger", "anger", "anger"]


def test_ckplus_unlabelled_sequences_are_rejected_whole(tmp_path: Path) -> None:
    mini = miniatures.ckplus(tmp_path)
    found = labels(mini.raw)
    names = {found[f"cohn-kanade-images/S005/002/S005_002_{n:08d}.png"] for n in range(1, 7)}
    assert names == {"unlabelled-sequence"}
    with opened(mini.raw) as source:
        assert "9 sequences, 7 with a label" in source.describe()[0]


@pytest.mark.parametrize("text", ["", "anger", "9.0", "1e400", "\0" * 9])
def test_ckplus_a_broken_label_file_costs_its_sequence_only(tmp_path: Path, text: str) -> None:
    mini = miniatures.ckplus(tmp_path)
    (mini.raw / "Emotion/S005/001/S005_001_00000006_emotion.txt").write_text(text)
    found = list(labels(mini.raw).values())
    assert found.count("bad-label") == 6
    assert found.count("neutral") == 6


def test_a_short_sequence_is_peak_before_it_is_neutral(tmp_path: Path) -> None:
    mini = miniatures.ckplus(tmp_path)
    for number in (1, 2, 3, 4):
        (mini.raw / f"cohn-kanade-images/S005/001/S005_001_{number:08d}.png").unlink()
    for number in (1, 2, 3, 4, 5):
        (mini.raw / f"cohn-kanade-images/S006/001/S006_001_{number:08d}.png").unlink()
    found = labels(mini.raw)
    assert found["cohn-kanade-images/S005/001/S005_001_00000005.png"] == "neutral"
    assert found["cohn-kanade-images/S005/001/S005_001_00000006.png"] == "anger"
    assert found["cohn-kanade-images/S006/001/S006_001_00000006.png"] == "contempt"


def test_ck48_subject_is_the_first_part_of_the_name(tmp_path: Path) -> None:
    facts = known(miniatures.ck48(tmp_path).raw)
    (first,) = facts["anger/S010_004_00000017.png"]
    assert isinstance(first, Facts)
    assert first.attributes == {"subject": "S010", "sequence": "S010_004", "frame": "00000017"}


def test_jaffe_names_say_subject_and_class(tmp_path: Path) -> None:
    facts = known(miniatures.jaffe(tmp_path).raw)
    (first,) = facts["jaffe/KA.AN1.1.tiff"]
    assert first == Facts(label="anger", attributes={"subject": "KA"})
