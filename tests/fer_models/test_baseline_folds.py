"""Cross-validation: folds are disjoint, even and grouped, and copies never judge or leak."""

from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_data.errors import SettingsError
from fer_models.baselines import folds as folds_module
from fer_models.baselines.groups import deal_folds, find_groups
from fer_models.baselines.training import train_baseline
from fer_models.zoo import network_defaults
from tests.made_shards import make_samples, make_shards


def made_samples(seed, num_originals=60, num_copies=25, num_twins=8, num_classes=3):
    """Originals, some of them twice under other keys and labels, and copies of some."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(num_originals) % num_classes).tolist()
    images = rng.integers(0, 256, (num_originals, 5, 5, 1), dtype=np.uint8)
    images[:num_twins] = images[num_twins : 2 * num_twins]
    keys = [f"face{n}.png" for n in range(num_originals)]
    of = rng.integers(num_originals, size=num_copies)
    copies = rng.integers(0, 256, (num_copies, 5, 5, 1), dtype=np.uint8)
    made = make_samples(
        np.concatenate([images, copies]),
        labels + [labels[n] for n in of],
        keys + [f"{keys[n]}#{number}" for number, n in enumerate(of)],
        [""] * num_originals + [keys[n] for n in of],
    )
    return made.select(rng.permutation(len(made)))


@given(seed=st.integers(0, 10_000), num_folds=st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_folds_are_disjoint_complete_grouped_and_even(seed, num_folds):
    samples = made_samples(seed)
    folds = deal_folds(samples, num_folds, seed)
    originals = np.flatnonzero(samples.parents == "")
    assert sorted(np.concatenate([fold.judged for fold in folds])) == originals.tolist()
    groups = find_groups(samples)
    pixels = [samples.images[row].tobytes() for row in range(len(samples))]
    for fold in folds:
        assert not set(groups[fold.train]) & set(groups[fold.judged])
        judged_keys = set(samples.keys[fold.judged])
        assert not judged_keys & set(samples.keys[fold.train])
        assert not judged_keys & set(samples.parents[fold.train])  # no copy of what is judged
        assert not {pixels[row] for row in fold.judged} & {pixels[row] for row in fold.train}
        twins = {
            key
            for row, key in zip(originals, samples.keys[originals], strict=True)
            if groups[row] in set(groups[fold.judged])
        }
        left_out = set(range(len(samples))) - set(fold.train) - set(fold.judged)
        assert all(samples.parents[row] in twins for row in left_out)
    counts = np.array([np.bincount(samples.labels[f.judged], minlength=3) for f in folds])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 6).all()


def test_folds_are_as_even_as_scikit_learns():
    from sklearn.model_selection import StratifiedGroupKFold

    samples = made_samples(1, num_originals=300, num_twins=40, num_copies=0)
    groups = find_groups(samples)
    theirs = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(
        samples.images, samples.labels, groups
    )

    def spread(parts):
        counts = np.array([np.bincount(samples.labels[rows], minlength=3) for rows in parts])
        return (counts.max(axis=0) - counts.min(axis=0)).max()

    assert spread(f.judged for f in deal_folds(samples, 5, 0)) <= spread(b for _, b in theirs) + 3


def test_another_seed_deals_anew_and_the_same_seed_alike():
    samples = made_samples(0)
    deals = [[f.judged.tolist() for f in deal_folds(samples, 3, seed)] for seed in (0, 0, 1)]
    assert deals[0] == deals[1] != deals[2]


def test_a_copy_whose_original_was_left_out_is_learned_from_in_every_round():
    samples = made_samples(0)
    lonely = dataclasses.replace(
        samples, parents=np.where(samples.parents == "", "", "elsewhere.png")
    )
    copies = np.flatnonzero(samples.parents != "")
    for fold in deal_folds(lonely, 3, 0):
        assert set(copies) <= set(fold.train)


def test_too_few_faces_of_a_class_are_said():
    samples = made_samples(0, num_originals=9, num_twins=0, num_copies=0)
    with pytest.raises(SettingsError, match="a class has 3 different originals, fewer than 4"):
        deal_folds(samples, 4, 0)
    with pytest.raises(SettingsError, match="all copies"):
        deal_folds(samples.select(slice(0)), 4, 0)
    with pytest.raises(SettingsError, match="folds must be 2 or more"):
        dataclasses.replace(network_defaults("mlp"), folds=1)


def test_the_table_is_of_the_folds_and_nothing_judged_is_learned_from(tmp_path, monkeypatch):
    learned = []
    fit = folds_module.fit_baseline

    def remember(task, samples, values, extractor, say):
        assert np.array_equal(samples.images, values)
        learned.append(set(samples.keys.tolist()))
        return fit(task, samples, values, extractor, say)

    monkeypatch.setattr(folds_module, "fit_baseline", remember)
    samples = made_samples(3)
    make_shards(tmp_path / "shards", {"train": samples}, ("a", "b", "c"), shard_samples=50)
    settings_ = dataclasses.replace(network_defaults("logreg"), components=5, folds=3)
    said: list[str] = []
    report = train_baseline(tmp_path / "shards", tmp_path / "run", settings_, said.append)
    assert report.folds is not None
    for keys, fold in zip(learned, deal_folds(samples, 3, 0), strict=True):
        assert keys == set(samples.keys[fold.train].tolist())
    rows = list(csv.DictReader((tmp_path / "run" / "folds.csv").read_text().splitlines()))
    assert [row["fold"] for row in rows] == ["1", "2", "3", "mean", "standard deviation"]
    told = json.loads((tmp_path / "run" / "folds.json").read_text())
    for metric in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss"):
        values = [each["metrics"][metric] for each in told["rounds"]]
        assert told["mean"][metric] == pytest.approx(np.mean(values))
        assert told["standard_deviation"][metric] == pytest.approx(np.std(values, ddof=1))
        assert [float(row[metric]) for row in rows[:3]] == pytest.approx(values, abs=1e-6)
        assert float(rows[3][metric]) == pytest.approx(np.mean(values), abs=1e-6)
    assert any("Shards do not say who is in a picture" in sentence for sentence in said)
