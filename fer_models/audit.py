"""The audit: which labels of a split are likely wrong, and decisions for `ferdata filter`.

```
runs/cnn4-001/audit/
  train/decisions.csv     the most suspect, as `ferdata filter --decisions` takes them
  train/suspects.csv      every sample that counts for another class than its label
  train/audit.html        their pictures; decisions are changed and saved there
  train/suspects.png      likewise, the first hundred
  train/audit.json        the figures
  folds-3f6a1c20/         what was learned for it; see `fer_models.fold_predictions`
```
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_data.files import write_file
from fer_data.lock import holding
from fer_data.shards.index import ShardIndex, read_index
from fer_data.shards.reader import Samples, read_split
from fer_models.bundle import Bundle
from fer_models.errors import OtherSettingsError
from fer_models.events import OnEvent, ignore_event
from fer_models.files import write_json
from fer_models.fold_predictions import FoldTask, Say, predict_folds
from fer_models.label_errors import ClassRow, LabelErrors, class_rows, find_label_errors
from fer_models.predict import Predictor
from fer_models.report.audit import AuditContent, draw_suspects, render_audit
from fer_models.run import fingerprint_index, read_record
from fer_models.settings import TrainSettings, in_epochs
from fer_models.suspects import decisions_csv, list_suspects, suspects_csv

AUDIT_DIR = "audit"
ACTIONS = ("drop", "relabel")
_USUAL_SHARE = 0.01  # of the samples: decisions that are written where nobody says how many


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """What an audit is asked for.

    Attributes:
        split: whose labels are looked at.
        num_folds: trainings, each on all folds but one; of the train split only.
        epochs: of each; 0 for as many as the run's best epoch.
        seed: of the deal of the folds.
        top: most decisions; 0 for one of a hundred samples.
        action: what is decided: `"drop"`, or `"relabel"` to the likely class.
    """

    split: str = "train"
    num_folds: int = 5
    epochs: int = 0
    seed: int = 0
    top: int = 0
    action: str = "drop"

    def __post_init__(self) -> None:
        """Checks the ranges."""
        if self.num_folds < 2:
            raise SettingsError(f"folds must be 2 or more; received {self.num_folds}")
        if min(self.epochs, self.seed, self.top) < 0:
            raise SettingsError("epochs, seed and top must be 0 or more")
        if self.action not in ACTIONS:
            raise SettingsError(f'action must be drop or relabel; received "{self.action}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit found.

    Attributes:
        run_dir: folder of the run.
        split: that was looked at.
        num_samples: whose labels were looked at: originals, no copies.
        accuracy: share of the labels that the predictions agree with.
        errors: what is to be thought of the labels.
        rows: one a class.
        num_suspects: samples that count for another class than their label.
        num_decisions: of them, that are in `decisions.csv`.
        decisions_path: of that file.
        report_path: of the page.
        written: all files that were written.
    """

    run_dir: Path
    split: str
    num_samples: int
    accuracy: float
    errors: LabelErrors
    rows: tuple[ClassRow, ...]
    num_suspects: int
    num_decisions: int
    decisions_path: Path
    report_path: Path
    written: tuple[Path, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "run_dir": str(self.run_dir),
            "split": self.split,
            "samples": self.num_samples,
            "accuracy": self.accuracy,
            "estimated_errors": self.errors.num_estimated,
            "suspects": self.num_suspects,
            "decisions": self.num_decisions,
            "classes": [dataclasses.asdict(row) for row in self.rows],
            "joint": self.errors.joint.tolist(),
            "decisions_path": str(self.decisions_path),
            "report_path": str(self.report_path),
            "written": [str(path) for path in self.written],
        }


