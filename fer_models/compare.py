"""Comparing: several networks on the same splits, each with several seeds.

```
comparison/
  runs/cnn4-seed0/          a run as `fermodel train` makes it, one a network and seed
  judged/cnn4-seed0-validation.npz   what it said of the judged split; there: that run is done
  comparison.json   .csv   .md   .png   .html
```
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_data.files import write_file
from fer_data.shards.index import ShardIndex, read_index
from fer_data.shards.reader import Samples, read_split
from fer_models.baselines.training import FIT_NAME
from fer_models.compare_settings import SPLITS, CompareSettings
from fer_models.comparison import Comparison, Entry, Judged, encode_judged, make_comparison
from fer_models.errors import OtherSettingsError
from fer_models.events import OnEvent, ignore_event
from fer_models.predict import Predictor
from fer_models.run import SETTINGS_NAME, fingerprint_index, read_history, read_record
from fer_models.settings import TrainSettings
from fer_models.zoo import (
    check_image_size,
    check_weights_file,
    fingerprint_own,
    is_baseline,
    is_own,
    model_title,
)

#: Told how it goes on, a sentence at a time.
Say = Callable[[str], None]


def compare_models(
    shards_dir: Path,
    out_dir: Path,
    settings: CompareSettings,
    say: Say,
    on_event: OnEvent = ignore_event,
) -> Comparison:
    """Trains every network with every seed on the same shards, and judges all on one split.

    What is finished in `out_dir` is taken up, and a run that was begun there is gone on with: a
    killed comparison goes on where it was.

    Args:
        shards_dir: folder of shards.
        out_dir: where runs and results are kept.
        settings: what is compared.
        say: told how it goes on.
        on_event: told how the training of a network goes on.

    Raises:
        UnknownNameError: there is no such network or split.
        SettingsError: the images are too small for one of the networks.
        MissingWeightsError: there is no such file of weights.
        MissingShardsError: there are no shards at this place.
        OtherSettingsError: a run in `out_dir` had other settings or shards.
        KeyboardInterrupt: a training was interrupted; it is saved.
    """
    index = read_index(shards_dir)
    for model in settings.models:
        check_image_size(model, index.image_shape)
        check_weights_file(settings.train_settings(model, 0))
    samples = read_split(shards_dir, index, settings.split)
    index_sha256 = fingerprint_index(shards_dir)
    entries = []
    for model in settings.models:
        judged = []
        for seed in range(settings.num_seeds):
            work = _Work(out_dir, settings.train_settings(model, seed), index_sha256)
            done = work.read(settings.split)
            if done is not None:
                say(f"Taken up: {model}, seed {seed}, finished before.")
            else:
                if all(work.read(split) is None for split in SPLITS):
                    say(f"Training {model}, seed {seed}.")
                    _train(shards_dir, work.run_dir, work.settings, on_event)
                done = judge_run(work.run_dir, samples)
                work.write(settings.split, done)
                accuracy = (done.probabilities.argmax(axis=1) == samples.labels).mean()
                say(f"{model}, seed {seed}: accuracy {accuracy:.4f}, {done.seconds:.0f} s.")
            judged.append(done)
        entries.append(Entry(name=model, runs=tuple(judged)))
    has_networks = not all(is_baseline(model) for model in settings.models)
    notes = _notes(index, settings.split, has_networks=has_networks)
    return make_comparison(entries, samples, index, settings.split, notes)


def compare_runs(run_dirs: Sequence[Path], split: str, say: Say) -> Comparison:
    """Compares runs that are finished; those with the same settings but the seed are one entry.

    Args:
        run_dirs: folders of runs.
        split: that is judged.
        say: told how it goes on.

    Raises:
        SettingsError: a run is named twice.
        MissingRunError: there is no run at one of the places.
        OtherSettingsError: a run was trained on other shards than the first.
    """
    places = [run_dir.resolve() for run_dir in run_dirs]
    for number, (run_dir, place) in enumerate(zip(run_dirs, places, strict=True)):
        if place in places[:number]:
            raise SettingsError(f"{run_dir}: named twice; expected different runs")
    records = [read_record(run_dir) for run_dir in run_dirs]
    shards_dir = records[0].shards_dir
    index = read_index(shards_dir)
    index_sha256 = fingerprint_index(shards_dir)
    for run_dir, record in zip(run_dirs, records, strict=True):
        if record.index_sha256 != index_sha256:
            raise OtherSettingsError(
                f"{run_dir}: was trained on other shards ({record.shards_dir}) than {shards_dir} "
                "holds; only runs on the same splits can be compared"
            )
    samples = read_split(shards_dir, index, split)
    groups: dict[str, list[Path]] = {}
    for run_dir, record in zip(run_dirs, records, strict=True):
        same = record.settings.to_json() | {"seed": None}
        groups.setdefault(json.dumps(same, sort_keys=True), []).append(run_dir)
    models = [read_record(group[0]).settings.model for group in groups.values()]
    entries = []
    for model, group in zip(models, groups.values(), strict=True):
        say(f"Judging {', '.join(run_dir.name for run_dir in group)}.")
        name = model if models.count(model) == 1 else group[0].name
        runs = tuple(judge_run(run_dir, samples) for run_dir in group)
        entries.append(Entry(name=name, runs=runs))
    has_networks = not all(is_baseline(model) for model in models)
    notes = _notes(index, split, has_networks=has_networks)
    notes += [
        f"{run_dir} learned from the {split} split: there its figures say nothing of new faces."
        for run_dir, record in zip(run_dirs, records, strict=True)
        if record.settings.with_validation and split == "validation"
    ]
    return make_comparison(entries, samples, index, split, notes)


def judge_run(run_dir: Path, samples: Samples) -> Judged:
    """What a finished run says of some samples."""
    record, predictor = read_record(run_dir), Predictor.load(run_dir)
    history = read_history(run_dir)
    seconds = sum(row.seconds for row in history)
    if not history and (run_dir / FIT_NAME).exists():
        seconds = float(json.loads((run_dir / FIT_NAME).read_text("utf-8"))["seconds"])
    return Judged(
        seed=record.settings.seed,
        probabilities=predictor.predict(samples.images),
        seconds=seconds,
        num_parameters=predictor.num_parameters,
    )


def _train(shards_dir: Path, run_dir: Path, settings: TrainSettings, on_event: OnEvent) -> None:
    resume = (run_dir / SETTINGS_NAME).exists()
    try:
        if is_baseline(settings.model):
            from fer_models.baselines.training import train_baseline

            train_baseline(shards_dir, run_dir, settings, resume=resume)
            return
        import keras

        from fer_models.train import train

        keras.utils.clear_session()  # of the network before
        report = train(shards_dir, run_dir, settings, on_event, resume=resume)
    except OtherSettingsError as error:
        reason = str(error).partition(". ")[0]
        raise OtherSettingsError(f"{reason}. Compare into another folder with --out") from None
    if report.stopped == "interrupted":
        raise KeyboardInterrupt


@dataclass(frozen=True, slots=True)
class _Work:
    """One run of a comparison, and what is kept of it."""

    out_dir: Path
    settings: TrainSettings
    index_sha256: str

    @property
    def run_dir(self) -> Path:
        return self.out_dir / "runs" / self._name

    @property
    def _name(self) -> str:
        model = self.settings.model
        title = model_title(model)
        if is_own(model):
            title += f"-{hashlib.sha256(model.encode()).hexdigest()[:8]}"
        return f"{title}-seed{self.settings.seed}"

    def read(self, split: str) -> Judged | None:
        """What the run said of a split; None where it was not asked, or was another run."""
        about = self._about(split)
        try:
            data = self._path(split).read_bytes()
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                said = json.loads(str(file["about"]))
                probabilities: NDArray[np.float32] = file["probabilities"]
            if {name: said[name] for name in about} != about:
                return None
            return Judged(
                seed=self.settings.seed,
                probabilities=probabilities,
                seconds=float(said["seconds"]),
                num_parameters=int(said["num_parameters"]),
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
            return None

    def write(self, split: str, judged: Judged) -> None:
        write_file(self._path(split), encode_judged(judged, self._about(split)))

    def _path(self, split: str) -> Path:
        return self.out_dir / "judged" / f"{self._name}-{split}.npz"

    def _about(self, split: str) -> dict[str, Any]:
        # through JSON, so that it is what is read again
        about = {"settings": self.settings.to_json(), "index": self.index_sha256, "split": split}
        if is_own(self.settings.model):
            about["model"] = fingerprint_own(self.settings.model)
        return dict(json.loads(json.dumps(about)))


def _notes(index: ShardIndex, split: str, *, has_networks: bool) -> list[str]:
    """What a reader should know of the split, a sentence each."""
    notes = []
    if split == "test":
        notes.append(
            "Judged on the test split. Do this once, when all is chosen: whoever chooses by it "
            "has no unseen faces left."
        )
    elif split == "validation":
        chose = (
            " It chose the best epoch of each network, which flatters networks a little beside "
            "baselines;"
        )
        notes.append(
            f"Judged on the validation split{'.' if has_networks else ';'}{chose * has_networks} "
            "`--split test` judges on unseen faces."
        )
    else:
        notes.append(f"Judged on the {split} split, which they learned from, not on unseen faces.")
    if index.leakage.get("groups"):
        count = index.leakage.get("samples", {}).get(split, 0)
        notes.append(
            f"Leakage: {count:,} samples of the {split} split have identical twins in another one; "
            "`ferdata filter --leaks drop-train` removes these."
        )
    if index.human_accuracy is not None:
        notes.append(f"People's accuracy, as published: {index.human_accuracy}.")
    return notes
