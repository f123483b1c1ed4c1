"""Whatever happens to a byte of a packed data set, `verify` says so, and readers give no wrong one.

FERKIT_DAMAGES=20 does 20 times as much damage.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from fer_data.balance import BalanceSettings, balance
from fer_data.errors import DamagedShardError, FerDataError
from fer_data.pack import FORMATS, PackSettings, pack
from fer_data.pack_shard import CONTAINERS
from fer_data.shards import verify
from fer_data.shards.arrays import decode_array
from fer_data.shards.deflate import COMPRESSIONS
from fer_data.shards.index import INDEX_NAME, PAPERS, ArrayEntry, read_index
from fer_data.shards.reader import ShardReader
from fer_data.shards.verify import verify_shards
from tests.damages import TIMES, Damage, draw_damage
from tests.edited_index import edit_fields, unsealed
from tests.fer_data.conftest import build_dataset
from tests.made_shards import assert_same

COUNTS = {"train": {"anger": 20, "disgust": 4}, "validation": {"anger": 5, "disgust": 3}}
FORMS = list(itertools.product(FORMATS, COMPRESSIONS))


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders of shards, one for each format and compression."""
    folder = tmp_path_factory.mktemp("damage")
    votes = {"src/train/anger/000é.png": {"anger": 3.0}}
    dataset = balance(build_dataset(folder / "ds", COUNTS, votes=votes), BalanceSettings(to="max"))
    folders = []
    for format_, compression in FORMS:
        shards = folder / f"{format_}-{compression}"
        settings = PackSettings(format=format_, compression=compression, shard_samples=12)
        pack(dataset[0], shards, settings, workers=1)
        assert verify_shards(shards).problems == ()
        folders.append(shards)
    return folders


def files_of(shards: Path) -> list[Path]:
    return sorted(p for p in shards.iterdir() if p.suffix.lstrip(".") in suffixes())


def suffixes() -> set[str]:
    return {container.suffix for container in CONTAINERS.values()}


def is_told(damage: Damage) -> bool:
    """Whether verify names the damaged file; any other exception ends the test."""
    try:
        problems = verify_shards(damage.path.parent).problems
    except FerDataError as error:
        return damage.path.name in str(error)
    return any(problem.file == damage.path.name for problem in problems)


def test_verify_names_the_shard_that_any_damage_is_in(packed: list[Path]) -> None:
    rng = np.random.default_rng(1)
    for number in range(360 * TIMES):
        files = files_of(packed[number % len(packed)])
        damage = draw_damage(rng, files[rng.integers(len(files))])
        with damage.done():
            assert is_told(damage), damage.what


def test_verify_and_every_reader_refuse_an_index_with_any_damage(packed: list[Path]) -> None:
    rng = np.random.default_rng(2)
    for number in range(140 * TIMES):
        damage = draw_damage(rng, packed[number % len(packed)] / INDEX_NAME)
        with damage.done():
            assert is_told(damage), damage.what
            with pytest.raises(DamagedShardError, match=INDEX_NAME):
                read_index(damage.path.parent)


