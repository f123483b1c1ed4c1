"""The program ferdata as people type it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_data.lock import holding
from tests.conftest import face_pixels, png_bytes

FERDATA = Path(sys.executable).parent / "ferdata"
MakeFolders = Callable[..., Path]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FERDATA, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def result_of(folder: Path, *arguments: str) -> dict[str, object]:
    done = run(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert isinstance(value, dict)
    return value


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a small data set, ingested from ./raw."""
    folder = tmp_path_factory.mktemp("work")
    for name, count, first in (("happy", 40, 0), ("sad", 30, 100), ("disgust", 6, 200)):
        (folder / "raw" / name).mkdir(parents=True)
        for seed in range(first, first + count):
            (folder / "raw" / name / f"{seed}.png").write_bytes(png_bytes(face_pixels(seed)))
    assert run(folder, "ingest").returncode == 0
    return folder


@pytest.fixture
def work(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared folder to work in."""
    return Path(shutil.copytree(prepared, tmp_path / "work"))


def test_the_commands_work_as_typed(work: Path) -> None:
    for arguments in (["balance", "--target", "disgust"], ["pack", "--format", "npz"]):
        done = run(work, *arguments)
        assert done.returncode == 0, done.stderr
    assert "split was not asked for" not in run(work, "pack").stdout
    assert (work / "shards" / "index.json").is_file()
    assert run(work, "verify", "shards").returncode == 0


def test_shards_open_without_ferkit_and_every_copy_names_its_parent(work: Path) -> None:
    run(work, "balance", "--target", "disgust")
    run(work, "pack")
    code = (
        "import sys, glob, json, numpy as np\n"
        "out = {'train': [], 'other': []}\n"
        "for path in sorted(glob.glob('shards/*.npz')):\n"
        "    z = np.load(path, allow_pickle=False)\n"
        "    assert len({len(z[n]) for n in ('images', 'labels', 'keys', 'parents')}) == 1\n"
        "    side = 'train' if 'train-' in path else 'other'\n"
        "    out[side] += list(zip(z['keys'].tolist(), z['parents'].tolist()))\n"
        "assert not any('fer' in name.split('.')[0] for name in sys.modules)\n"
        "print(json.dumps(out))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=work, capture_output=True, text=True, check=True
    )
    samples = json.loads(done.stdout)
    train = dict(samples["train"])
    copies = {key: parent for key, parent in train.items() if parent}
    assert copies
    assert all(parent in train and not train[parent] for parent in copies.values())
    assert not any(parent for _, parent in samples["other"])


def test_every_stage_says_counts_that_add_up(work: Path) -> None:
    ingest = result_of(work, "ingest")
    assert ingest["files"] == ingest["samples"] + ingest["rejected"] == 76
    filtered = result_of(work, "filter")
    split = result_of(work, "split")
    kept = sum(sum(counts.values()) for counts in split["classes"].values())
    assert kept == filtered["samples"] - sum(filtered["dropped"].values())
    balance = result_of(work, "balance", "--target", "disgust")
    assert sum(balance["after"].values()) == sum(balance["before"].values()) + balance["copies"]
    pack = result_of(work, "pack")
    assert sum(pack["samples"].values()) == kept + balance["copies"]
    status = result_of(work, "status")
    done = [name for name, stage in status["stages"].items() if stage["state"] == "done"]
    assert {"ingest", "filter", "split", "balance", "pack"} <= set(done)


def test_a_dry_run_of_ingest_says_what_would_be_read(work: Path) -> None:
    found = result_of(work, "ingest", "raw", "--dry-run", "-d", "new")
    (source,) = found["sources"]
    assert (source["name"], source["files"], source["manifest"]) == ("raw", 76, "folders")
    assert source["remarks"] == ["Class folders: class and split read from the folders"]
    assert not (work / "new").exists()


@pytest.fixture(scope="module")
def packed(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with shards, and a recipe of its data set."""
    folder = tmp_path_factory.mktemp("packed") / "work"
    shutil.copytree(prepared, folder)
    assert run(folder, "pack").returncode == 0
    (folder / "recipe.toml").write_text(run(folder, "status", "--recipe").stdout)
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        "synth drawn --num-samples 20",
        "ingest",
        "inspect",
        "filter --dry-run",
        "filter --none",
        "split --dry-run",
        "balance --to max --dry-run",
        "pack",
        "verify shards",
        "export shards --format csv --out exported",
        "status",
        "run recipe.toml",
        "run recipe.toml --dry-run",
        "manifests",
        "manifests fer2013",
    ],
)
def test_every_command_prints_json(packed: Path, arguments: str) -> None:
    assert result_of(packed, *arguments.split())


