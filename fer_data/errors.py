"""Errors a caller can act on.

FerDataError
├── SettingsError(ValueError)            a setting is wrong; says what was expected
│   └── UnknownNameError                 a name is unknown; suggests the nearest right one
├── ManifestError(ValueError)            a manifest file is wrong
├── SourceError(ValueError)              a raw source is missing or cannot be understood
├── ImageError(ValueError)               one picture cannot be used; carries the reason
├── DatasetError
│   ├── MissingDatasetError(FileNotFoundError)   there is no data set at this place
│   ├── MissingStageError                a stage has not been done yet
│   └── StaleStageError                  a stage's table no longer fits the one before it
├── InUseError                           another command is at work in a folder
├── TooManyRejectionsError               more files were rejected than allowed
│   └── EmptySourceError                 not one file of a source became a sample
├── FilterLossError                      a filter would take too much of a class
├── LeakageError                         one image would stand in two splits
├── MissingPluginError(ImportError)      an HDF5 codec, or Dask, is not installed
├── ClusterError                         workers elsewhere cannot be reached or used
└── ShardError
    ├── MissingShardsError(FileNotFoundError)    no shard index at this place
    └── DamagedShardError(ValueError)    a shard is not what the index says
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar


class FerDataError(Exception):
    """Base of every error that fer_data raises on purpose.

    Attributes:
        exit_code: what a program ends with: 1 the data or the run failed, 2 wrong usage.
    """

    exit_code: ClassVar[int] = 1


class SettingsError(FerDataError, ValueError):
    """A setting is wrong; the message says what was expected."""

    exit_code = 2


class UnknownNameError(SettingsError):
    """A name is unknown; the message lists the known ones and suggests the nearest.

    Args:
        what: what kind of name it is.
        name: as it was given.
        known: the right names.
        synonyms: other word → the right name that it stands for.

    Example:
        >>> raise UnknownNameError("class", "joyful", ["anger", "disgust"])
        Traceback (most recent call last):
        fer_data.errors.UnknownNameError: unknown class "joyful"; expected one of anger, disgust.
    """

    def __init__(
        self,
        what: str,
        name: str,
        known: Iterable[str],
        synonyms: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        words = {word: word for word in known} | dict(synonyms)
        known = [word for word in words if word not in synonyms]
        near = difflib.get_close_matches(name.lower(), words, n=1, cutoff=0.6)
        hint = f' Did you mean "{words[near[0]]}"?' if near else ""
        super().__init__(f'unknown {what} "{name}"; expected one of {", ".join(known)}.{hint}')


class ManifestError(FerDataError, ValueError):
    """A manifest file is wrong."""


class SourceError(FerDataError, ValueError):
    """A raw source is missing or cannot be understood."""


class ImageError(FerDataError, ValueError):
    """One picture cannot be used.

    Attributes:
        reason: one of `fer_data.image.REASONS`, for counting.
        detail: what was found, for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def alone(self) -> ImageError:
        """The same error without its traceback, in which half decoded pictures stay in memory."""
        return ImageError(self.reason, self.detail)


class DatasetError(FerDataError):
    """The prepared data set is not in the state that was needed."""


class MissingDatasetError(DatasetError, FileNotFoundError):
    """There is no data set at this place."""


class MissingStageError(DatasetError):
    """A stage has not been done yet."""


class StaleStageError(DatasetError):
    """A stage's table no longer fits the one before it."""


class InUseError(FerDataError):
    """Another command is at work in a folder; the message names it."""


class TooManyRejectionsError(FerDataError):
    """More files were rejected than allowed."""


class EmptySourceError(TooManyRejectionsError):
    """Not one file of a source became a sample."""


class FilterLossError(FerDataError):
    """A filter would take too much of a class."""


class LeakageError(FerDataError):
    """One image would stand in two splits."""


class MissingPluginError(FerDataError, ImportError):
    """A library that only some need is not installed: a codec of shards, or Dask."""


class ClusterError(FerDataError):
    """Workers on other machines cannot be reached, or cannot do the work."""


class LostWorkerError(FerDataError):
    """Processes that shared the work were killed again and again."""


class ShardError(FerDataError):
    """Base of the errors about shards."""


class MissingShardsError(ShardError, FileNotFoundError):
    """There is no shard index at this place."""


class DamagedShardError(ShardError, ValueError):
    """A shard is not what the index says it is."""