def test_damage_to_an_index_without_digest_is_never_a_traceback(
    packed: list[Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    for shards in packed[::3]:  # one of each format
        path = shards / INDEX_NAME
        whole = path.read_bytes()
        path.write_text(unsealed(whole.decode()), encoding="utf-8")
        try:
            assert verify_shards(shards).problems == ()
            num_told = 0
            for _ in range(60 * TIMES):
                damage = draw_damage(rng, path)
                with damage.done():
                    try:
                        num_told += bool(verify_shards(shards).problems)
                    except FerDataError:
                        num_told += 1
            assert num_told > 45 * TIMES  # but not all: texts of the lineage stand nowhere else
        finally:
            path.write_bytes(whole)


def test_readers_give_right_samples_or_the_name_of_the_damaged_shard(packed: list[Path]) -> None:
    rng = np.random.default_rng(4)
    whole = [ShardReader(shards, "train").read() for shards in packed]
    num_told = 0
    for number in range(240 * TIMES):
        shards = packed[number % len(packed)]
        files = [path for path in files_of(shards) if path.name.startswith("train")]
        damage = draw_damage(rng, files[rng.integers(len(files))])
        with damage.done():
            samples, told = None, ""
            try:
                samples = ShardReader(shards, "train").read()
            except DamagedShardError as error:
                told = str(error)
        if samples is not None:
            assert_same(samples, whole[number % len(packed)])  # the damage is between arrays
        else:
            num_told += 1
            assert damage.path.name in told, damage.what
    assert num_told > 120 * TIMES


def test_a_damaged_file_is_not_given_to_other_libraries(
    packed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDF5 follows damaged sizes and addresses, into all memory or for ever."""
    intact = {hashlib.sha256(path.read_bytes()).digest() for path in files_of(packed[-1])}
    read_hdf5, num_read = verify.read_hdf5, 0

    def read(data: bytes, name: str) -> np.ndarray:
        nonlocal num_read
        num_read += 1
        assert hashlib.sha256(data).digest() in intact
        return read_hdf5(data, name)

    monkeypatch.setattr(verify, "read_hdf5", read)
    rng = np.random.default_rng(5)
    for _ in range(10):
        with draw_damage(rng, files_of(packed[-1])[0]).done():
            verify_shards(packed[-1])
    assert num_read > 0


@pytest.mark.parametrize("form", [-15, 15])
def test_a_bomb_is_not_inflated(form: int) -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, form)
    data = deflate.compress(bytes(50_000_000)) + deflate.flush()
    entry = ArrayEntry(
        dtype="|u1", shape=(1000,), offset=0, compressed_bytes=len(data), raw_bytes=1000,
        header_bytes=0, crc32=7, compression="deflate" if form < 0 else "zlib",
        chunks=() if form < 0 else ((0, len(data), 7),), chunk_bytes=0 if form < 0 else 1000,
    )  # fmt: skip
    with pytest.raises(DamagedShardError, match="1001 bytes; the index says 1000|checksum"):
        decode_array(data, entry, "array")


def test_papers_are_nothing_that_verify_reads_and_pack_writes_them_anew(tmp_path: Path) -> None:
    dataset = build_dataset(tmp_path / "ds", COUNTS)
    shards = tmp_path / "shards"
    dataset, _ = pack(dataset, shards, PackSettings(), workers=1)
    before = {path: path.read_bytes() for path in shards.iterdir()}
    stamps = {path: path.stat().st_mtime_ns for path in files_of(shards)}
    rng = np.random.default_rng(6)
    for name in PAPERS:
        data = bytearray((shards / name).read_bytes())
        data[int(rng.integers(len(data) // 2))] ^= 1  # not the line that says whose card it is
        (shards / name).write_bytes(data)
    assert verify_shards(shards).problems == ()
    pack(dataset, shards, PackSettings(), workers=1)
    (shards / PAPERS[-1]).unlink()
    pack(dataset, shards, PackSettings(), workers=1)
    assert {path: path.read_bytes() for path in shards.iterdir()} == before
    assert {path: path.stat().st_mtime_ns for path in files_of(shards)} == stamps


def test_an_edited_index_is_told_unless_its_digest_is_made_anew(tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    pack(build_dataset(tmp_path / "ds", COUNTS), shards, PackSettings(), workers=1)
    fields = json.loads((shards / INDEX_NAME).read_text(encoding="utf-8"))
    fields["name"] = "another name"
    (shards / INDEX_NAME).write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    with pytest.raises(DamagedShardError, match=r"or was edited \(then take that field out\)"):
        verify_shards(shards)
    edit_fields(shards, lambda fields: fields.update(name="another name"))
    assert verify_shards(shards).index.name == "another name"
    del fields["sha256"]
    (shards / INDEX_NAME).write_text(json.dumps(fields), encoding="utf-8")
    assert verify_shards(shards).index.name == "another name"