def audit(
    run_dir: Path,
    shards_dir: Path | None = None,
    settings: AuditSettings | None = None,
    say: Say = lambda _: None,
    on_event: OnEvent = ignore_event,
) -> AuditReport:
    """Finds the labels of a split that are likely wrong; see `fer_models.label_errors`.

    The train split is judged by cross-validation: the run's network and settings are trained once a
    fold, and no sample is judged by what learned from it or its copies. Other splits are judged by
    the run itself. A killed audit goes on where it was.

    Args:
        run_dir: folder of the run.
        shards_dir: folder of shards; None for those the run was trained on.
        settings: what is asked for.
        say: told how it goes on.
        on_event: told how a training goes on.

    Raises:
        MissingRunError: there is no run at this place.
        MissingBundleError: the run has not finished an epoch.
        MissingShardsError: there are no shards.
        UnknownNameError: the shards have no such split.
        SettingsError: the run was only built, or a class has fewer different originals than folds.
        OtherSettingsError: the shards are not of the kind the network was trained for, or the split
            is another than train and they are not those it was trained on, or it learned from it.
        InUseError: another audit of the run goes on.
        KeyboardInterrupt: a training was interrupted; it is saved.
    """
    settings = settings if settings is not None else AuditSettings()
    record = read_record(run_dir)
    shards_dir = shards_dir if shards_dir is not None else record.shards_dir
    index = read_index(shards_dir)
    predictor = Predictor.load(run_dir)
    predictor.bundle.check_shards(shards_dir, index)
    samples = read_split(shards_dir, index, settings.split)
    index_sha256 = fingerprint_index(shards_dir)
    if settings.split == "train":
        task = FoldTask(
            index=index,
            index_sha256=index_sha256,
            samples=samples,
            settings=_fold_settings(record.settings, predictor.bundle, settings.epochs),
            num_folds=settings.num_folds,
            seed=settings.seed,
            work_dir=run_dir / AUDIT_DIR,
        )
        with holding(task.work_dir, "fermodel audit", make=True):
            rows, probabilities = predict_folds(task, say, on_event)
        samples = samples.select(rows)
    else:
        if settings.split in predictor.bundle.splits:
            raise OtherSettingsError(
                f"{run_dir}: learned from the {settings.split} split itself; expected a run "
                "without --with-validation, or audit train"
            )
        if index_sha256 != record.index_sha256:
            raise OtherSettingsError(
                f"{shards_dir}: not the shards the run was trained on; samples of {settings.split} "
                "may have been learned from there. Leave the shards out, or audit train"
            )
        probabilities = predictor.predict(samples.images)
    return _report(run_dir, index, settings, samples, probabilities)


def _fold_settings(settings: TrainSettings, bundle: Bundle, epochs: int) -> TrainSettings:
    """As the run, for as long as was best for it: nothing is chosen by the fold that is judged."""
    changes: dict[str, Any] = {"folds": 0, "tensorboard": False}
    # teachers have seen every fold; shards of folds have no other split
    changes |= {"distill": (), "with_validation": False}
    if bundle.kind == "keras":
        epochs = epochs or bundle.epoch
        if not epochs:
            raise SettingsError("the run was only built; train it, or say how long with --epochs")
        settings = in_epochs(settings, epochs)
        changes["patience"] = 0
    return dataclasses.replace(settings, **changes)


def _report(
    run_dir: Path,
    index: ShardIndex,
    settings: AuditSettings,
    samples: Samples,
    probabilities: NDArray[np.float32],
) -> AuditReport:
    errors = find_label_errors(samples.labels, probabilities)
    suspects = list_suspects(samples, probabilities, errors, index.class_names)
    decided = suspects[: settings.top or max(1, round(_USUAL_SHARE * len(samples)))]
    rows = class_rows(samples.labels, errors, index.class_names)
    folder = run_dir / AUDIT_DIR / settings.split
    content = AuditContent(
        title=f"{index.name}, {settings.split} split",
        num_samples=len(samples),
        accuracy=float((probabilities.argmax(axis=1) == samples.labels).mean()),
        num_estimated=errors.num_estimated,
        rows=rows,
        suspects=suspects,
        num_decided=len(decided),
        action=settings.action,
    )
    files = {
        "decisions.csv": decisions_csv(decided, settings.action),
        "suspects.csv": suspects_csv(suspects),
        "suspects.png": draw_suspects(suspects),
        "audit.html": render_audit(content).encode(),
    }
    for name, data in files.items():
        write_file(folder / name, data)
    report = AuditReport(
        run_dir=run_dir,
        split=settings.split,
        num_samples=len(samples),
        accuracy=content.accuracy,
        errors=errors,
        rows=rows,
        num_suspects=len(suspects),
        num_decisions=len(decided),
        decisions_path=folder / "decisions.csv",
        report_path=folder / "audit.html",
        written=tuple(folder / name for name in (*files, "audit.json")),
    )
    write_json(folder / "audit.json", report.to_json())
    return report
