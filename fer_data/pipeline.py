"""The order of the stages; does those that were not asked for, with their defaults, and says so."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fer_data.balance import BalancePlan, BalanceSettings, balance
from fer_data.balance_settings import named_targets
from fer_data.dataset import Dataset
from fer_data.duplicates import find_duplicates
from fer_data.errors import SettingsError
from fer_data.executors import Workers
from fer_data.filter import FilterReport, filter_samples, plan_filter
from fer_data.filter_settings import FilterSettings, default_filter
from fer_data.ingest import ingest
from fer_data.pack import PackReport, PackSettings, pack
from fer_data.quality import QualitySettings, measure_quality
from fer_data.recipe import Recipe
from fer_data.split import SplitReport, SplitSettings, split_samples
from fer_data.split_groups import DUPLICATES

#: Every stage, in order. `quality` and `duplicates` are measured when a later one needs them.
STAGES = ("ingest", "quality", "duplicates", "filter", "split", "balance", "pack")


def _silent(text: str) -> None:
    """Says nothing."""


def _sizes(report: SplitReport) -> str:
    return ", ".join(f"{name} {sum(c.values()):,}" for name, c in report.classes.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """How stages are run.

    Attributes:
        workers: processes, or a cluster; None: one a core.
        say: told, in a sentence, of every stage that is done without being asked for.
        on_progress: called with (samples done, samples in all) by the stage asked for.
    """

    workers: Workers = None
    say: Callable[[str], None] = _silent
    on_progress: Callable[[int, int], None] | None = field(default=None)

    def measure(
        self, dataset: Dataset, quality: QualitySettings | None = None, *, faces: bool = False
    ) -> Dataset:
        """The data set with its scores and duplicates up to date.

        Args:
            dataset: ingested.
            quality: what to measure; None: as it was measured before, else the defaults.
            faces: whether the face score is needed, whatever was measured before.
        """
        if quality is None:
            asked = dataset.info.stages.get("quality")
            quality = QualitySettings.from_json(asked.settings) if asked else QualitySettings()
            if faces and not quality.faces:
                quality = dataclasses.replace(quality, faces=True)
        is_done = dataset.is_measured("quality")
        if not is_done or dataset.stage("quality").settings != quality.to_json():
            dataset = measure_quality(
                dataset, quality, workers=self.workers, on_progress=self.on_progress
            )
        if not dataset.is_measured("duplicates"):
            dataset = find_duplicates(dataset, workers=self.workers, on_progress=self.on_progress)
        return dataset

    def filter(
        self,
        dataset: Dataset,
        settings: FilterSettings | None = None,
        *,
        max_loss: float | None = None,
        dry_run: bool = False,
    ) -> tuple[Dataset, FilterReport]:
        """Filters; without settings, at the strict defaults. A dry run measures only."""
        settings = settings if settings is not None else default_filter(dataset.info.image.color)
        if max_loss is not None:
            settings = dataclasses.replace(settings, max_loss=max_loss)
        dataset = self.measure(dataset, faces=settings.needs_faces)
        if dry_run:
            return dataset, plan_filter(dataset, settings)[1]
        return filter_samples(dataset, settings)

    def split(
        self, dataset: Dataset, settings: SplitSettings, *, dry_run: bool = False
    ) -> tuple[Dataset, SplitReport]:
        """Splits what the filter keeps. A dry run writes nothing."""
        dataset = self._filtered(dataset.in_memory() if dry_run else dataset)
        if DUPLICATES in settings.group_by and not dataset.is_measured("duplicates"):
            dataset = find_duplicates(dataset, workers=self.workers, on_progress=self.on_progress)
        return split_samples(dataset, settings)

    def balance(
        self, dataset: Dataset, settings: BalanceSettings, *, dry_run: bool = False
    ) -> tuple[Dataset, BalancePlan]:
        """Plans how training samples are balanced. A dry run writes nothing."""
        dataset.stage("ingest")  # without it there are no classes to name
        named_targets(dataset.class_names, settings)  # a typo is told before anything is split
        dataset = self._split(dataset.in_memory() if dry_run else dataset)
        return balance(dataset, settings, workers=self.workers)

    def pack(
        self, dataset: Dataset, shards_dir: Path, settings: PackSettings
    ) -> tuple[Dataset, PackReport]:
        """Writes shards of what was split and balanced."""
        dataset = self._balanced(self._split(dataset))
        return pack(
            dataset, shards_dir, settings, workers=self.workers, on_progress=self.on_progress
        )

    def run(self, recipe: Recipe) -> tuple[Dataset, PackReport | None]:
        """The data set with every stage done that a recipe asks for, and no other one.

        Raises:
            SettingsError: the data set holds a source that the recipe does not name.
        """
        for source in recipe.sources:
            dataset, report = ingest(
                source.raw,
                recipe.dataset_dir,
                source.settings,
                workers=self.workers,
                on_progress=self.on_progress,
            )
            self.say(f"ingest {source.raw}: {report.num_samples:,} samples in the data set.")
        if len(dataset.info.sources) != len(recipe.sources):
            names = ", ".join(source.name for source in dataset.info.sources)
            raise SettingsError(
                f"{dataset.dir}: holds the sources {names}, the recipe names "
                f"{len(recipe.sources)}; remove the folder, or name another one"
            )
        if recipe.quality is not None:
            dataset = self.measure(dataset, recipe.quality)
        for stage in ("filter", "split", "balance", "pack"):
            if getattr(recipe, stage) is None and stage in dataset.info.stages:
                dataset = dataset.withdraw(stage)
        if recipe.filter is not None:
            dataset, filtered = self.filter(dataset, recipe.filter)
            self.say(f"filter: {filtered.num_dropped:,} samples dropped.")
        if recipe.split is not None:
            dataset, split = self.split(dataset, recipe.split)
            self.say(f"split: {_sizes(split)}.")
        if recipe.balance is not None:
            dataset, plan = self.balance(self._split(dataset), recipe.balance)
            self.say(f"balance: {sum(plan.after.values()):,} training samples.")
        if recipe.pack is None:
            return dataset, None
        return self.pack(dataset, recipe.shards_dir, recipe.pack)

    def _filtered(self, dataset: Dataset) -> Dataset:
        """The data set with its filter up to date, where it has one."""
        if "filter" in dataset.info.stages and not dataset.is_done("filter"):
            settings = FilterSettings.from_json(dataset.stage("filter").settings)
            dataset, report = self.filter(dataset, settings)
            self.say(f"filter was stale and is done again: {report.num_dropped:,} samples dropped.")
        return dataset

    def _split(self, dataset: Dataset) -> Dataset:
        """The data set split: as it was asked for before, or with the defaults."""
        if dataset.is_done("split"):
            return dataset
        settings, why = SplitSettings(), "split was not asked for and is done with its defaults"
        if "split" in dataset.info.stages:
            settings = SplitSettings.from_json(dataset.stage("split").settings)
            why = "split was stale and is done again"
        dataset, report = self.split(dataset, settings)
        self.say(f"{why}: {_sizes(report)}.")
        return dataset

    def _balanced(self, dataset: Dataset) -> Dataset:
        """The data set with its balance up to date, where it has one."""
        if "balance" in dataset.info.stages and not dataset.is_done("balance"):
            settings = BalanceSettings.from_json(dataset.stage("balance").settings)
            dataset, plan = self.balance(dataset, settings)
            self.say(f"balance was stale and is planned again: {plan.summary}.")
        return dataset
