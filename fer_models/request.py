"""What a user asked for, completed and checked: before anything heavy is loaded.

What was not said comes from the run that is gone on with, or from the network's defaults.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_data.shards.index import read_index
from fer_models.augmentation import AugmentSettings
from fer_models.baselines.options import check_options
from fer_models.presence import check_sizes
from fer_models.run import newest_run, read_record
from fer_models.settings import TrainSettings
from fer_models.zoo import (
    check_model,
    check_weights_file,
    is_own,
    network_defaults,
    resolve_own,
)

SHARDS_DIR = Path("shards")
DEFAULT_MODEL = "cnn4"


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
    shards_dir: Path | None, run_dir: Path | None, asked: Mapping[str, Any], *, resume: bool
) -> TrainRequest:
    """The request of a user who said only what matters to them.

    Args:
        shards_dir: None for the run's own, or `./shards` for a new run.
        run_dir: None for the newest run where one is resumed.
        asked: fields of `TrainSettings` by name; None where nothing was said. `augment` is True
            for the network's own augmentation, False for none.
        resume: whether a run is to be gone on with.

    Raises:
        UnknownNameError: there is no such network or preset.
        SettingsError: a value is out of range, or a file of the user's own cannot be used.
        MissingWeightsError: there is no such file of weights.
        MissingRunError: there is no run to go on with.
        MissingShardsError: there are no shards.
        DamagedShardError: the index cannot be read, or a shard is missing or cut short.
    """
    if resume:
        run_dir = run_dir if run_dir is not None else newest_run()
        record = read_record(run_dir)
        base, usual_dir = record.settings, record.shards_dir
    else:
        model, preset = asked.get("model") or DEFAULT_MODEL, asked.get("preset") or ""
        base, usual_dir = network_defaults(model, preset), SHARDS_DIR
    changes = {name: value for name, value in asked.items() if value is not None}
    check_options(changes.get("model") or base.model, changes)
    changes |= _absolute_files(changes)
    if "augment" in changes:
        usual = base.augment if base.augment is not None else AugmentSettings()
        changes["augment"] = usual if changes["augment"] else None
    settings = dataclasses.replace(base, **changes)
    check_model(settings)
    if not resume:
        check_weights_file(settings)
    shards_dir = shards_dir if shards_dir is not None else usual_dir
    check_sizes(shards_dir, read_index(shards_dir).shards)
    return TrainRequest(shards_dir=shards_dir, run_dir=run_dir, settings=settings, resume=resume)


def _absolute_files(asked: Mapping[str, Any]) -> dict[str, str]:
    """What was asked for by a relative path, so that a run is resumed from any folder."""
    files: dict[str, str] = {}
    if "model" in asked and is_own(asked["model"]):
        files["model"] = resolve_own(asked["model"])
    if asked.get("weights", "none") != "none":
        files["weights"] = str(Path(asked["weights"]).resolve())
    return files
