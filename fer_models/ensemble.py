"""Several trained networks as one: the mean of their probabilities.

What is written of an ensemble stands in a folder of its own, whose `ensemble.json` names the runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_data.errors import SettingsError
from fer_data.shards.index import INDEX_NAME
from fer_data.version import ferkit_version
from fer_models.bundle import BUNDLE_DIR, BUNDLE_NAME, Bundle
from fer_models.errors import MissingRunError, OtherSettingsError
from fer_models.files import write_json
from fer_models.metrics import Metrics
from fer_models.predict import OnProgress, Predictor
from fer_models.run import SETTINGS_NAME, RunRecord, claim_run_dir, read_record
from fer_models.views import mean_probabilities
from fer_models.zoo import model_title

ENSEMBLE_NAME = "ensemble.json"
_RUN_FILES = (SETTINGS_NAME, BUNDLE_NAME, f"{BUNDLE_DIR}/{BUNDLE_NAME}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One trained network of an ensemble.

    Attributes:
        run_dir: folder of its run, or of a bundle that stands alone.
        record: what the run was asked for; None of a bundle.
        predictor: the network.
    """

    run_dir: Path
    record: RunRecord | None
    predictor: Predictor

    @property
    def bundle(self) -> Bundle:
        """What it was trained for."""
        return self.predictor.bundle

    @property
    def title(self) -> str:
        """What the network is called."""
        return model_title(self.bundle.model)

    def to_json(self) -> dict[str, Any]:
        """Where it stands, and what it is told by, as JSON values."""
        names = ("model", "epoch", "model_sha256", "extractor_sha256", "index_sha256")
        return {
            "run": str(self.run_dir.resolve()),
            **{name: getattr(self.bundle, name) for name in names},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMember:
    """How good one network of an ensemble is by itself.

    Attributes:
        member: the network.
        metrics: of its own probabilities.
    """

    member: Member
    metrics: Metrics

    def to_json(self) -> dict[str, Any]:
        """The most important figures as JSON values."""
        names = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
        figures = {name: getattr(self.metrics, name) for name in names}
        return {"run": str(self.member.run_dir), "model": self.member.bundle.model, **figures}


class Ensemble:
    """Trained networks that are asked together; of one, it is that one.

    Args:
        members: one at least; they are taken for the same classes and images.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)

    @staticmethod
    def load(run_dirs: Sequence[Path], tta: str = "none") -> Ensemble:
        """The networks of runs or bundles.

        Args:
            run_dirs: one or more.
            tta: test-time augmentation of all of them.

        Raises:
            SettingsError: one is named twice.
            MissingRunError: there is no run at one of the places.
            MissingBundleError: a run has not finished an epoch.
            DamagedBundleError: a bundle cannot be read.
            OtherSettingsError: they were trained for different classes or images.
        """
        places = [run_dir.resolve() for run_dir in run_dirs]
        members: list[Member] = []
        for number, run_dir in enumerate(run_dirs):
            if places[number] in places[:number]:
                raise SettingsError(f"{run_dir}: named twice; expected different runs")
            record = None if (run_dir / BUNDLE_NAME).exists() else read_record(run_dir)
            predictor = Predictor.load(run_dir, tta)
            members.append(Member(run_dir=run_dir, record=record, predictor=predictor))
            _check_alike(members[0], members[-1])
        return Ensemble(members)

    @property
    def title(self) -> str:
        """What it is called in words."""
        if len(self.members) == 1:
            return self.members[0].title
        return f"Mean of {len(self.members)} networks"

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that any of them learned from."""
        names = (name for member in self.members for name in member.bundle.splits)
        return tuple(dict.fromkeys(names))

    @property
    def shards_dir(self) -> Path:
        """The shards that all of them were trained on.

        Raises:
            SettingsError: they were trained on different ones, or it is not known.
        """
        first = self.members[0]
        for member in self.members:
            if member.record is None:
                raise SettingsError(f"{member.run_dir}: a bundle names no shards; add --shards")
            if first.record is None or member.record.index_sha256 != first.record.index_sha256:
                raise SettingsError(
                    f"{member.run_dir}: was trained on other shards than {first.run_dir}; name "
                    "those to judge on with --shards"
                )
        assert first.record is not None
        return first.record.shards_dir

    def predict_each(
        self, images: NDArray[np.uint8], on_progress: OnProgress | None = None
    ) -> list[NDArray[np.float32]]:
        """What each network says; otherwise as `predict`."""
        found: list[NDArray[np.float32]] = []

        def tell(done: int, count: int) -> None:
            if on_progress is not None:
                on_progress((len(found) * count + done) // len(self.members), count)

        for member in self.members:
            found.append(member.predictor.predict(images, tell))
        return found

    def predict(
        self, images: NDArray[np.uint8], on_progress: OnProgress | None = None
    ) -> NDArray[np.float32]:
        """The mean of the probabilities of all networks; otherwise as `Predictor.predict`."""
        return mean_probabilities(self.predict_each(images, on_progress))

    def attend(
        self, images: NDArray[np.uint8], classes: NDArray[np.int64]
    ) -> NDArray[np.float32] | None:
        """As `Predictor.attend`, of the first network that can tell."""
        maps = (member.predictor.attend(images, classes) for member in self.members)
        return next((found for found in maps if found is not None), None)

    def check_out_dir(self, out_dir: Path | None) -> None:
        """Refuses a folder for what is written of the ensemble that is in use by something else.

        Args:
            out_dir: the folder; None for the run itself, or the next of `runs/ensemble-001`, ….

        Raises:
            SettingsError: it holds something else; or a bundle alone needs one.
        """
        if out_dir is None:
            if len(self.members) == 1 and self.members[0].record is None:
                raise SettingsError(
                    f"{self.members[0].run_dir}: a bundle; add --out for the report"
                )
            return
        is_free = not out_dir.exists() or (out_dir.is_dir() and not any(out_dir.iterdir()))
        is_ours = _fingerprints(_read_members(out_dir)) == _fingerprints(self._about_members())
        if not (is_free or is_ours):
            raise SettingsError(
                f"{out_dir}: is in use; name a folder that is empty, is not there, or holds what "
                "was written of the same runs"
            )

    def claim_out_dir(self, out_dir: Path | None) -> Path:
        """The folder for what is written: of one run that itself, else one with `ensemble.json`.

        Raises:
            SettingsError: as `check_out_dir`.
        """
        self.check_out_dir(out_dir)
        if out_dir is None and len(self.members) == 1:
            return self.members[0].run_dir
        out_dir = out_dir if out_dir is not None else claim_run_dir(None, "ensemble")
        about = {
            "format": "ferkit-ensemble",
            "format_version": 1,
            "ferkit_version": ferkit_version(),
            "class_names": self.members[0].bundle.class_names,
            "image_shape": self.members[0].bundle.image_shape,
            "members": self._about_members(),
        }
        write_json(out_dir / ENSEMBLE_NAME, about)
        return out_dir

    def _about_members(self) -> list[dict[str, Any]]:
        return [member.to_json() for member in self.members]


def sort_places(
    places: Sequence[Path], shards_dir: Path | None = None
) -> tuple[tuple[Path, ...], Path | None]:
    """Runs and bundles, and the folder of shards, out of folders in any order.

    Args:
        places: folders of either kind.
        shards_dir: that was named as one; None where it was not.

    Raises:
        MissingRunError: a folder is neither a run or bundle, nor one of shards.
        SettingsError: there are several folders of shards.
    """
    run_dirs = []
    for place in places:
        if (place / INDEX_NAME).exists():
            if shards_dir is not None:
                raise SettingsError(f"{shards_dir}, {place}: name one folder of shards")
            shards_dir = place
        elif any((place / name).exists() for name in _RUN_FILES):
            run_dirs.append(place)
        else:
            what = "neither a run nor shards in it" if place.exists() else "no such folder"
            raise MissingRunError(
                f"{place}: {what}; expected a run as `fermodel train` makes it, or shards as "
                "`ferdata pack` does"
            )
    return tuple(run_dirs), shards_dir


def _check_alike(first: Member, other: Member) -> None:
    for name in ("class_names", "image_shape"):
        ours, theirs = getattr(first.bundle, name), getattr(other.bundle, name)
        if ours != theirs:
            raise OtherSettingsError(
                f"{other.run_dir}: {name} {', '.join(map(str, theirs))}; expected those of "
                f"{first.run_dir}, {', '.join(map(str, ours))}"
            )


def _read_members(out_dir: Path) -> list[dict[str, Any]]:
    try:
        members = json.loads((out_dir / ENSEMBLE_NAME).read_text(encoding="utf-8"))["members"]
        return [dict(member) for member in members]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _fingerprints(members: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    return sorted(
        (str(each.get("model_sha256")), str(each.get("extractor_sha256"))) for each in members
    )