def test_a_recipe_is_no_json(packed: Path) -> None:
    done = run(packed, "status", "--recipe", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "give one of them" in done.stderr


def test_balance_leaves_out_or_weighs_as_told(work: Path) -> None:
    result_of(work, "ingest")
    balance = result_of(work, "balance", "--method", "undersample", "--to", "min")
    assert len(set(balance["after"].values())) == 1
    assert balance["copies"] == 0
    pack = result_of(work, "pack")
    assert pack["samples"]["train"] == sum(balance["after"].values())
    index = json.loads((work / "shards" / "index.json").read_text())
    left_out = {name: count["left_out"] for name, count in index["counts"]["train"].items()}
    assert left_out == balance["left_out"]
    assert index["class_weights"] == balance["class_weights"]
    assert run(work, "verify", "shards").returncode == 0
    done = run(work, "balance", "--method", "weights", "--preview", "copies.png")
    assert "There are no copies to draw: no copies.png." in done.stdout
    assert not (work / "copies.png").exists()


def test_balance_takes_operations_from_a_file(work: Path) -> None:
    result_of(work, "ingest")
    (work / "mine.toml").write_text('[[operation]]\nname = "shear"\nprobability = 0.5\n')
    result_of(work, "balance", "--to", "max", "--operations", "mine.toml")
    text = (work / "dataset" / "dataset.json").read_text()
    assert json.loads(text)["stages"]["balance"]["settings"]["operations"][0]["name"] == "shear"
    (work / "mine.toml").write_text('[[operation]]\nname = "sheer"\n')
    done = run(work, "balance", "--to", "max", "--operations", "mine.toml")
    assert done.returncode == 2
    assert 'mine.toml, line 2: unknown operation "sheer"' in done.stderr
    assert 'Did you mean "shear"?' in done.stderr


def test_a_changed_mind_is_carried_through(work: Path) -> None:
    result_of(work, "balance", "--target", "disgust")
    result_of(work, "split", "--seed", "5")
    done = run(work, "pack")
    assert "balance was stale and is planned again" in done.stdout
    states = {n: s["state"] for n, s in result_of(work, "status")["stages"].items()}
    assert states["pack"] == "done"
    result_of(work, "filter")
    assert result_of(work, "status")["stages"]["pack"]["state"] == "stale"


def test_two_sources_with_other_classes_become_one_list(work: Path) -> None:
    for name, folder in (("JOY", "other/train/JOY"), ("Contempt", "other/train/Contempt")):
        (work / folder).mkdir(parents=True)
        for seed in range(3):
            picture = png_bytes(face_pixels(900 + len(name) * 10 + seed))
            (work / folder / f"{seed}.png").write_bytes(picture)
    merged = result_of(work, "ingest", "raw", "other", "--map", "contempt=drop", "-d", "merged")
    counts = {name: sum(c[name] for c in merged["classes"].values()) for name in ("happiness",)}
    assert counts == {"happiness": 43}
    assert list(next(iter(merged["classes"].values()))) == ["disgust", "happiness", "sadness"]
    assert merged["reasons"] == {"dropped-class": 3}
    both = result_of(work, "ingest", "other", "-d", "merged")  # a changed mind: the class is back
    assert "contempt" in next(iter(both["classes"].values()))


def test_a_manifest_of_ones_own_is_used(work: Path) -> None:
    (work / "mine.toml").write_text(
        'name = "mine"\ntitle = "Mine"\n'
        'classes = [{name = "happiness", code = "0"}, {name = "sadness", code = "1"}]\n'
        '[[layouts]]\nkind = "files"\npattern = "(?P<label>happy|sad)/.*"\n'
    )
    done = run(work, "ingest", "raw", "--manifest", "mine.toml", "--include", "[hs]*", "-d", "own")
    assert done.returncode == 0, done.stderr
    assert 'understood as manifest "mine"' in done.stdout


def test_verbose_names_every_rejected_file(work: Path) -> None:
    (work / "raw" / "happy" / "bad.png").write_bytes(b"")
    assert "bad.png" not in run(work, "ingest").stderr
    assert "rejected happy/bad.png: empty" in run(work, "ingest", "-v").stderr


def test_a_dry_run_writes_nothing(work: Path) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}

    before = files()
    for arguments in (["ingest", "raw"], ["split", "--seed", "9"], ["balance", "--to", "max"]):
        assert run(work, *arguments, "--dry-run").returncode == 0
        assert files() == before
    run(work, "filter", "--dry-run")
    measured = {path.name for path in files().keys() - before.keys()}
    assert measured >= {"quality.parquet", "duplicates.parquet"}
    assert not measured & {"filter.parquet", "split.parquet"}


