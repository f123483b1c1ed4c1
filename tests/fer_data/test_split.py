"""Laws of splitting: groups whole, classes at their ratios, few moved by what is added."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from fer_data.dataset import SAMPLES_SCHEMA, Dataset, DatasetInfo, SourceRecord
from fer_data.emotions import order_class_names
from fer_data.errors import MissingStageError, SettingsError
from fer_data.image import ImageSettings
from fer_data.ingest import IngestSettings, ingest
from fer_data.pipeline import Runner
from fer_data.split import SPLITS, SplitReport, SplitSettings, plan_split, split_samples
from fer_data.split_deal import deal, share_out
from fer_data.tables import write_table
from tests.conftest import face_pixels
from tests.miniatures import save

RUNNER = Runner(workers=1)
NO_OFFICIAL = SplitSettings(keep_official=False)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One row of a made-up data set; samples of one picture have identical pixels."""

    key: str
    label: str = "happiness"
    source: str = "src"
    split: str | None = None
    picture: str = ""
    family: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


def publish(folder: Path, samples: Sequence[Sample]) -> Dataset:
    """A data set that is ingested, and of which the duplicates are known; it has no pixels."""
    rows = [
        {
            "key": f"{sample.source}/{sample.key}",
            "source": sample.source,
            "path": sample.key,
            "label": sample.label,
            "split": sample.split,
            "file_sha256": bytes(32),
            "pixel_sha256": hashlib.sha256((sample.picture or sample.key).encode()).digest(),
            "height": 48,
            "width": 48,
            "attributes": list(sample.attributes.items()),
            "votes": None,
        }
        for sample in samples
    ]
    source = SourceRecord(
        name="src", kind="folder", manifest="folders", num_files=0, first_block=0, num_blocks=1
    )
    names = order_class_names({sample.label for sample in samples})
    info = DatasetInfo(image=ImageSettings(), class_names=names, sources=(source,))
    dataset = Dataset(folder, info)
    write_table(dataset.block_path("samples", 0), pa.Table.from_pylist(rows, schema=SAMPLES_SCHEMA))
    digest = hashlib.sha256(repr(samples).encode()).hexdigest()
    dataset = dataset.publish("ingest", None, settings={}, counts={}, inputs=[], digest=digest)
    related = [sample for sample in samples if sample.family is not None]
    families = pa.table(
        {
            "key": pa.array([f"{each.source}/{each.key}" for each in related], pa.string()),
            "group": pa.array([each.family for each in related], pa.int64()),
        }
    )
    return dataset.publish("duplicates", families, settings={}, counts={}, inputs=["ingest"])


def many(
    count: int, label: str = "happiness", *, prefix: str = "", **fields: object
) -> list[Sample]:
    return [
        Sample(key=f"{prefix}{label}/{number:05d}", label=label, **fields)  # type: ignore[arg-type]
        for number in range(count)
    ]


def placed(dataset: Dataset, asked: SplitSettings) -> tuple[dict[str, str], SplitReport]:
    """Key without its source → split."""
    table, report = plan_split(dataset, asked)
    assert table["key"].to_pylist() == dataset.kept_samples(["key"])["key"].to_pylist()
    keys = [key.split("/", 1)[1] for key in table["key"].to_pylist()]
    return dict(zip(keys, table["split"].to_pylist(), strict=True)), report


def places(samples: Iterable[Sample], found: Mapping[str, str], name: str) -> list[set[str]]:
    """The splits that samples with the same picture, family or attribute stand in."""
    held: dict[object, set[str]] = defaultdict(set)
    for sample in samples:
        value = getattr(sample, name, None) or sample.attributes.get(name)
        if value is not None and value != "":
            held[sample.source, value].add(found[sample.key])
    return list(held.values())


# --- groups


