"""The run folder: where a training run keeps what it was asked for and what came out.

```
runs/cnn4-001/
  settings.toml     what was asked for, of which shards, by which version; written first
  history.csv       a line an epoch
  tensorboard/      the same for TensorBoard, where asked for
  checkpoints/      last.npz and best.npz
  bundle/           what `predict` needs
  metrics.json      how good it is, a split
  figures/          curves.png and curves.svg: how it learned; more by `evaluate`
  predictions.csv   report.html      written by `evaluate`
```
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_data.errors import SettingsError
from fer_data.lock import LOCK_NAME
from fer_data.shards.index import INDEX_NAME
from fer_models.errors import DamagedRunError, MissingRunError, OtherSettingsError
from fer_models.files import write_text
from fer_models.settings import TrainSettings, changed_settings, settings_from_json
from fer_models.settings_file import read_settings, settings_toml

SETTINGS_NAME = "settings.toml"
HISTORY_NAME = "history.csv"
_MADE = (
    "index_sha256", "class_weights", "precision", "ferkit_version", "backend", "model_sha256",
    "distill_sha256",
)  # fmt: skip
RUNS_DIR = Path("runs")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What a run was asked for: the content of `settings.toml`.

    Attributes:
        settings: of the training.
        shards_dir: the folder of shards, absolute.
        index_sha256: fingerprint of its index.
        class_weights: which ones `"auto"` came to: `"original"`, `"balanced"` or `"none"`.
        precision: the dtype policy that `"auto"` came to.
        ferkit_version: that trained.
        backend: of Keras, that trained; empty for a baseline, and where an older version trained.
        model_sha256: of the file of a network of one's own; empty for others.
        distill_sha256: of the networks of the teachers; empty without any.
    """

    settings: TrainSettings
    shards_dir: Path
    index_sha256: str
    class_weights: str
    precision: str
    ferkit_version: str
    backend: str = ""
    model_sha256: str = ""
    distill_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One epoch of a run; what was not measured is None.

    Attributes:
        epoch: counted from 1.
        loss: mean of the weighted training loss, while it was learning.
        accuracy: of the training samples as they came, augmented.
        validation_loss: log-loss of the validation split, without weights.
        validation_accuracy: share of right predictions there.
        validation_balanced_accuracy: mean recall of the classes there.
        validation_macro_f1: mean F1 of the classes there.
        learning_rate: at the end of the epoch.
        seconds: of the epoch, validation included.
        images_per_second: of the training alone.
    """

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    validation_balanced_accuracy: float | None
    validation_macro_f1: float | None
    learning_rate: float
    seconds: float
    images_per_second: float


def fingerprint_index(shards_dir: Path) -> str:
    """SHA-256 of the index of a folder of shards, hex."""
    return hashlib.sha256((shards_dir / INDEX_NAME).read_bytes()).hexdigest()


def claim_run_dir(run_dir: Path | None, model: str) -> Path:
    """Makes the folder of a new run, and returns it.

    Args:
        run_dir: where it should stand; None for the next of `runs/<model>-001`, `-002`, ….
        model: name of the network.

    Raises:
        SettingsError: something stands there already.
    """
    if run_dir is not None:
        check_free(run_dir)
        run_dir.mkdir(parents=True, exist_ok=True)
        return run_dir
    RUNS_DIR.mkdir(parents=True, exist_ok=True)
    taken = [
        int(match[1])
        for path in RUNS_DIR.iterdir()
        if (match := re.fullmatch(re.escape(model) + r"-(\d{3,})", path.name))
    ]
    number = max(taken, default=0)
    while True:
        number += 1
        free = RUNS_DIR / f"{model}-{number:03d}"
        try:
            free.mkdir()
        except FileExistsError:
            continue
        return free


def check_free(run_dir: Path) -> None:
    """Refuses a folder for a new run that is in use.

    Raises:
        SettingsError: something stands there.
    """
    if (run_dir / SETTINGS_NAME).exists():
        raise SettingsError(f"{run_dir}: holds a run; add --resume, or name another folder")
    if run_dir.exists() and not (
        run_dir.is_dir() and all(path.name == LOCK_NAME for path in run_dir.iterdir())
    ):
        raise SettingsError(f"{run_dir}: is in use; name a folder that is empty or not there")


def newest_run(runs_dir: Path = RUNS_DIR) -> Path:
    """The run that was started last.

    Raises:
        MissingRunError: there is none.
    """
    found = list(runs_dir.glob(f"*/{SETTINGS_NAME}")) if runs_dir.is_dir() else []
    if not found:
        raise MissingRunError(f"{runs_dir}: no run in it; `fermodel train shards` makes one")
    return max(found, key=lambda path: (path.stat().st_mtime_ns, path)).parent


def write_record(run_dir: Path, record: RunRecord) -> None:
    """Writes `settings.toml`."""
    made = {name: getattr(record, name) for name in _MADE if getattr(record, name)}
    text = settings_toml(record.settings, record.shards_dir, made)
    write_text(run_dir / SETTINGS_NAME, text)


def read_record(run_dir: Path) -> RunRecord:
    """What a run was asked for.

    Raises:
        MissingRunError: there is no run at this place.
        DamagedRunError: its settings cannot be read.
    """
    path = run_dir / SETTINGS_NAME
    if not path.exists():
        what = f"no {SETTINGS_NAME} in it" if run_dir.exists() else "no such folder"
        raise MissingRunError(f"{run_dir}: {what}; expected a run as `fermodel train` makes it")
    try:
        asked = read_settings(path)
        with asked.naming_lines():
            settings = settings_from_json(
                {n: None if v is False and n == "augment" else v for n, v in asked.fields.items()}
            )
        if asked.shards_dir is None:
            raise SettingsError(f"{path}: names no shards")
        return RunRecord(settings=settings, shards_dir=asked.shards_dir, **asked.made)
    except (TypeError, SettingsError) as error:
        raise DamagedRunError(f"{path}: cannot be read ({error}); train again") from None


def check_same(run_dir: Path, now: RunRecord) -> None:
    """Refuses to go on with a run under other circumstances than it was started in.

    Args:
        run_dir: folder of the run.
        now: what it would be started with.

    Raises:
        MissingRunError: there is no run at this place.
        DamagedRunError: its settings cannot be read.
        OtherSettingsError: its settings, shards, precision, backend, network file or teachers were
            others.
    """
    before = read_record(run_dir)
    changes = changed_settings(now.settings, before.settings)
    if before.index_sha256 != now.index_sha256:
        changes.append(
            f"other shards than {now.shards_dir} holds now (it used {before.shards_dir})"
        )
    if before.model_sha256 and before.model_sha256 != now.model_sha256:
        changes.append(f"other lines in the file of {now.settings.model}")
    if before.distill_sha256 and before.distill_sha256 != now.distill_sha256:
        changes.append(f"another network in {', '.join(now.settings.distill)}")
    for name in ("precision", "backend"):
        was, comes = getattr(before, name), getattr(now, name)
        if was and was != comes:
            changes.append(f"{name} {was}, which is {comes} here")
    if changes:
        raise OtherSettingsError(
            f"{run_dir}: was started with {'; '.join(changes)}. "
            "Resume it as it was started, or start a new run without --resume"
        )


def write_history(run_dir: Path, history: Sequence[HistoryRow]) -> None:
    """Writes `history.csv`, a line an epoch."""
    text = io.StringIO()
    names = [field.name for field in dataclasses.fields(HistoryRow)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow(
            {
                n: f"{v:.6g}" if isinstance(v, float) else v
                for n, v in dataclasses.asdict(row).items()
            }
        )
    write_text(run_dir / HISTORY_NAME, text.getvalue())


def read_history(run_dir: Path) -> tuple[HistoryRow, ...]:
    """The epochs of a run; none where it has not finished one.

    Raises:
        DamagedRunError: `history.csv` cannot be read.
    """
    path = run_dir / HISTORY_NAME
    if not path.exists():
        return ()
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        return tuple(history_row({n: v or None for n, v in row.items()}) for row in rows)
    except (ValueError, TypeError) as error:
        raise DamagedRunError(f"{path}: cannot be read ({error})") from None


def history_row(fields: dict[str, str | None]) -> HistoryRow:
    """One epoch from its fields as text."""
    numbers = {n: None if v is None else float(v) for n, v in fields.items() if n != "epoch"}
    return HistoryRow(epoch=int(fields["epoch"] or ""), **numbers)  # type: ignore[arg-type]
