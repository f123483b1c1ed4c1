"""Settings files: what repeats a run, and what is wrong with one."""

from __future__ import annotations

import dataclasses

import pytest

from fer_data.errors import SettingsError
from fer_models.augmentation import NO_CHANGES, AugmentSettings
from fer_models.errors import DamagedRunError
from fer_models.request import ADAMW_WEIGHT_DECAY, complete_request
from fer_models.run import RunRecord, read_record, write_record
from fer_models.settings import TrainSettings
from fer_models.zoo import NETWORKS, network_defaults

ODD = TrainSettings(
    epochs=3, optimizer="sgd", schedule="plateau", warmup=0.5, ema=0.9, loss="focal", seed=7,
    augment=AugmentSettings(mixup=0.2), tensorboard=True, xla="off", distill=("/runs/a", "/runs/b"),
    with_validation=True,
)  # fmt: skip


@pytest.fixture
def shards_dir(make_shards):
    return make_shards({"train": [5]})[0]


def write_run(run_dir, shards_dir, settings):
    record = RunRecord(
        settings=settings, shards_dir=shards_dir, index_sha256="00", class_weights="original",
        precision="float32", ferkit_version="0.1.0",
    )  # fmt: skip
    write_record(run_dir, record)
    return record


@pytest.mark.parametrize("settings", [TrainSettings(), ODD])
def test_the_file_of_a_run_repeats_it(shards_dir, tmp_path, settings):
    record = write_run(tmp_path / "run", shards_dir, settings)
    assert read_record(tmp_path / "run") == record
    config = tmp_path / "run" / "settings.toml"
    asked = complete_request(None, None, {}, resume=False, config=config)
    assert (asked.settings, asked.shards_dir) == (settings, shards_dir)
    assert asked.run_dir is None


@pytest.mark.parametrize("model", [*NETWORKS, "own"])
def test_the_file_of_every_kind_of_run_repeats_it(shards_dir, tmp_path, model):
    if model == "own":
        (tmp_path / "mine.py").write_text("def build(spec):\n    pass\n")
        model = f"{tmp_path}/mine.py:build"
    for settings in (network_defaults(model), dataclasses.replace(network_defaults(model), seed=5)):
        write_run(tmp_path / "run", shards_dir, settings)
        config = tmp_path / "run" / "settings.toml"
        asked = complete_request(None, None, {"model": model}, resume=False, config=config)
        assert asked.settings == settings


def test_a_file_is_for_its_own_network_only(shards_dir, tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text('model = "cnn4"\npreset = "gentle"\nepochs = 7\n')
    for line, name, other in ((1, "model", "dnn"), (2, "preset", "published")):
        said = {name: other}
        message = rf"mine\.toml, line {line}: .* received --{name} {other}\. Leave out --{name}"
        with pytest.raises(SettingsError, match=message):
            complete_request(shards_dir, None, said, resume=False, config=config)
    config.write_text("epochs = 7\n")
    asked = complete_request(shards_dir, None, {"model": "dnn"}, resume=False, config=config)
    assert (asked.settings.model, asked.settings.epochs) == ("dnn", 7)


def test_options_go_before_the_file_and_the_file_before_the_network(shards_dir, tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text("epochs = 7\nlearning_rate = 1\n[augment]\nrotation = 3\n")
    asked = complete_request(
        shards_dir, None, {"epochs": 9, "zoom": 0.0, "seed": None}, resume=False, config=config
    )
    usual = network_defaults("cnn4")
    augment = dataclasses.replace(usual.augment, rotation=3, zoom=0.0)
    assert asked.settings == dataclasses.replace(usual, epochs=9, learning_rate=1, augment=augment)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"augment": False}, None),
        ({"augment": False, "flip": True}, dataclasses.replace(NO_CHANGES, flip=True)),
        ({"rotation": 0.0, "shift": 0.0, "zoom": 0.0, "flip": False}, None),
        ({"augment": True}, network_defaults("cnn4").augment),
        ({"mixup": 0.2}, dataclasses.replace(network_defaults("cnn4").augment, mixup=0.2)),
    ],
)
def test_changes_of_images_are_asked_for_one_by_one(shards_dir, asked, expected):
    assert complete_request(shards_dir, None, asked, resume=False).settings.augment == expected


def test_adamw_decays_where_nothing_else_is_said(shards_dir):
    for asked, decay in (({}, ADAMW_WEIGHT_DECAY), ({"weight_decay": 0.0}, 0.0)):
        settings = complete_request(
            shards_dir, None, {"optimizer": "adamw", **asked}, resume=False
        ).settings
        assert settings.weight_decay == decay