def test_a_dry_run_shows_what_would_be_done(work: Path) -> None:
    asked = ["balance", "--to", "max"]
    assert result_of(work, *asked, "--dry-run") == result_of(work, *asked)


def test_hints_name_the_folders_that_were_typed(work: Path) -> None:
    (work / "dataset").rename(work / "my faces")
    where = ["-d", "my faces"]
    balance = ["balance", "--target", "disgust", *where]
    assert "Next:" not in run(work, *balance, "--dry-run").stdout
    done = run(work, *balance)
    assert done.stdout.endswith("Next: ferdata pack --format npz -d 'my faces'\n")
    done = run(work, "pack", *where, "--out", "my shards")
    assert done.stdout.endswith("Next: fermodel train 'my shards'\n")
    shown = " ".join(run(work, "inspect", *where).stdout.split())
    assert "all of it at once: ferdata filter -d 'my faces'" in shown
    assert "ferdata balance --target disgust -d 'my faces'" in shown


def test_a_class_that_is_not_there_is_told_before_anything_is_split(work: Path) -> None:
    assert run(work, "balance", "--target", "disgst").returncode == 2
    assert not (work / "dataset" / "split.parquet").exists()


def test_folds_go_through_the_whole_line(work: Path) -> None:
    first = result_of(work, "split", "--folds", "3", "--group-by", "none")
    assert sorted(sum(c.values()) for c in first["folds"].values()) == [25, 25, 26]
    done = run(work, "split", "--folds", "3", "--fold", "2")
    assert done.returncode == 0, done.stderr
    assert "3 folds" in done.stdout
    assert "disgust" in done.stdout
    packed = result_of(work, "pack")
    assert set(packed["samples"]) == {"train", "validation"}
    assert sum(packed["samples"].values()) == 76


def test_split_says_how_close_it_came(work: Path) -> None:
    done = run(work, "split")
    assert "disgust: 66.7% in train where 80.0% was asked for; one of its 6 samples" in done.stdout
    found = result_of(work, "split")
    told = {(each["class_name"], each["part"]) for each in found["off_ratio"]}
    assert ("disgust", "train") in told
    assert found["reached"]["train"]["happiness"] == 0.8
    assert found["official"] == 0


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["balance", "--target", "joyful"], 2, 'unknown class "joyful"; expected one of'),
        (["balance", "--target", "joyful"], 2, 'Did you mean "happiness"?'),
        (["balance", "--target", "disgust=many"], 2, "as in disgust=4000"),
        (["balance"], 2, "name classes (--target disgust)"),
        (["balance", "--to", "most"], 2, "expected min, median, max or a number"),
        (["balance", "--to", "max", "--operations", "corse"], 2, 'Did you mean "course"?'),
        (["balance", "--method", "weights", "--to", "max"], 2, "weights takes no targets"),
        (["balance", "--targt", "x"], 2, "Did you mean one of: '--dataset', '--target'?"),
        (["ingst"], 2, 'Did you mean "ingest"?'),
        (["ingest", "nowhere"], 1, "nowhere: no such file or folder; expected a folder"),
        (["split", "--ratios", "half"], 2, "for example 80/10/10"),
        (["split", "--folds", "3", "--ratios", "80/10/10"], 2, "exclude each other"),
        (["split", "--fold", "2"], 2, "give both"),
        (["split", "--folds", "3", "--fold", "4"], 2, "fold must be 1 to 3"),
        (["split", "--folds", "10"], 2, "class disgust has 6 groups of samples"),
        (["split", "--group-by", "age"], 2, 'no sample has an attribute "age"'),
        (["filter", "--relfcs", "7"], 2, "the threshold of relfcs must be 0 to 1"),
        (
            ["ingest", "raw", "more", "--name", "x"],
            2,
            "--name is the name of one source; received 2",
        ),
        (["ingest", "raw", "--max-rejected", "lots"], 2, "expected for example 5% or 0.05"),
        (["split", "-d", "elsewhere"], 1, "elsewhere: no data set there; make one with"),
        (["verify", "nowhere"], 1, "nowhere: no such folder; expected a folder of shards"),
        (["pack", "--compression", "zstd"], 2, '"zstd" is for the format hdf5; npz has none, fast'),
        (["pack", "--layout", "nchw"], 2, "'nchw' is not one of 'nhwc', 'flat'"),
        (["pack", "--dtype", "float16"], 2, "'float16' is not one of 'uint8', 'float32'"),
        (["manifests", "fer2031"], 2, 'Did you mean "fer2013"?'),
        (["ingest", "raw", "--size", "0"], 2, "size must be 8 to 1024 pixels; received 0"),
        (["ingest", "raw", "--size", "3"], 2, "size must be 8 to 1024 pixels; received 3"),
    ],
)
def test_a_mistake_gets_one_clear_line(
    prepared: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    done = run(prepared, *arguments)
    assert done.returncode == exit_code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1


def test_a_codec_that_is_not_installed_is_one_clear_line(prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "hdf5plugin.py").write_text("raise ImportError('not here')")
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [FERDATA, "pack", "--format", "hdf5", "--compression", "zstd"],
        cwd=prepared, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        'Error: compression "zstd" needs hdf5plugin, which is not installed; '
        "run `pip install hdf5plugin`\n"
    )


