"""Training of a baseline: shards in, a run folder out, as of a network."""

from __future__ import annotations

import dataclasses
import shutil
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import FerDataError, SettingsError
from fer_data.shards.index import ShardIndex
from fer_data.shards.reader import Samples, read_split
from fer_data.version import ferkit_version
from fer_models.baselines.fit import (
    Say,
    draw_samples,
    extract,
    fit_baseline,
    make_extractor,
    say_nothing,
)
from fer_models.baselines.folds import CrossValidation, cross_validate, write_folds
from fer_models.baselines.plan import BaselinePlan, plan_baseline
from fer_models.bundle import write_baseline_bundle
from fer_models.errors import FerModelError, MissingLibraryError
from fer_models.files import write_json
from fer_models.metrics import Metrics, measure
from fer_models.run import (
    RunRecord,
    check_same,
    claim_run_dir,
    fingerprint_index,
    write_record,
)
from fer_models.settings import TrainSettings

FIT_NAME = "fit.json"
_PRECISION = "float32"  # of the features


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineReport:
    """How a fit ended.

    Attributes:
        run_dir: the folder of the run.
        num_samples: training samples that were fitted on.
        num_parameters: numbers that were learned.
        seconds: of the fit, reading and cross-validation not included.
        validation: how good it is on the validation split; None without one.
        folds: the cross-validation; None where none was asked for.
    """

    run_dir: Path
    num_samples: int
    num_parameters: int
    seconds: float
    validation: Metrics | None
    folds: CrossValidation | None

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return fields | {
            "run_dir": str(self.run_dir),
            "validation": None if self.validation is None else self.validation.to_json(),
            "folds": None if self.folds is None else self.folds.to_json(),
        }


def train_baseline(
    shards_dir: Path,
    run_dir: Path | None,
    settings: TrainSettings,
    say: Say = say_nothing,
    *,
    resume: bool = False,
) -> BaselineReport:
    """Fits a baseline on the train split of shards, and writes a run folder.

    The fit is in one go: there are no epochs to go on from, and `resume` does it again in the same
    folder. The bundle is written last but for the metrics.

    Args:
        shards_dir: folder of shards.
        run_dir: folder of the run; None takes the next of `runs/<model>-001`.
        settings: of the training; with `resume` those of the run.
        say: told how it goes on, a sentence at a time.
        resume: do the fit of the run in `run_dir` again.

    Raises:
        UnknownNameError: there is no such network.
        MissingShardsError: there are no shards at this place.
        DamagedShardError: a shard is not what the index says.
        SettingsError: the samples are too few, of one class, or too few for the folds; `run_dir`
            is in use and not resumed, or there is none to resume.
        MissingLibraryError: scikit-learn is not installed.
        MissingWeightsError: the weights of the network before it are not there.
        OtherSettingsError: the run to resume had other settings or shards.
        DivergedError: the weights are no longer numbers.
    """
    if find_spec("sklearn") is None:
        raise MissingLibraryError(
            "baselines need scikit-learn, which is not installed: pip install scikit-learn"
        )
    if resume and run_dir is None:
        raise SettingsError("resume does the run in run_dir again; received none")
    plan = plan_baseline(shards_dir, settings)
    index = plan.index
    record = RunRecord(
        settings=settings,
        shards_dir=shards_dir.resolve(),
        index_sha256=fingerprint_index(shards_dir),
        class_weights=plan.class_weights,
        precision=_PRECISION,
        ferkit_version=ferkit_version(),
    )
    if resume and run_dir is not None:
        check_same(run_dir, record)
    extractor = make_extractor(settings, index.image_shape)
    if not resume or run_dir is None:
        run_dir = claim_run_dir(run_dir, settings.model)
        write_record(run_dir, record)
    try:
        return _fit(shards_dir, run_dir, plan, record.index_sha256, extractor, say)
    except (FerDataError, FerModelError):
        if not resume:
            shutil.rmtree(run_dir)  # the newest run is what `evaluate` judges
        raise


def _fit(
    shards_dir: Path,
    run_dir: Path,
    plan: BaselinePlan,
    index_sha256: str,
    extractor: Any,
    say: Say,
) -> BaselineReport:
    """Fits, judges and fills the folder of a run that is begun."""
    settings, index = plan.settings, plan.index
    for note in plan.notes:
        say(note)
    samples = read_split(shards_dir, index, "train")
    samples = samples.select(draw_samples(samples.labels, settings.limit, settings.seed))
    say(f"{len(samples):,} training samples. Run: {run_dir}")
    start = time.perf_counter()
    values = extract(extractor, samples.images)
    folds = None
    if settings.folds:
        folds = cross_validate(plan.task, samples, values, index.class_names, say)
        write_folds(run_dir, folds)
        start = time.perf_counter()
    fitted = fit_baseline(plan.task, samples, values, extractor, say)
    seconds = time.perf_counter() - start
    write_baseline_bundle(run_dir, fitted, index, model=settings.model, index_sha256=index_sha256)
    validation = _judge(shards_dir, index, fitted)
    report = BaselineReport(
        run_dir=run_dir,
        num_samples=len(samples),
        num_parameters=fitted.count_params(),
        seconds=seconds,
        validation=validation,
        folds=folds,
    )
    numbers = {n: getattr(report, n) for n in ("num_samples", "num_parameters", "seconds")}
    write_json(run_dir / FIT_NAME, numbers)
    if validation is not None:
        write_json(run_dir / "metrics.json", {"validation": validation.to_json()})
    return report


def _judge(shards_dir: Path, index: ShardIndex, fitted: Any) -> Metrics | None:
    if not index.num_samples("validation"):
        return None
    samples: Samples = read_split(shards_dir, index, "validation")
    probabilities: NDArray[np.float32] = fitted.predict(samples.images)
    return measure(samples.labels, probabilities, index.class_names)