def test_a_resumed_run_is_given_no_decay_that_nobody_named(shards_dir, tmp_path):
    settings = TrainSettings(optimizer="adamw", weight_decay=0.0)
    write_run(tmp_path / "run", shards_dir, settings)
    asked = complete_request(None, tmp_path / "run", {"optimizer": "adamw"}, resume=True)
    assert asked.settings == settings


@pytest.mark.parametrize(
    ("name", "value", "reader", "message"),
    [
        (
            "momentum",
            0.5,
            {"optimizer": "sgd"},
            "--momentum is read by optimizer sgd only; .* adam",
        ),
        ("drop", 0.5, {"schedule": "step"}, "--drop is read by schedule step and plateau only"),
        ("drop_every", 2, {"schedule": "plateau"}, "--drop-every .*; received schedule cosine"),
        ("gamma", 5.0, {"loss": "focal"}, "--gamma is read by loss focal only; received loss auto"),
    ],
)
def test_what_would_be_without_effect_is_refused(shards_dir, name, value, reader, message):
    asked = {name: value, **reader}
    settings = complete_request(shards_dir, None, asked, resume=False).settings
    assert getattr(settings, name) == value
    with pytest.raises(SettingsError, match=message):
        complete_request(shards_dir, None, {name: value}, resume=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = 3\nspeed = 2\n", r'mine\.toml, line 2: unknown key "speed"'),
        ("\nepoch = 3\n", r'line 2: unknown key "epoch".*Did you mean "epochs"'),
        ('epochs = "many"\n', r'line 1: epochs must be a whole number; received "many"'),
        ("epochs = -1\n", "line 1: epochs must be 0 or more; received -1"),
        ("seed = 1\nclass_weights = 'some'\n", 'line 2: unknown class weights "some"'),
        ("weights = ''\nclass_weights = 'some'\n", 'line 2: unknown class weights "some"'),
        ("epochs = 3\nwarmup = 4.0\n", "line 2: warmup must be at most the 3 epochs"),
        ("[augment]\nzoom = 3.0\n", r"line 2: zoom must be 0 to 0\.99; received 3"),
        ("[augment]\nturn = 3.0\n", 'line 2: unknown key "turn"'),
        ("augment = 3\n", r"line 1: augment must be a table"),
        ("epochs = \n", "not TOML"),
    ],
)
def test_a_wrong_file_is_told_by_its_line(shards_dir, tmp_path, text, message):
    config = tmp_path / "mine.toml"
    config.write_text(text)
    with pytest.raises(SettingsError, match=message):
        complete_request(shards_dir, None, {}, resume=False, config=config)


def test_a_run_is_resumed_with_its_own_settings_only(shards_dir, tmp_path):
    write_run(tmp_path / "run", shards_dir, ODD)
    config = tmp_path / "run" / "settings.toml"
    with pytest.raises(SettingsError, match="leave out --config or --resume"):
        complete_request(None, tmp_path / "run", {}, resume=True, config=config)
    config.write_text(config.read_text().replace("epochs = 3", "epochs = -3"))
    with pytest.raises(DamagedRunError, match="epochs must be 0 or more"):
        complete_request(None, tmp_path / "run", {}, resume=True)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("momentum", 1.0, r"momentum must be 0 to below 1; received 1\.0"),
        ("seed", 2**32, "seed must be at most 4294967295; received 4294967296"),
        ("ema", -0.1, "ema must be 0 to below 1"),
        ("vote_share", 1.1, r"vote_share must be 0 to 1; received 1\.1"),
        ("distill_weight", -0.1, r"distill_weight must be 0 to 1; received -0\.1"),
        ("label_smoothing", float("nan"), "label_smoothing must be 0 to below 1; received nan"),
        ("weight_decay", -1.0, "weight_decay must be 0 or more"),
        ("warmup", 41.0, "warmup must be at most the 40 epochs; received 41"),
        ("drop", 1.0, "drop must be above 0 and below 1"),
        ("drop_every", 0, "drop_every must be 1 or more"),
        ("optimizer", "sdg", 'Did you mean "sgd"'),
        ("loss", "soft", "unknown loss"),
    ],
)
def test_wrong_settings_are_refused(field, value, message):
    with pytest.raises(SettingsError, match=message):
        TrainSettings(**{field: value})
