"""A recipe does what the commands do, byte for byte; what is wrong in one is told with its line."""

from __future__ import annotations

import os
import re
from pathlib import Path

import h5py
import pytest

from fer_data.errors import SettingsError
from fer_data.filter_settings import default_filter, find_preset
from fer_data.operations import PRESETS
from fer_data.pack import PackSettings
from fer_data.pipeline import Runner
from fer_data.recipe import read_recipe, write_recipe
from fer_data.synth import SynthSettings, write_faces

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
SOURCE = '[[source]]\npath = "raw"\n'
FULL = """\
dataset = "set"

[[source]]
path = "raw"

[filter]
conflicts = "drop"
rules = [{ score = "flat_share", side = "above", threshold = 0.6 }]

[split]
ratios = [70, 15, 15]
seed = 3

[balance]
targets = ["disgust", "fear=40"]
operations = "generator"

[pack]
out = "out"
shard_samples = 100
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw faces."""
    folder = tmp_path_factory.mktemp("recipe")
    write_faces(folder / "raw", SynthSettings(num_samples=240, dirt=0.05, seed=2))
    return folder


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def write(text: str, name: str = "recipe.toml") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def shard_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_recipe_of_a_data_set_makes_the_same_bytes_elsewhere(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, report = Runner(workers=1).run(read_recipe(write(FULL)))
    assert report is not None
    written = write_recipe(dataset)
    (tmp_path / "raw").symlink_to(folder / "raw")
    monkeypatch.chdir(tmp_path)
    again, _ = Runner(workers=1).run(read_recipe(write(written)))
    assert shard_bytes(Path("shards")) == shard_bytes(folder / "out")
    assert write_recipe(again) == written


def test_what_was_asked_beside_the_defaults_comes_back(folder: Path) -> None:
    raw = folder / "few"
    write_faces(raw, SynthSettings(num_samples=150, seed=4))
    text = """\
dataset = "few-set"
[[source]]
path = "few"
exclude = ["ledger.csv"]
max_rejected = 0.25
on_error = "raise"
[source.faces]
detector = "lbp"
none = "keep"
[split]
group_by = []
"""
    recipe = read_recipe(write(text))
    dataset, _ = Runner(workers=1).run(recipe)
    again = read_recipe(write(write_recipe(dataset)))
    assert again.split == recipe.split
    assert again.split is not None
    assert again.split.group_by == ()
    (source,), (first,) = again.sources, recipe.sources
    assert (source.settings.max_rejected, source.settings.on_error) == (0.25, "raise")
    assert source.settings.faces == first.settings.faces


def test_the_detector_of_a_recipe_is_used_or_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FERKIT_DETECTOR_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    text = SOURCE + '[source.faces]\ndetector = "%s"\n'
    with pytest.raises(SettingsError, match="line 4: detector is yunet, and there are no weights"):
        read_recipe(write(text % "yunet"))
    with pytest.raises(SettingsError, match='line 4: detector must be yunet or lbp; received "x"'):
        read_recipe(write(text % "x"))
    weights = tmp_path / "weights.onnx"
    weights.touch()
    monkeypatch.setenv("FERKIT_DETECTOR_WEIGHTS", str(weights))
    for word, expected in (("yunet", weights), ("lbp", None)):
        faces = read_recipe(write(text % word)).sources[0].settings.faces
        assert faces is not None
        assert faces.detector_weights == expected


def test_what_a_recipe_does_not_name_is_undone() -> None:
    dataset, _ = Runner(workers=1).run(read_recipe(write(FULL)))
    assert {"filter", "balance"} <= set(dataset.info.stages)
    before = shard_bytes(Path("out"))
    plain = 'dataset = "set"\n[[source]]\npath = "raw"\n[split]\n[pack]\nout = "out"\n'
    dataset, _ = Runner(workers=1).run(read_recipe(write(plain)))
    assert not {"filter", "balance"} & set(dataset.info.stages)
    assert shard_bytes(Path("out")) != before
    Runner(workers=1).run(read_recipe(write(FULL)))
    assert shard_bytes(Path("out")) == before


def test_the_form_of_the_images_goes_into_the_recipe_and_back() -> None:
    form = 'format = "hdf5"\nlayout = "flat"\ndtype = "float32"\n'
    plain = f'dataset = "forms"\n[[source]]\npath = "raw"\n[pack]\nout = "rows"\n{form}'
    recipe = read_recipe(write(plain))
    expected = PackSettings(format="hdf5", layout="flat", dtype="float32")
    assert recipe.pack == expected
    dataset, report = Runner(workers=1).run(recipe)
    assert report is not None
    assert len(report.index.shards[0].arrays["images"].shape) == 2
    assert read_recipe(write(write_recipe(dataset))).pack == expected


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('layout = "rows"', 'line 5: unknown layout "rows"; expected one of nhwc, flat'),
        ("dtype = 4", "line 5: dtype must be a text; received 4"),
        ('compression = "lz4"', 'line 5: compression "lz4" is for the format hdf5'),
        ('compression = "lz4"\nformat = "hdf5"', 'line 5: compression "lz4" needs hdf5plugin'),
    ],
)
def test_a_form_that_cannot_be_is_told_with_its_line(
    keys: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda _: False)
    with pytest.raises(SettingsError, match=message):
        read_recipe(write(f'[[source]]\npath = "raw"\n\n[pack]\n{keys}\n'))