@st.composite
def tangled(draw: st.DrawFn) -> list[Sample]:
    """Samples of several classes, pictures, families, subjects and sources, in any tangle."""
    count = draw(st.integers(60, 120))
    num_subjects = draw(st.integers(20, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    families = rng.permutation(count) // 2
    return [
        Sample(
            key=f"{number:04d}",
            label=str(rng.choice(["happiness", "sadness"])),
            source=str(rng.choice(["one", "two"])),
            picture=f"p{rng.integers(0, 2 * count)}",
            family=int(families[number]) if rng.random() < 0.2 else None,
            attributes={"subject": f"S{rng.integers(0, num_subjects)}"}
            if rng.random() < 0.3
            else {"age": "7"},
        )
        for number in range(count)
    ]


@settings(max_examples=60, deadline=None)
@given(samples=tangled(), seed=st.integers(0, 99), group_by=st.sampled_from([
    ("duplicates", "subject"), ("duplicates",), ("subject",), (),
]))  # fmt: skip
def test_no_group_stands_in_two_splits(
    tmp_path_factory: pytest.TempPathFactory,
    samples: list[Sample],
    seed: int,
    group_by: tuple[str, ...],
) -> None:
    dataset = publish(tmp_path_factory.mktemp("tangled"), samples)
    asked = SplitSettings(group_by=group_by, seed=seed)
    try:
        found, report = placed(dataset, asked)
    except SettingsError:  # so tangled that a class is one group
        with pytest.raises(SettingsError, match="samples that stay together"):
            plan_split(dataset, asked)
        return
    by_picture: dict[str, set[str]] = defaultdict(set)
    by_family: dict[int, set[str]] = defaultdict(set)
    for sample in samples:
        by_picture[sample.picture].add(found[sample.key])
        if sample.family is not None and "duplicates" in group_by:
            by_family[sample.family].add(found[sample.key])
    assert all(len(splits) == 1 for splits in by_picture.values())
    assert all(len(splits) == 1 for splits in by_family.values())
    if "subject" in group_by:
        assert all(len(splits) == 1 for splits in places(samples, found, "subject"))
    assert sum(sum(counts.values()) for counts in report.classes.values()) == len(samples)
    told = {(each.class_name, each.part) for each in report.off_ratio}
    for part, shares in report.wanted.items():
        for name, wanted in shares.items():
            far = abs(report.reached[part][name] - wanted) > 0.01
            assert far == ((name, part) in told)
    assert all(each.why for each in report.off_ratio)


def test_a_subject_is_another_one_in_another_source(tmp_path: Path) -> None:
    samples = [
        Sample(key=f"{source}-{subject}-{n}", source=source, attributes={"subject": f"S{subject}"})
        for source in ("one", "two")
        for subject in range(40)
        for n in range(3)
    ]
    dataset = publish(tmp_path, samples)
    found, report = placed(dataset, SplitSettings())
    assert all(len(splits) == 1 for splits in places(samples, found, "subject"))
    assert (report.num_groups, report.num_grouped, report.largest) == (80, 240, 3)
    assert report.largest_name.startswith("subject S")
    apart = [found[f"one-{s}-0"] != found[f"two-{s}-0"] for s in range(40)]
    assert any(apart)


def test_samples_without_the_attribute_are_not_joined_by_it(tmp_path: Path) -> None:
    samples = many(200) + [Sample(key=f"s{n}", attributes={"subject": "A"}) for n in range(5)]
    found, report = placed(publish(tmp_path, samples), SplitSettings(group_by=("subject",)))
    assert report.num_groups == 1
    assert len({found[f"s{n}"] for n in range(5)}) == 1
    assert Counter(found.values())["test"] in (20, 21)


def test_any_attribute_can_be_asked_for_and_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    ages = [Sample(key=f"{n}", attributes={"age": str(n % 30), "sex": "f"}) for n in range(300)]
    dataset = publish(tmp_path, ages)
    found, _ = placed(dataset, SplitSettings(group_by=("age",)))
    assert all(len(splits) == 1 for splits in places(ages, found, "age"))
    placed(dataset, SplitSettings())  # that there is no subject is no news
    with pytest.raises(SettingsError, match='attribute "subject" to group by; they have age, sex'):
        placed(dataset, SplitSettings(group_by=("subject",)))
    none = publish(tmp_path / "none", many(30))
    with pytest.raises(SettingsError, match='attribute "age" to group by; they have none'):
        placed(none, SplitSettings(group_by=("duplicates", "age")))


def test_families_are_asked_of_the_duplicates_stage(tmp_path: Path) -> None:
    dataset = publish(tmp_path, many(50)).withdraw("duplicates")
    with pytest.raises(MissingStageError, match="duplicates has not been done"):
        plan_split(dataset, SplitSettings())
    dataset, _ = split_samples(dataset, SplitSettings(group_by=()))
    assert list(dataset.stage("split").inputs) == ["ingest", "filter"]


def test_a_later_search_for_duplicates_makes_the_split_stale(tmp_path: Path) -> None:
    dataset, _ = split_samples(publish(tmp_path, many(50)), SplitSettings())
    assert list(dataset.stage("split").inputs) == ["ingest", "filter", "duplicates"]
    assert dataset.is_done("split")
    more = pa.table({"key": ["src/happiness/00001"], "group": [0]})
    later = dataset.publish("duplicates", more, settings={}, counts={}, inputs=["ingest"])
    assert later.is_stale("split")


# --- ratios


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(0, 900), min_size=1, max_size=12),
    shares=st.lists(st.integers(1, 90), min_size=1, max_size=6),
)
def test_whole_samples_are_shared_out_and_none_is_lost(sizes: list[int], shares: list[int]) -> None:
    in_stratum, part = np.array(sizes, np.float64), np.array(shares) / sum(shares)
    class_of = np.sort(np.arange(len(sizes)) % 3)
    wanted = share_out(in_stratum, class_of, part)
    np.testing.assert_array_equal(wanted.sum(axis=1), in_stratum)
    np.testing.assert_array_equal(wanted, np.rint(wanted))
    assert wanted.min() >= 0
    for label in set(class_of.tolist()):
        total = in_stratum[class_of == label].sum()
        found = wanted[class_of == label].sum(axis=0)
        assert np.all(found > 0) or total < len(shares)


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(3, 3000), min_size=1, max_size=8),
    ratios=st.sampled_from([(80, 10, 10), (70, 10, 20), (1, 1, 1), (98, 1, 1), (60, 0, 40)]),
    largest=st.integers(1, 6),
    seed=st.integers(0, 2**32),
)
def test_every_class_comes_near_its_ratio(
    counts: list[int], ratios: tuple[int, int, int], largest: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    group = np.concatenate([[0], np.cumsum(rng.random(len(labels) - 1) < 1 / largest)])
    shares = np.array([ratio for ratio in ratios if ratio]) / sum(ratios)
    order = rng.integers(0, 2**64, group[-1] + 1, np.uint64)
    parts = deal(group, labels, np.zeros_like(labels), order, shares)[group]
    for label, count in enumerate(counts):
        mine = labels == label
        reached = np.bincount(parts[mine], minlength=len(shares)) / count
        # half of a group on either side of a cut; and every split has one of the class
        most = 1.5 * np.bincount(group[mine]).max() + len(shares) - 1
        assert np.abs(reached - shares).max() <= max(0.01, most / count)


def test_a_split_holds_every_sample_once_and_keeps_the_ratios(tmp_path: Path) -> None:
    dataset = publish(tmp_path, many(60) + many(30, "sadness"))
    _, report = placed(dataset, SplitSettings(ratios=(70, 10, 20)))
    assert report.classes == {
        "train": {"happiness": 42, "sadness": 21},
        "validation": {"happiness": 6, "sadness": 3},
        "test": {"happiness": 12, "sadness": 6},
    }
    assert report.off_ratio == ()
    assert report.wanted["train"] == pytest.approx({"happiness": 0.7, "sadness": 0.7})
    assert report.reached["test"] == pytest.approx({"happiness": 0.2, "sadness": 0.2})
    assert (report.num_groups, report.num_grouped, report.largest_name) == (0, 0, "")


def test_every_source_has_its_share_of_every_split(tmp_path: Path) -> None:
    samples = many(500, prefix="a", source="one") + many(40, prefix="b", source="two")
    found, _ = placed(publish(tmp_path, samples), SplitSettings())
    for source, count in (("one", 500), ("two", 40)):
        mine = Counter(found[each.key] for each in samples if each.source == source)
        assert mine == {"train": 0.8 * count, "validation": 0.1 * count, "test": 0.1 * count}


def test_many_small_sources_come_to_the_ratio_together(tmp_path: Path) -> None:
    samples = [s for n in range(50) for s in many(4, prefix=f"{n}", source=f"source-{n}")]
    found, _ = placed(publish(tmp_path, samples), SplitSettings())
    assert Counter(found.values()) == {"train": 160, "validation": 20, "test": 20}


def test_the_report_says_what_stands_in_the_way(tmp_path: Path) -> None:
    samples = many(40) + [Sample(key=f"big-{n}", attributes={"subject": "Big"}) for n in range(60)]
    _, report = placed(publish(tmp_path, samples), SplitSettings(ratios=(50, 25, 25)))
    assert {each.part for each in report.off_ratio} == set(SPLITS)
    assert all(
        each.why == "the largest of its 41 groups, subject Big of src, has 60 of its 100 samples"
        for each in report.off_ratio
    )
    assert report.largest == 60
    _, report = placed(publish(tmp_path / "few", many(7)), SplitSettings())
    assert report.off_ratio[0].why == "one of its 7 samples is 14.3% of it"


@pytest.mark.parametrize(
    ("ratios", "needed"),
    [
        ((80, 10, 10), r"3 splits \(train, validation, test\)"),
        ((80, 20, 0), r"2 splits \(train, validation\)"),
    ],
)
def test_a_class_with_too_few_groups_is_refused(
    tmp_path: Path, ratios: tuple[float, float, float], needed: str
) -> None:
    few = [Sample(key=f"d{n}", label="disgust", attributes={"subject": "X"}) for n in range(5)]
    if ratios[2]:
        few.append(Sample(key="d9", label="disgust"))
    dataset = publish(tmp_path, many(60) + few)
    with pytest.raises(SettingsError, match=rf"class disgust has \d groups? of .*{needed} need"):
        placed(dataset, SplitSettings(ratios=ratios))
    placed(dataset, SplitSettings(ratios=ratios, group_by=("duplicates",)))
    with pytest.raises(SettingsError, match="and 7 folds need one each; ask for fewer --folds"):
        placed(dataset, SplitSettings(group_by=(), folds=7))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ratios": (0, 10, 10)}, "for example 80/10/10; received"),
        ({"ratios": (80, -1, 10)}, "for example 80/10/10; received"),
        ({"ratios": (float("nan"), 10, 10)}, "for example 80/10/10; received nan/10/10"),
        ({"ratios": (80, float("inf"), 10)}, "for example 80/10/10; received 80/inf/10"),
        ({"ratios": (1e308, 1e308, 0)}, "for example 80/10/10; received 1e[+]308/1e[+]308/0"),
        ({"group_by": ("age", "age")}, "each once; received age, age"),
        ({"group_by": ("",)}, "names of attributes"),
        ({"folds": 1}, "folds must be 2 to 100; received 1"),
        ({"folds": 101}, "folds must be 2 to 100; received 101"),
        ({"folds": 5, "fold": 6}, "fold must be 1 to 5, one of the folds; received 6"),
        ({"fold": 2}, "fold must be 1 without folds; received 2"),
    ],
)
def test_wrong_settings_say_what_is_right(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SplitSettings(**wrong)  # type: ignore[arg-type]


# --- stability


def test_the_seed_decides_and_the_order_of_samples_does_not(tmp_path: Path) -> None:
    samples = [
        Sample(
            key=f"{n:04d}", label=("happiness", "sadness", "fear")[n * 7 % 3], family=n // 3,
            attributes={"subject": f"S{n % 40}"} if n % 5 == 0 else {},
        )
        for n in range(400)
    ]  # fmt: skip
    dataset = publish(tmp_path / "one", samples)
    first, again, other = (placed(dataset, SplitSettings(seed=seed))[0] for seed in (1, 1, 2))
    assert first == again
    assert first != other
    shuffled = [samples[n] for n in np.random.default_rng(3).permutation(len(samples))]
    assert placed(publish(tmp_path / "two", shuffled), SplitSettings(seed=1))[0] == first


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", [{}, {"folds": 5}], ids=["ratios", "folds"])
def test_adding_samples_moves_few_others(
    tmp_path: Path, seed: int, options: dict[str, int]
) -> None:
    def families(first: int, last: int) -> list[Sample]:
        rng = np.random.default_rng(first)
        labels = rng.choice(["happiness", "sadness", "disgust"], last - first, p=[0.6, 0.35, 0.05])
        return [
            Sample(key=f"{n:05d}", label=str(labels[n - first]), family=int(rng.integers(n + 1)))
            for n in range(first, last)
        ]

    before = families(0, 6000)
    asked = SplitSettings(seed=seed, **options)  # type: ignore[arg-type]

    def parts(name: str, samples: list[Sample]) -> dict[str, object]:
        table, _ = plan_split(publish(tmp_path / name, samples), asked)
        column = "fold" if asked.folds else "split"
        return dict(zip(table["key"].to_pylist(), table[column].to_pylist(), strict=True))

    first = parts("before", before)
    for added in (families(6000, 6060), many(60, "disgust", prefix="new")):
        after = parts(f"after-{added[0].key[:3]}", before + added)
        moved = sum(after[key] != part for key, part in first.items())
        assert moved < 0.02 * len(before)


# --- official splits


def test_free_samples_follow_the_official_ones_of_their_group(tmp_path: Path) -> None:
    samples = many(30, prefix="train/", split="train") + many(10, prefix="test/", split="test")
    samples += [
        Sample(key="near-test", family=1),
        Sample(key="t", family=1, split="test"),
        Sample(key="same-pixels", picture="twin", family=2),
        Sample(key="twin", picture="twin", family=2, split="test"),
        Sample(key="near-train", family=2, split="train"),
        Sample(key="near-both", family=2),
    ]
    dataset, report = split_samples(publish(tmp_path, samples), SplitSettings(ratios=(80, 20, 0)))
    found, _ = placed(dataset, SplitSettings())
    assert found["near-test"] == "test"
    assert found["same-pixels"] == "test"
    assert found["near-train"] == found["near-both"] == "train"
    assert report.leaks == 0
    assert all(each.official for each in report.off_ratio)
    free, _ = placed(dataset, NO_OFFICIAL)
    assert all(len(splits) == 1 for splits in places(samples, free, "family"))


def test_official_splits_are_kept_and_their_leaks_counted(tmp_path: Path) -> None:
    samples = many(20, prefix="train/", split="train") + many(4, prefix="val/", split="validation")
    samples.append(Sample(key="leak", picture="train/happiness/00003", split="validation"))
    found, report = placed(publish(tmp_path, samples), SplitSettings())
    assert Counter(found.values()) == {"train": 20, "validation": 5}
    assert report.num_official == 25
    assert (report.leaks, report.leaked) == (1, {"train": 1, "validation": 1})


def test_a_missing_validation_split_is_taken_from_train(tmp_path: Path) -> None:
    samples = many(90, prefix="train/", split="train") + many(10, prefix="test/", split="test")
    samples.append(Sample(key="leak", picture="train/happiness/00003", split="test"))
    found, report = placed(publish(tmp_path, samples), SplitSettings())
    assert Counter(found.values()) == {"train": 80, "validation": 10, "test": 11}
    # the twin of a test sample stays in train, where its source put it, and is counted
    assert found["train/happiness/00003"] == "train"
    assert report.leaks == 1


def test_official_splits_can_be_set_aside(tmp_path: Path) -> None:
    samples = many(10, prefix="train/", split="train") + many(40, prefix="test/", split="test")
    found, report = placed(publish(tmp_path, samples), NO_OFFICIAL)
    assert Counter(found.values()) == {"train": 40, "validation": 5, "test": 5}
    assert report.num_official == 0


# --- folds


def folds_of(dataset: Dataset, **options: object) -> tuple[pa.Table, SplitReport]:
    return plan_split(dataset, SplitSettings(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds_are_disjoint_complete_and_the_same_every_round(tmp_path: Path, folds: int) -> None:
    samples = many(200, picture="") + many(100, "sadness") + many(50, "fear", split="test")
    dataset = publish(tmp_path, samples)
    held_out: list[str] = []
    tables = []
    for fold in range(1, folds + 1):
        table, report = folds_of(dataset, folds=folds, fold=fold)
        tables.append(table.select(["key", "fold"]))
        rows = table.to_pylist()
        assert {row["split"] for row in rows if row["fold"] == fold} == {"validation"}
        others = {row["split"] for row in rows if row["fold"] not in (fold, None)}
        assert others == {"train"}
        assert [row["split"] for row in rows if row["fold"] is None] == ["test"] * 50
        held_out += [row["key"] for row in rows if row["split"] == "validation"]
        sizes = [sum(counts.values()) for counts in report.folds.values()]
        assert sum(sizes) == 300
        assert max(sizes) - min(sizes) <= 1
    assert sorted(held_out) == sorted(f"src/{each.key}" for each in samples if not each.split)
    assert all(table.equals(tables[0]) for table in tables)
    assert tables[0]["fold"].type == pa.int32()


def test_what_hangs_together_with_an_official_test_is_in_no_fold(tmp_path: Path) -> None:
    samples = [*many(60, split="train"), *many(20, "sadness", split="validation")]
    samples += [
        Sample(key="test", split="test", family=1),
        Sample(key="its-train", split="train", family=1),
        Sample(key="its-free", family=1),
    ]
    dataset = publish(tmp_path, samples)
    for fold in (1, 2, 3):
        table, _ = folds_of(dataset, folds=3, fold=fold)
        rows = {row["key"][4:]: (row["split"], row["fold"]) for row in table.to_pylist()}
        assert rows["test"] == ("test", None)
        assert rows["its-train"] == rows["its-free"] == ("train", None)
        assert sum(number is None for _, number in rows.values()) == 3
    table, _ = folds_of(dataset, folds=3, keep_official=False)
    assert table["fold"].null_count == 0
    assert set(table["split"].to_pylist()) == {"train", "validation"}


def subjects_like_ckplus(num_subjects: int, seed: int) -> tuple[NDArray[np.int64], ...]:
    """Labels and subjects, three frames a sequence, in the proportions of CK+."""
    rng = np.random.default_rng(seed)
    shares = np.array([45, 18, 59, 25, 69, 28, 83]) / 123
    shows = rng.random((num_subjects, len(shares))) < shares
    subjects, labels = np.nonzero(shows)
    return np.repeat(labels, 3), np.unique(np.repeat(subjects, 3), return_inverse=True)[1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("folds", [5, 10])
def test_subject_folds_are_as_even_as_those_of_scikit_learn(folds: int, seed: int) -> None:
    labels, subjects = subjects_like_ckplus(123, seed)

    def deviation(fold: NDArray[np.int64]) -> float:
        counts = np.zeros((labels.max() + 1, folds))
        np.add.at(counts, (labels, fold), 1)
        return float(np.std(counts / counts.sum(axis=1, keepdims=True)))

    order = np.random.default_rng(seed).integers(0, 2**64, subjects.max() + 1, np.uint64)
    shares = np.full(folds, 1 / folds)
    ours = deal(subjects, labels, np.zeros_like(labels), order, shares)[subjects]
    theirs = np.empty_like(labels)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (_, rows) in enumerate(splitter.split(labels, labels, subjects)):
        theirs[rows] = number
    assert deviation(ours) <= 1.1 * deviation(theirs)


def test_folds_of_ck48_are_subject_independent(tmp_path: Path) -> None:
    """A miniature of CK+48: 60 subjects, each with several expressions of three frames."""
    labels, subjects = subjects_like_ckplus(60, 0)
    names = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
    for number, (label, subject) in enumerate(zip(labels, subjects, strict=True)):
        name = f"S{subject + 10:03d}_{label:03d}_{number % 3 + 10:08d}.png"
        save(tmp_path / "raw" / "CK+48" / names[label] / name, face_pixels(number))
    dataset, _ = ingest(tmp_path / "raw", tmp_path / "ds", IngestSettings(), workers=1)
    assert dataset.info.sources[0].manifest == "ck48"
    dataset, report = RUNNER.split(dataset, SplitSettings(folds=3))
    held: dict[str, set[int]] = defaultdict(set)
    attributes = dataset.samples(["attributes"])["attributes"].to_pylist()
    for given_by, fold in zip(attributes, dataset.table("split")["fold"].to_pylist(), strict=True):
        held[dict(given_by)["subject"]].add(fold)
    assert len(held) == subjects.max() + 1
    assert all(len(folds) == 1 for folds in held.values())
    assert all(all(counts.values()) for counts in report.folds.values())
