"""What a network says of training samples that it did not learn from, fold by fold.

```
folds-3f6a1c20/         of these settings, shards and folds, and of no others
  fold-1.npz            what it said of the first fold; there: that fold is done
  fold-2/shards  run    shards of the other folds, and the training on them; while it goes on
```
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_data.files import write_file
from fer_data.shards.index import INDEX_NAME, ShardIndex
from fer_data.shards.parts import write_train_part
from fer_data.shards.samples import Samples
from fer_models.baselines.groups import Fold, deal_folds
from fer_models.baselines.training import train_baseline
from fer_models.events import OnEvent, RunStarted, TrainEvent, ignore_event
from fer_models.predict import Predictor
from fer_models.run import SETTINGS_NAME
from fer_models.settings import TrainSettings
from fer_models.zoo import is_baseline

#: Told how it goes on, a sentence at a time.
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldTask:
    """What is learned and judged.

    Attributes:
        index: of the shards.
        index_sha256: its fingerprint.
        samples: of the train split.
        settings: of each training.
        num_folds: how many.
        seed: of the deal of the folds.
        work_dir: where what is finished is kept.
    """

    index: ShardIndex
    index_sha256: str
    samples: Samples
    settings: TrainSettings
    num_folds: int
    seed: int
    work_dir: Path

    @property
    def folder(self) -> Path:
        """Where the folds of this task, and of no other, are kept."""
        about = [self.settings.to_json(), self.index_sha256, self.num_folds, self.seed]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        return self.work_dir / f"folds-{digest[:8]}"


def predict_folds(
    task: FoldTask, say: Say, on_event: OnEvent = ignore_event
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Trains once a fold on all others, and predicts that fold.

    Folds are those of `fer_models.baselines.groups.deal_folds`: stratified, and identical pictures
    are in the same one. A fold that is finished in the task's folder is taken up, and a training
    that was begun there is gone on with.

    Args:
        task: what is learned and judged.
        say: told how it goes on.
        on_event: told how a training goes on.

    Returns:
        The rows of the originals among the samples, int64 of shape (n,), in order, and their
        probabilities, float32 of shape (n, num_classes).

    Raises:
        SettingsError: a class has fewer different originals than there are folds.
        KeyboardInterrupt: a training was interrupted; it is saved.
    """
    folds = deal_folds(task.samples, task.num_folds, task.seed)
    num_classes = len(task.index.class_names)
    found = np.zeros((len(task.samples), num_classes), np.float32)
    for number, fold in enumerate(folds, 1):
        path = task.folder / f"fold-{number}.npz"
        probabilities = _read(path, (len(fold.judged), num_classes))
        if probabilities is None:
            say(
                f"Fold {number} of {len(folds)}: learns from {len(fold.train):,} samples, "
                f"judges {len(fold.judged):,}."
            )
            probabilities = _learn(task, fold, path.with_suffix(""), on_event)
            file = io.BytesIO()
            np.savez(file, probabilities=probabilities)
            write_file(path, file.getvalue())
            shutil.rmtree(path.with_suffix(""))
        else:
            say(f"Fold {number} of {len(folds)}: finished before.")
        found[fold.judged] = probabilities
    rows = np.sort(np.concatenate([fold.judged for fold in folds]))
    return rows, found[rows]


def _learn(task: FoldTask, fold: Fold, folder: Path, on_event: OnEvent) -> NDArray[np.float32]:
    shards_dir, run_dir = folder / "shards", folder / "run"
    if not (shards_dir / INDEX_NAME).exists():
        write_train_part(shards_dir, task.index, task.samples.select(fold.train))
    resume = (run_dir / SETTINGS_NAME).exists()
    if is_baseline(task.settings.model):
        train_baseline(shards_dir, run_dir, task.settings, resume=resume)
    else:
        import keras

        from fer_models.train import train

        def tell(event: TrainEvent) -> None:
            if isinstance(event, RunStarted):  # what it chose, and why, was said by the run itself
                event = dataclasses.replace(event, notes=())
            on_event(event)

        keras.utils.clear_session()  # of the network before
        report = train(shards_dir, run_dir, task.settings, tell, resume=resume)
        if report.stopped == "interrupted":
            raise KeyboardInterrupt
    return Predictor.load(run_dir).predict(task.samples.images[fold.judged])


def _read(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """What was said of a fold; None where it is not finished."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            found: NDArray[np.float32] = file["probabilities"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return found if found.shape == shape and found.dtype == np.float32 else None
