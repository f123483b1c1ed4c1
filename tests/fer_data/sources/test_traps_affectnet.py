"""Traps of AffectNet: folders that lie, boxes, label files of NumPy, lists without a header."""

from __future__ import annotations

from pathlib import Path

from fer_data.sources.raw import Facts
from tests import miniatures
from tests.fer_data.sources.understanding import known, labels, opened


def test_affectnet_96_csv_wins_over_folder_and_disagreements_are_counted(tmp_path: Path) -> None:
    mini = miniatures.affectnet_96(tmp_path)
    with opened(mini.raw) as source:
        (remark,) = source.describe()
    assert "labels.csv, 10 rows" in remark
    assert "2 disagree with their folder, and labels.csv counts" in remark
    (first,) = known(mini.raw)["anger/image0000006.jpg"]
    assert isinstance(first, Facts)
    assert first.label == "surprise"
    assert first.attributes == {"relfcs": "0.8731420695", "folder_label": "anger"}


def test_affectnet_boxes_and_values_are_kept(tmp_path: Path) -> None:
    facts = known(miniatures.affectnet_old(tmp_path).raw)
    (first,) = facts["Manually_Annotated_Images/1/training00.jpg"]
    assert isinstance(first, Facts)
    assert first.box == (10, 12, 70, 68)
    assert first.attributes == {"valence": "-0.25", "arousal": "0.5"}


def test_a_list_without_a_header_line_is_read_whole(tmp_path: Path) -> None:
    mini = miniatures.affectnet_old(tmp_path)  # validation.csv has none
    found = labels(mini.raw)
    assert found["Manually_Annotated_Images/1/validation00.jpg"] == "neutral"
