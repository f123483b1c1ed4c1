"""Training: shards in, a run folder out."""

from __future__ import annotations

from pathlib import Path

from fer_data.errors import SettingsError
from fer_data.lock import holding
from fer_data.version import ferkit_version
from fer_models.baselines.training import train_baseline
from fer_models.checkpoint import has_checkpoint
from fer_models.devices import keep_tensorflow_on_cpu, sharing
from fer_models.events import OnEvent, ignore_event
from fer_models.image_growth import GrowingSide, with_growth
from fer_models.plan import TrainPlan, plan_training
from fer_models.run import (
    RunRecord,
    check_same,
    claim_run_dir,
    fingerprint_index,
    write_record,
)
from fer_models.run_report import TrainReport
from fer_models.session import TrainingRun, build_planned
from fer_models.settings import TrainSettings
from fer_models.stream import ShardStream, StreamSettings
from fer_models.targets import make_targets
from fer_models.teachers import ask_teachers, fingerprint_teachers
from fer_models.zoo import fingerprint_own, is_baseline, is_own, model_title

_JUDGE_BATCH_SIZE = 256


def train(
    shards_dir: Path,
    run_dir: Path | None,
    settings: TrainSettings,
    on_event: OnEvent = ignore_event,
    *,
    resume: bool = False,
) -> TrainReport:
    """Trains a network on shards and writes a run folder; see `fer_models.run`.

    The best epoch is the one with the highest macro-F1 on the validation split: it is what
    `evaluate` judges by, and unlike the loss it does not suffer from the class weights, and
    unlike the accuracy it does not overlook rare classes. Without a validation split it is the
    one with the lowest training loss. Where `with_validation` learns from it, it is the last one:
    a rate that falls to 0 makes it good, and the training loss knows nothing of new faces.

    Each finished epoch is saved, and a long one every `save_minutes`. Ctrl-C or SIGTERM saves after
    the batch and ends the run with a bundle of the best epoch; `resume` goes on from the last save,
    and comes to the same weights as a run never interrupted where the device computes the same sum
    twice the same way, as CPUs do.

    Sets Keras' global seed, from which the first weights are drawn.

    Args:
        shards_dir: folder of shards.
        run_dir: folder of the run; None takes the next of `runs/<model>-001`.
        settings: of the training; with `resume` those of the run.
        on_event: told how it goes on.
        resume: go on with the run in `run_dir`.

    Raises:
        UnknownNameError: there is no such network or preset.
        MissingWeightsError: its first weights are not there, or cannot be downloaded.
        MissingShardsError: there are no shards at this place.
        DamagedShardError: a shard is not what the index says.
        MissingRunError: there is nothing to resume.
        MissingBundleError: a teacher is not there.
        DamagedBundleError: a teacher cannot be read.
        SettingsError: `run_dir` is in use and not resumed, or there is none to resume.
        OtherSettingsError: the run to resume had other settings, shards, precision or
            backend, or its network's file or a teacher was another; or a teacher has other
            classes, or takes images of another shape.
        InUseError: another training goes on with the run.
        DivergedError: the loss or a weight is no longer a number; the bundle keeps the best epoch.
    """
    if resume and run_dir is None:
        raise SettingsError("resume goes on with the run in run_dir; received none")
    if is_baseline(settings.model):
        return _fit_baseline(shards_dir, run_dir, settings, resume=resume)
    keep_tensorflow_on_cpu()
    plan = plan_training(shards_dir, settings)
    if resume and run_dir is not None:
        check_same(run_dir, _record(shards_dir, plan))
    # only the last batch is filled up: rows in the middle would move against the labels
    judge_size = -(-_JUDGE_BATCH_SIZE // plan.num_devices) * plan.num_devices
    sizes = {"train": settings.batch_size}
    if plan.num_validation:
        sizes["validation"] = judge_size
    streams = {
        split: ShardStream(
            shards_dir,
            plan.index,
            settings.train_splits if split == "train" else split,
            StreamSettings(batch_size=size, seed=settings.seed),
        )
        for split, size in sizes.items()
    }
    taught = None
    if plan.is_taught:
        taught = ask_teachers(
            settings.distill, shards_dir, plan.index, settings.train_splits, on_event
        )
    targets = make_targets(plan, shards_dir, taught)
    goes_on = resume and run_dir is not None and has_checkpoint(run_dir)
    with sharing(plan.devices):
        network = build_planned(plan, plan.precision, blank=goes_on)
        if settings.first_side:
            with_growth(network, GrowingSide(settings.first_side))  # refused before a run is begun
        if not resume or run_dir is None:
            run_dir = claim_run_dir(run_dir, model_title(settings.model))
        with holding(run_dir, "fermodel train"):
            if not resume:
                write_record(run_dir, _record(shards_dir, plan))
            return TrainingRun(run_dir, plan, network, streams, targets, on_event).train()


def _fit_baseline(
    shards_dir: Path, run_dir: Path | None, settings: TrainSettings, *, resume: bool
) -> TrainReport:
    report = train_baseline(shards_dir, run_dir, settings, resume=resume)
    return TrainReport(
        run_dir=report.run_dir,
        stopped="finished",
        history=(),
        best_epoch=1,
        validation=report.validation,
    )


def _record(shards_dir: Path, plan: TrainPlan) -> RunRecord:
    import keras

    model = plan.settings.model
    return RunRecord(
        settings=plan.settings,
        shards_dir=shards_dir.resolve(),
        index_sha256=fingerprint_index(shards_dir),
        class_weights=plan.class_weights,
        precision=plan.precision,
        ferkit_version=ferkit_version(),
        backend=keras.backend.backend(),
        model_sha256=fingerprint_own(model) if is_own(model) else "",
        distill_sha256=fingerprint_teachers(plan.settings.distill),
    )