def test_too_many_bad_files_end_with_1_and_what_to_do(work: Path) -> None:
    for number in range(9):
        (work / "raw" / "happy" / f"bad{number}.png").write_text("not a picture")
    done = run(work, "ingest")
    assert done.returncode == 1
    assert "9 of 85 files (10.6%) were rejected, more than 5%: 9 not-an-image" in done.stderr
    assert "allow more with --max-rejected" in done.stderr
    assert run(work, "ingest", "--max-rejected", "11%").returncode == 0


def test_a_read_only_folder_is_one_clear_line(tmp_path: Path, prepared: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = run(prepared, "pack", "--out", str(tmp_path / "file" / "shards"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "file") in done.stderr


@pytest.mark.parametrize(
    "arguments",
    ["ingest", "inspect", "filter --none", "split", "balance --target disgust", "pack"],
)
def test_two_commands_at_once_are_one_and_a_clear_line(work: Path, arguments: str) -> None:
    leftover = work / "dataset" / ".dataset.json.12.tmp"
    leftover.write_bytes(b"half")
    with holding(work / "dataset", "ferdata pack"):
        before = (work / "dataset" / "dataset.json").read_bytes()
        done = run(work, *arguments.split())
        assert run(work, "status").returncode == 0
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"Error: dataset: `ferdata pack` (process {os.getpid()} on ")
    assert (work / "dataset" / "dataset.json").read_bytes() == before
    assert leftover.exists(), "it could be that of the command at work"
    assert run(work, *arguments.split()).returncode == 0
    assert not list(work.rglob(".lock"))
    assert not leftover.exists()


def test_shards_are_written_by_one_at_a_time(work: Path) -> None:
    with holding(work / "shards", "ferdata pack", make=True):
        assert "shards: `ferdata pack` (process" in run(work, "pack").stderr
    assert run(work, "pack").returncode == 0


def test_ctrl_c_ends_at_once_and_the_same_command_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "happy"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(3000):
        (folder / f"{number}.png").write_bytes(
            png_bytes(rng.integers(0, 256, (128, 128), dtype=np.uint8))
        )
    process = subprocess.Popen(
        [FERDATA, "ingest", "--workers", "2"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    while not list((tmp_path / "dataset" / "samples").glob("*.parquet")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    if process.returncode != 0:  # it may have finished just before
        assert process.returncode == 130
        assert "interrupted; what was finished is kept, the same command" in errors
        assert "Traceback" not in errors
    done = run(tmp_path, "ingest")
    assert done.returncode == 0
    assert "3,000 files = 3,000 samples + 0 rejected." in done.stdout
