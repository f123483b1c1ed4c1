"""Whatever goes wrong while `ferdata` works, nothing is lost and the same command ends it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import faults
from tests.faults.faults import FAULTS, STAGES, Bench, Fault, Outcome, WrongError


@pytest.fixture(scope="module")
def bench() -> Iterator[tuple[Bench, bool]]:
    with faults.own_disk() as (folder, is_own):
        prepared = Bench(folder)
        prepared.prepare()
        yield prepared, is_own


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_nothing_is_lost(bench: tuple[Bench, bool], fault: Fault) -> None:
    prepared, has_own_disk = bench
    if fault is faults.fill_disk and not has_own_disk:
        pytest.skip("no disk of its own can be mounted here")
    seed = 11 + FAULTS.index(fault)
    chance = random.Random(seed)
    stages = ["ingest"] if fault is faults.lose_source else chance.sample(list(STAGES), 2)
    for stage in stages:
        faults.try_fault(prepared, fault, stage, chance)


@pytest.mark.parametrize(
    ("name", "data", "code", "said", "message"),
    [
        ("dataset/split.parquet", b"half", 1, "Error: dataset: no", "lost or changed"),
        ("dataset/balance.parquet", b"half", 1, "Error: dataset: no", "half written"),
        ("dataset/balance.parquet", b"half", 0, "", "ended with 0 and left other files"),
        ("dataset/dataset.json", b'{"stages": {}}', -9, "", "lost or changed"),
        ("dataset/dataset.json", b'{"sta', -9, "", "lost or changed"),
        ("raw/sad/new.png", b"", -9, "", "half written"),
        (None, b"", 1, "Traceback (most recent call last)", "a traceback"),
        (None, b"", 1, "no", "ended with 1 and no error"),
        (None, b"", 1, "Error: no", "the error names no file"),
        ("dataset/other", b"", 0, "", "left other files"),
    ],
)
def test_what_does_not_hold_is_seen(
    bench: tuple[Bench, bool], name: str | None, data: bytes, code: int, said: str, message: str
) -> None:
    def damage(place: Path, stage: str, chance: random.Random) -> Outcome:
        if name is not None:
            (place / name).write_bytes(data)
        return Outcome(code=code, errors=said)

    with pytest.raises(WrongError, match=message):
        faults.try_fault(bench[0], damage, "balance", random.Random(0))
