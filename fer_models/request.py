"""What a user asked for, completed and checked: before anything heavy is loaded.

What was not said comes from the run that is gone on with, or from the network's defaults.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_data.errors import SettingsError
from fer_data.shards.index import read_index
from fer_models.augmentation import NO_CHANGES, AugmentSettings
from fer_models.baselines.options import check_options, option
from fer_models.presence import check_sizes
from fer_models.run import check_free, newest_run, read_record
from fer_models.settings import TrainSettings, in_epochs
from fer_models.settings_file import read_settings
from fer_models.zoo import (
    check_model,
    check_weights_file,
    is_own,
    network_defaults,
    resolve_own,
)

SHARDS_DIR = Path("shards")
DEFAULT_MODEL = "cnn4"
ADAMW_WEIGHT_DECAY = 0.004  # Keras' own; without one it would be Adam
_READERS = (
    ("momentum", "optimizer", ("sgd",)),
    ("nesterov", "optimizer", ("sgd",)),
    ("drop", "schedule", ("step", "plateau")),
    ("drop_every", "schedule", ("step", "plateau")),
    ("gamma", "loss", ("focal",)),
)
_AUGMENT_NAMES = tuple(field.name for field in dataclasses.fields(AugmentSettings))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """All that `fer_models.train.train` needs.

    Attributes:
        shards_dir: folder of shards.
        run_dir: folder of the run; None for a new one.
        settings: of the training.
        resume: whether to go on with the run in `run_dir`.
    """

    shards_dir: Path
    run_dir: Path | None
    settings: TrainSettings
    resume: bool


def complete_request(
    shards_dir: Path | None,
    run_dir: Path | None,
    asked: Mapping[str, Any],
    *,
    resume: bool,
    config: Path | None = None,
) -> TrainRequest:
    """The request of a user who said only what matters to them.

    What was asked for goes before what the file says, and that before the network's defaults.

    Args:
        shards_dir: None for those of the file or the run, or `./shards`.
        run_dir: None for the newest run where one is resumed.
        asked: fields of `TrainSettings` and of `AugmentSettings` by name; None where nothing was
            said. `augment` is True for the network's own augmentation, False for none but what is
            asked for by name.
        resume: whether a run is to be gone on with.
        config: a settings file, as `fer_models.settings_file` reads it.

    Raises:
        UnknownNameError: there is no such network or preset.
        SettingsError: a value is out of range, or means nothing to the model; a file of the user's
            own cannot be used; the settings file cannot be read, or its keys or types are wrong;
            `run_dir` is in use and not resumed.
        MissingWeightsError: there is no such file of weights.
        MissingRunError: there is no run to go on with.
        MissingShardsError: there are no shards.
        DamagedShardError: the index cannot be read, or a shard is missing or cut short.
    """
    said = {name: value for name, value in asked.items() if value is not None}
    if resume:
        if config is not None:
            raise SettingsError(
                f"{config}: a run is resumed with its own settings; leave out --config or --resume"
            )
        run_dir = run_dir if run_dir is not None else newest_run()
        record = read_record(run_dir)
        settings, usual_dir = _changed(record.settings, said), record.shards_dir
    elif config is None:
        settings, usual_dir = _changed(_shortened(_defaults(said), said), said), SHARDS_DIR
    else:
        file = read_settings(config)
        with file.naming_lines():
            _check_same_network(file.fields, said)
            usual = _defaults(file.fields | said)
            written = _changed(usual, file.fields)
            check_options(
                usual.model, [n for n in file.fields if getattr(written, n) != getattr(usual, n)]
            )
        settings = _changed(_shortened(written, said), said)
        usual_dir = file.shards_dir if file.shards_dir is not None else SHARDS_DIR
    check_options(settings.model, said)
    _check_read(settings, said)
    check_model(settings)
    if not resume:
        check_weights_file(settings)
        if run_dir is not None:
            check_free(run_dir)
    shards_dir = shards_dir if shards_dir is not None else usual_dir
    check_sizes(shards_dir, read_index(shards_dir).shards)
    return TrainRequest(shards_dir=shards_dir, run_dir=run_dir, settings=settings, resume=resume)


def _check_same_network(written: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    """Refuses to train a network with the settings that a file has for another one."""
    theirs, ours = (dict(names) | _absolute_files(names) for names in (written, said))
    for name in ("model", "preset"):
        if theirs.get(name) and name in ours and ours[name] != theirs[name]:
            raise SettingsError(
                f"the settings are those of {name} {theirs[name]}; received --{name} "
                f"{said[name]}. Leave out --{name} or --config"
            )


def _check_read(settings: TrainSettings, said: Mapping[str, Any]) -> None:
    """Refuses what would be without effect, because another setting does not read it."""
    for name, of, readers in _READERS:
        if name in said and getattr(settings, of) not in readers:
            raise SettingsError(
                f"{option(name)} is read by {of} {' and '.join(readers)} only; received "
                f"{of} {getattr(settings, of)}"
            )
    if settings.with_validation and said.get("patience"):
        raise SettingsError(
            "--patience waits for a better epoch on the validation split, which --with-validation "
            "learns from; leave one of them out"
        )
    if "distill_weight" in said and not settings.distill:
        raise SettingsError("--distill-weight is that of --distill RUN; received none")


def _absolute_files(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for by a relative path, so that a run is resumed from any folder."""
    files: dict[str, Any] = {}
    if "model" in asked and is_own(asked["model"]):
        files["model"] = resolve_own(asked["model"])
    if asked.get("weights", "") not in {"", "none"}:
        files["weights"] = str(Path(asked["weights"]).resolve())
    if "distill" in asked:
        files["distill"] = tuple(str(Path(teacher).resolve()) for teacher in asked["distill"])
    return files


def _defaults(said: Mapping[str, Any]) -> TrainSettings:
    """The settings of the network that is asked for."""
    return network_defaults(said.get("model", DEFAULT_MODEL), said.get("preset", ""))


def _shortened(settings: TrainSettings, said: Mapping[str, Any]) -> TrainSettings:
    """The settings for fewer epochs, where those are asked for: what counts in epochs shrinks."""
    is_shorter = 0 < said.get("epochs", 0) < settings.epochs
    return in_epochs(settings, said["epochs"]) if is_shorter else settings


def _changed(settings: TrainSettings, said: Mapping[str, Any]) -> TrainSettings:
    """The settings with what was said instead."""
    changes = {name: value for name, value in said.items() if name not in _AUGMENT_NAMES}
    augment = {name: value for name, value in said.items() if name in _AUGMENT_NAMES}
    changes |= _absolute_files(changes)
    whole = changes.pop("augment", None)
    if isinstance(whole, dict):
        augment, whole = {**whole, **augment}, None
    is_new = changes.get("optimizer", settings.optimizer) != settings.optimizer
    if is_new and changes["optimizer"] == "adamw" and not settings.weight_decay:
        changes.setdefault("weight_decay", ADAMW_WEIGHT_DECAY)
    if whole is not None or augment:
        usual = settings.augment
        if whole is False or (whole is None and usual is None):
            usual = NO_CHANGES
        elif usual is None:
            usual = AugmentSettings()
        changed = dataclasses.replace(usual, **augment)
        changes["augment"] = None if changed == NO_CHANGES else changed
    return dataclasses.replace(settings, **changes)
