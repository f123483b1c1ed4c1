"""The traps of the known data sets, one test each, and labels that lie or lead astray."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from fer_data.errors import SourceError
from fer_data.ingest import IngestSettings, ingest
from fer_data.ingest_report import IngestReport
from fer_data.manifest import load_manifest
from fer_data.sources.label_file import picture_path, read_rows
from fer_data.sources.opening import SourceSettings, open_source
from fer_data.sources.raw import HARMLESS_REASONS, REASONS, Facts, Rejection, Source
from fer_data.sources.sidecars import read_npy_word
from fer_data.sources.votes import Votes
from tests import miniatures
from tests.conftest import face_pixels, png_bytes
from tests.miniatures import FERPLUS_NAMES, majority, save

ALL = IngestSettings(max_rejected=1.0)


@contextmanager
def opened(raw: Path, settings: SourceSettings | None = None) -> Iterator[Source]:
    with open_source(raw, settings if settings is not None else SourceSettings()) as source:
        yield source


def known(
    raw: Path, settings: SourceSettings | None = None
) -> dict[str, tuple[Facts | Rejection, ...]]:
    """Path → what is known of each file, and the rejections of the listing."""
    with opened(raw, settings) as source:
        facts = dict(source.known_facts())  # type: ignore[attr-defined]
        for entry in getattr(source, "entries", ()):
            if entry.rejection is not None:
                facts[entry.path] = (entry.rejection,)
        return facts


def labels(raw: Path, settings: SourceSettings | None = None) -> dict[str, str]:
    """Path → label or reason of the first sample."""
    return {
        path: first.label if isinstance(first, Facts) else first.reason
        for path, (first, *_) in known(raw, settings).items()
    }


def read(raw: Path, out: Path, source: SourceSettings | None = None) -> IngestReport:
    source = source if source is not None else SourceSettings()
    return ingest(raw, out, IngestSettings(source=source, max_rejected=1.0), workers=1)[1]


def write_csv_set(root: Path, table: bytes, names: Mapping[str, int]) -> Path:
    """Pictures and one labels.csv with these bytes."""
    for name, seed in names.items():
        save(root / name, face_pixels(seed))
    (root / "labels.csv").write_bytes(table)
    return root


# FER2013 and FER+


def test_ferplus_joins_by_row_order_and_not_by_name(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path)
    facts = known(mini.raw, SourceSettings(votes=mini.votes))
    by_row = {int(path[-11:-4]): first for path, (first, *_) in facts.items()}
    # the name in row 4 is fer0000003.png; by name, picture 3 would have its votes
    assert isinstance(by_row[4], Facts)
    assert by_row[4].label == FERPLUS_NAMES[4]
    assert isinstance(by_row[3], Rejection)
    for row in range(28):
        if row not in (3, 5, 20):
            sample = by_row[row]
            assert isinstance(sample, Facts)
            assert sample.label == FERPLUS_NAMES[row % 8]


def test_ferplus_blank_names_are_not_faces(tmp_path: Path) -> None:
    votes = Votes(
        classes=dict.fromkeys(FERPLUS_NAMES, 0.0) | {"fear": 10.0},
        unknown=0,
        no_face=0,
        is_removed=True,
    )
    facts = votes.facts("x", Facts(label="fear"))
    assert isinstance(facts, Rejection)
    assert facts.reason == "not-a-face"


def test_ferplus_votes_stand_in_the_data_set_and_their_order_is_ferkits(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path)
    settings = IngestSettings(source=SourceSettings(votes=mini.votes))
    dataset, report = ingest(mini.raw, tmp_path / "ds", settings, workers=1)
    assert report.sources[0].manifest == "ferplus"
    assert dataset.class_names == (
        "anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt",
    )  # fmt: skip
    for row in dataset.samples().to_pylist():
        votes = dict(row["votes"])
        assert max(votes, key=lambda name: votes[name]) == row["label"]
        assert set(votes) == set(FERPLUS_NAMES)
        attributes = dict(row["attributes"])
        assert attributes["votes_unknown"] == "1"
        assert attributes["votes_nf"] == "0"
        assert attributes["fer2013_label"]


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([4, 0, 0, 1, 3, 2, 0, 0, 0, 0], "no-majority"),  # 4 of the 9 that are left
        ([6, 0, 1, 1, 0, 0, 0, 0, 2, 0], "neutral"),  # single votes count for nothing
        ([5, 0, 0, 3, 1, 0, 0, 0, 1, 0], "neutral"),
        ([5, 0, 0, 5, 0, 0, 0, 0, 0, 0], "no-majority"),
        ([1, 0, 0, 0, 0, 0, 0, 0, 9, 0], "no-majority"),  # cannot be told
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], "not-a-face"),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "no-majority"),
        ([0, 0, 0, 0, 0, 0, 0, 2, 1, 1], "contempt"),
    ],
)
def test_the_majority_is_that_of_ferpluss_rule(votes: list[int], expected: str) -> None:
    classes = dict(zip(FERPLUS_NAMES, map(float, votes), strict=False))
    facts = Votes(classes=classes, unknown=votes[8], no_face=votes[9]).facts("x", Facts(label=""))
    assert (facts.label if isinstance(facts, Facts) else facts.reason) == expected


def test_votes_for_csv_rows_and_for_pictures_agree(tmp_path: Path) -> None:
    csv = miniatures.fer2013_csv(tmp_path / "raw").raw
    usages = ["Training"] * 7 + ["PublicTest"] * 7 + ["PrivateTest"] * 7
    rows = [[usages[row], "x.png", *majority(FERPLUS_NAMES[row % 8])] for row in range(21)]
    text = "\r\n".join(",".join(map(str, row)) for row in [miniatures.VOTES_HEADER, *rows])
    (tmp_path / "votes.csv").write_text("\ufeff" + text, encoding="utf-8", newline="")
    found = labels(csv, SourceSettings(votes=tmp_path / "votes.csv"))
    assert list(found.values()) == [FERPLUS_NAMES[row % 8] for row in range(21)]
    assert read(csv, tmp_path / "ds", SourceSettings(votes=tmp_path / "votes.csv")).reasons == {}


def test_votes_in_another_order_are_refused(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path)
    assert mini.votes is not None
    header, *rows = mini.votes.read_text().splitlines()
    mini.votes.write_text("\n".join([header, *rows[::-1]]))
    with pytest.raises(SourceError, match="row 14 is of train, but .* is of validation"):
        known(mini.raw, SourceSettings(votes=mini.votes))


def test_pictures_beyond_the_votes_are_said(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path)
    assert mini.votes is not None
    mini.votes.write_text("\n".join(mini.votes.read_text().splitlines()[:26]))
    found = list(labels(mini.raw, SourceSettings(votes=mini.votes)).values())
    assert found.count("no-votes") == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Usage,Image name\nTraining,x\n", "has no column neutral"),
        (",".join(miniatures.VOTES_HEADER) + "\nTraining,x,4,x,0,0,0,0,0,0,0,0\n", "row 1"),
        (",".join(miniatures.VOTES_HEADER) + "\nTraining,x,4\n", "row 1"),
        (",".join(miniatures.VOTES_HEADER) + "\nTraining,x,nan,0,0,0,0,0,0,0,0,0\n", "row 1"),
    ],
)
def test_a_wrong_file_of_votes_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    raw = miniatures.fer2013_folders(tmp_path / "raw").raw
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(SourceError, match=r"votes.csv") as caught:
        known(raw, SourceSettings(votes=tmp_path / "votes.csv"))
    assert message in str(caught.value)


def test_votes_need_pictures_that_say_their_row(tmp_path: Path) -> None:
    mini = miniatures.ferplus_votes(tmp_path / "a")
    copy = miniatures.fer2013_copy(tmp_path / "b")
    with pytest.raises(SourceError, match="joined by the row of fer2013.csv"):
        known(copy.raw, SourceSettings(votes=mini.votes))
    other = miniatures.ck48(tmp_path / "c")
    with pytest.raises(SourceError, match="votes are known for fer2013, and this source is ck48"):
        known(other.raw, SourceSettings(votes=mini.votes))


# codes and names


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


# AffectNet


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


def test_affectnets_own_label_files_are_never_unpickled(tmp_path: Path) -> None:
    mini = miniatures.affectnet_2021(tmp_path / "raw")
    notes = mini.raw / "val_set" / "annotations"
    np.save(notes / "0_exp.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (notes / "1_exp.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{broken")
    (notes / "2_exp.npy").unlink()
    (notes / "3_exp.npy").write_bytes(b"x" * 70_000)
    np.save(notes / "4_exp.npy", np.array(77))
    found = labels(mini.raw)
    assert [found[f"val_set/images/{n}.jpg"] for n in range(6)] == [
        "bad-label", "bad-label", "unlabelled", "bad-label", "unknown-class", "disgust",
    ]  # fmt: skip


def test_a_numpy_header_that_claims_too_much_takes_no_memory() -> None:
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(ValueError, match="expected one value"):
        read_npy_word(file.getvalue())


def test_a_list_without_a_header_line_is_read_whole(tmp_path: Path) -> None:
    mini = miniatures.affectnet_old(tmp_path)  # validation.csv has none
    found = labels(mini.raw)
    assert found["Manually_Annotated_Images/1/validation00.jpg"] == "neutral"


# RAF-DB, CK+, JAFFE, ExpW


@pytest.mark.parametrize("name", ["list_patition_label.txt", "list_partition_label.txt"])
def test_rafdb_patition_and_its_right_spelling_are_both_taken(tmp_path: Path, name: str) -> None:
    mini = miniatures.rafdb(tmp_path)
    folder = mini.raw / "EmoLabel"
    (folder / "list_patition_label.txt").rename(folder / name)
    assert labels(mini.raw)["Image/aligned/train_00005_aligned.jpg"] == "sadness"


def test_rafdb_aligned_names_are_found_and_originals_left(tmp_path: Path) -> None:
    mini = miniatures.rafdb(tmp_path)
    found = labels(mini.raw)
    assert found["Image/aligned/test_00001_aligned.jpg"] == "surprise"
    assert found["Image/original/test_00001.jpg"] == "other-form"


def test_rafdb_originals_are_read_where_there_are_no_aligned_ones(tmp_path: Path) -> None:
    mini = miniatures.rafdb(tmp_path)
    for path in (mini.raw / "Image" / "aligned").iterdir():
        path.unlink()
    assert labels(mini.raw)["Image/original/test_00001.jpg"] == "surprise"


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


def test_expw_has_several_faces_a_picture_each_with_its_box(tmp_path: Path) -> None:
    mini = miniatures.expw(tmp_path / "raw")
    first, second = known(mini.raw)["image/origin/ang0_0.jpg"]
    assert isinstance(first, Facts)
    assert isinstance(second, Facts)
    assert (first.label, first.box) == ("anger", (20, 10, 68, 78))  # top comes first in the list
    assert (second.label, second.box) == ("neutral", (90, 80, 140, 150))
    dataset, report = ingest(mini.raw, tmp_path / "ds", ALL, workers=1)
    paths = dataset.samples()["path"].to_pylist()
    assert "image/origin/ang0_0.jpg#face-2" in paths
    assert report.num_files == 10


def test_an_empty_box_is_a_rejection(tmp_path: Path) -> None:
    mini = miniatures.expw(tmp_path)
    lines = mini.raw.joinpath("label/label.lst").read_text().splitlines()
    bad = ["ang0_0.jpg 2 10 20 20 78 60.9 1", "ang0_0.jpg 3 1e999 20 30 78 60.9 1",
           "ang0_0.jpg 4 nan 20 30 78 60.9 1"]  # fmt: skip
    mini.raw.joinpath("label/label.lst").write_text("\n".join([*lines, *bad]))
    faces = known(mini.raw)["image/origin/ang0_0.jpg"]
    reasons = [each.reason for each in faces if isinstance(each, Rejection)]
    assert reasons == ["bad-box", "bad-box"]
    assert isinstance(faces[4], Facts)
    assert faces[4].box is None


# label files of all kinds


@pytest.mark.parametrize(
    "table",
    [
        b"path,label\na.png,happy\nb.png,sad\n",
        b"path,label\r\na.png,happy\r\nb.png,sad\r\n",
        b"\xef\xbb\xbfpath,label\na.png,happy\nb.png,sad",
        "path,label\na.png,happy\nb.png,sad\n".encode("utf-16"),
        b"Path, Label \n./a.png, happy\n.\\b.png,SAD\n\n\n",
        b'"path","label"\n"a.png","happy"\n"b.png","sad"\n',
        b",path,label\n0,a.png,happy\n1,b.png,sad\n",
    ],
    ids=["plain", "crlf", "bom", "utf-16", "blanks", "quotes", "index"],
)
def test_every_way_to_write_a_table_is_read(tmp_path: Path, table: bytes) -> None:
    raw = write_csv_set(tmp_path / "raw", table, {"a.png": 1, "b.png": 2})
    assert labels(raw) == {"a.png": "happiness", "b.png": "sadness", "labels.csv": "support-file"}


def test_names_that_are_not_utf8_are_found(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    save(raw / "é.png", face_pixels(1))
    save(raw / "b.png", face_pixels(2))
    (raw / "labels.csv").write_bytes("path,label\né.png,happy\nb.png,sad\n".encode("cp1252"))
    found = labels(raw)
    assert found["é.png"] == "happiness"


def test_missing_and_unnamed_files_are_rejections(tmp_path: Path) -> None:
    table = b"path,label\na.png,happy\nb.png,sad\nmissing.png,sad\n"
    raw = write_csv_set(tmp_path / "raw", table, {"a.png": 1, "b.png": 2, "unnamed.png": 3})
    report = read(raw, tmp_path / "ds")
    assert report.reasons == {"missing-file": 1, "unlabelled": 1, "support-file": 1}
    assert report.num_samples + report.num_rejected == report.num_files == 5
    with opened(raw) as source:
        (remark,) = source.describe()
    assert "1 rows name no file" in remark
    assert "1 files are named by none" in remark


def test_a_file_named_twice_with_other_labels_is_rejected(tmp_path: Path) -> None:
    table = b"path,label\na.png,happy\nb.png,sad\na.png,fear\nb.png,sadness\n"
    raw = write_csv_set(tmp_path / "raw", table, {"a.png": 1, "b.png": 2})
    found = labels(raw)
    assert (found["a.png"], found["b.png"]) == ("conflicting-labels", "sadness")


def test_bad_rows_are_rejections_of_their_own(tmp_path: Path) -> None:
    table = b"path,label\na.png,happy\nb.png,sad\nc.png\n,sad\nd.png,\n"
    raw = write_csv_set(tmp_path / "raw", table, {f"{n}.png": ord(n) for n in "abcd"})
    found = labels(raw)
    assert found["labels.csv#row-3"] == found["labels.csv#row-4"] == "bad-label"
    assert (found["c.png"], found["d.png"]) == ("unlabelled", "unlabelled")


@pytest.mark.parametrize(
    "path",
    ["../secret.png", "/etc/hostname", "a/../../secret.png", "C:\\secret.png", "..\\secret.png"],
)
def test_a_label_file_never_leads_outside_the_source(tmp_path: Path, path: str) -> None:
    save(tmp_path / "secret.png", face_pixels(9))
    table = f"path,label\na.png,happy\nb.png,sad\n{path},sad\n".encode()
    raw = write_csv_set(tmp_path / "raw", table, {"a.png": 1, "b.png": 2})
    assert picture_path(path) is None
    report = read(raw, tmp_path / "ds")
    assert report.reasons == {"outside-source": 1, "support-file": 1}
    assert report.num_samples == 2


def test_links_in_a_tar_lead_nowhere(tmp_path: Path) -> None:
    save(tmp_path / "secret.png", face_pixels(9))
    with tarfile.open(tmp_path / "raw.tar", "w") as archive:
        link = tarfile.TarInfo("a.png")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.png")
        archive.addfile(link)
        members = {
            "b.png": png_bytes(face_pixels(1)),
            "labels.csv": b"path,label\na.png,sad\nb.png,sad\n",
        }
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    report = read(tmp_path / "raw.tar", tmp_path / "ds")
    assert report.num_samples == 1
    assert report.reasons == {"not-a-file": 1, "missing-file": 1, "support-file": 1}


def test_a_member_that_claims_too_much_is_rejected_unread(tmp_path: Path) -> None:
    path = tmp_path / "raw.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("happy/a.png", png_bytes(face_pixels(1)))
        archive.writestr("happy/bomb.png", png_bytes(face_pixels(2)))
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 0xFFFF_FFF0)
    path.write_bytes(data)
    report = read(path, tmp_path / "ds")
    assert (report.num_samples, report.reasons) == (1, {"too-large": 1})


def test_a_label_file_without_line_ends_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="a line of more than 131,072 characters"):
        list(read_rows(io.BytesIO(b"x" * 400_000), "labels.csv"))
    with pytest.raises(SourceError, match="is no table of lines"):
        list(read_rows(io.BytesIO(b'path,label\n"' + b"x\n" * 400_000), "labels.csv"))


def test_a_label_file_that_claims_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_data.sources.members.MAX_LABEL_FILE_BYTES", 100)
    mini = miniatures.affectnet_96(tmp_path / "raw")
    with pytest.raises(
        SourceError, match=r"raw: labels.csv has 402 bytes; expected .* at most 100"
    ):
        known(mini.raw)


def test_a_label_file_may_be_larger_than_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_data.sources.listing.MAX_FILE_BYTES", 5000)
    long = "x" * 6000  # as AffectNet's list of 400 MB is, for its landmarks
    table = f"path,label,landmarks\na.png,happy,{long}\n".encode()
    raw = write_csv_set(tmp_path / "raw", table, {"a.png": 1})
    assert labels(raw) == {"a.png": "happiness", "labels.csv": "support-file"}


# a table given with --labels


def test_a_table_elsewhere_labels_the_pictures(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / "raw" / name, face_pixels(ord(name[0])))
    (tmp_path / "mine.csv").write_text("who,what,when,age\na.png,joy,val,30\nb.png,tired,val,\n")
    settings = SourceSettings(
        labels=tmp_path / "mine.csv", path_column="who", label_column="what", split_column="when"
    )
    facts = known(tmp_path / "raw", settings)
    assert facts["a.png"] == (
        Facts(label="happiness", split="validation", attributes={"age": "30"}),
    )
    assert facts["b.png"] == (Facts(label="tired", split="validation"),)
    assert labels(tmp_path / "raw", settings)["c.png"] == "unlabelled"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"path_column": "nowhere"}, "expected nowhere, label"),
        ({"split_column": "nowhere"}, 'has no column "nowhere"'),
    ],
)
def test_a_column_that_is_not_there_is_said(
    tmp_path: Path, columns: dict[str, str], message: str
) -> None:
    save(tmp_path / "raw" / "a.png", face_pixels(1))
    (tmp_path / "mine.csv").write_text("path,label\na.png,joy\n")
    with pytest.raises(SourceError, match=message):
        known(tmp_path / "raw", SourceSettings(labels=tmp_path / "mine.csv", **columns))


def test_a_csv_of_paths_is_a_source_itself(tmp_path: Path) -> None:
    mini = miniatures.csv_of_paths(tmp_path)
    report = read(mini.raw / "faces.csv", tmp_path / "ds")
    assert report.classes["train"]["happiness"] == 1
    assert report.sources[0].manifest == "csv"


def test_a_stray_table_beside_class_folders_does_not_label_them(tmp_path: Path) -> None:
    mini = miniatures.class_folders(tmp_path / "raw")
    (mini.raw / "notes.csv").write_text("file,class,mark\nother.png,7a,1\n")
    (mini.raw / "broken.csv").write_bytes(b"\xff\xfe\x00")
    report = read(mini.raw, tmp_path / "ds")
    assert report.sources[0].manifest == "folders"
    assert report.num_samples == 8


def test_a_packed_table_of_pixels_is_named_in_the_error(tmp_path: Path) -> None:
    mini = miniatures.fer2013_csv(tmp_path / "raw" / "fer2013")
    with tarfile.open(tmp_path / "fer2013.tar.gz", "w:gz") as archive:
        archive.add(mini.raw, "fer2013/fer2013.csv")
    with pytest.raises(SourceError, match=r"but fer2013/fer2013.csv; .* unpack it"):
        known(tmp_path / "fer2013.tar.gz")
    with pytest.raises(SourceError, match=r"but fer2013/fer2013.csv; .* name the file itself"):
        known(tmp_path / "raw")


def test_every_harmless_reason_is_a_reason() -> None:
    assert set(REASONS) >= HARMLESS_REASONS
    assert len(set(REASONS)) == len(REASONS)