def test_a_data_set_of_other_sources_is_refused(tmp_path: Path) -> None:
    write_faces(tmp_path / "more", SynthSettings(num_samples=20, seed=5))
    two = f'dataset = "two"\n[[source]]\npath = "raw"\n[[source]]\npath = "{tmp_path}/more"\n'
    Runner(workers=1).run(read_recipe(write(two)))
    one = 'dataset = "two"\n[[source]]\npath = "raw"\n'
    with pytest.raises(SettingsError, match="holds the sources raw, more, the recipe names 1"):
        Runner(workers=1).run(read_recipe(write(one)))


def test_two_sources_of_one_name_are_told_with_their_line() -> None:
    source = '[[source]]\npath = "raw"\n'
    with pytest.raises(SettingsError, match='line 4: a second source "raw"; expected unique'):
        read_recipe(write(2 * source))
    named = f'{source}name = "more"\n'
    with pytest.raises(SettingsError, match='line 6: a second source "more"'):
        read_recipe(write(2 * named))
    assert len(read_recipe(write(source + named)).sources) == 2


def test_short_sections_mean_what_the_commands_do_by_default() -> None:
    source = '[[source]]\npath = "raw"\n'
    recipe = read_recipe(write(source))
    assert (recipe.filter, recipe.split, recipe.balance, recipe.pack) == (None,) * 4
    assert read_recipe(write(f"{source}[filter]")).filter == default_filter("gray")
    preset = read_recipe(write(f'{source}[filter]\npreset = "fer2013"\nconflicts = "keep"')).filter
    assert preset is not None
    assert preset.conflicts == "keep"
    assert preset.rules == find_preset("fer2013").rules
    assert preset.leaks == find_preset("fer2013").leaks
    balance = read_recipe(write(f'{source}[balance]\nto = "max"\noperations = "course"')).balance
    assert balance is not None
    assert balance.operations == PRESETS["course"]


def test_every_key_of_a_source_is_taken() -> None:
    Path("votes.csv").touch()
    text = """\
[image]
size = 64
color = "rgb"

[[source]]
path = "raw"
name = "mine"
votes = "votes.csv"
keep_labels = true
map = { contempt = "drop" }
include = ["a/*"]
limit = 9
max_rejected = 0.5

[source.faces]
none = "keep"
"""
    (source,) = read_recipe(write(text)).sources
    assert source.settings.image is not None
    assert (source.settings.image.size, source.settings.image.color) == (64, "rgb")
    assert source.settings.faces is not None
    assert source.settings.faces.none == "keep"
    assert source.settings.source.name == "mine"
    assert source.settings.source.keep_labels
    assert source.settings.source.class_map == {"contempt": "drop"}
    assert source.settings.source.include == ("a/*",)
    assert source.settings.source.limit == 9
    assert source.settings.max_rejected == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'recipe.toml, line 1: no [[source]]; expected at least one, with path = "…"'),
        ('[[source]]\npath = "gone.zip"', "recipe.toml, line 2: path gone.zip does not exist; "
         "expected a folder, an archive or a CSV file"),
        ('[[source]]\nname = "a"', "recipe.toml, line 1: path is missing; expected a path"),
        ("[[source]]\npath = 7", "recipe.toml, line 2: path must be a path; received 7"),
        ('source = "raw"', 'line 1: source must be tables, [[source]]; received "raw"'),
        ("split = 3\n" + SOURCE, "line 1: split must be a table, [split]; received 3"),
        (SOURCE + "[balanse]", 'line 3: unknown key "balanse"; expected one of dataset, image, '
         'source, quality, filter, split, balance, pack. Did you mean "balance"?'),
        (SOURCE + '[split]\nsede = 1', 'line 4: unknown key "sede"; expected one of'),
        (SOURCE + '[split]\nratios = "80/10/10"', "line 4: ratios must be a list of 3, each a "
         'number; received "80/10/10"'),
        (SOURCE + "[split]\nratios = [8, 2]", "line 4: ratios must be a list of 3"),
        (SOURCE + "[split]\nratios = [0, 1, 1]", "line 4: ratios must be three shares"),
        (SOURCE + "[split]\nkeep_official = 1", "line 4: keep_official must be true or false; "
         "received 1"),
        (SOURCE + "[split]\nseed = true", "line 4: seed must be a whole number; received true"),
        (SOURCE + '[balance]\ntargets = ["disgust=many"]', "line 4: targets must be like"),
        (SOURCE + "[balance]", "line 3: nothing to balance"),
        (SOURCE + '[filter]\nrules = [\n  { score = "flatshare", side = "above", threshold = 1 },'
         "\n]", 'line 5: unknown score "flatshare"'),
        (SOURCE + '[filter]\nrules = [{ score = "entropy" }]', "line 4: side is missing"),
        (SOURCE + '[image]\ncolour = "rgb"', 'Did you mean "color"?'),
        ("[[source]\n", "recipe.toml: not TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        read_recipe(write(text))


def test_a_missing_recipe_is_named() -> None:
    with pytest.raises(SettingsError, match="none.toml: cannot be read"):
        read_recipe(Path("none.toml"))


def test_sources_can_lie_elsewhere(tmp_path: Path) -> None:
    path = write('[[source]]\npath = "gone"\n')
    assert read_recipe(path, [tmp_path]).sources[0].raw == tmp_path
    with pytest.raises(SettingsError, match="1 \\[\\[source\\]\\], but 2 paths were named"):
        read_recipe(path, [tmp_path, tmp_path])


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_recipes_that_ship_are_read(recipe: Path) -> None:
    assert read_recipe(recipe, [Path(os.curdir)]).pack is not None
