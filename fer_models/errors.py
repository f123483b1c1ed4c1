"""Errors a caller can act on.

FerModelError
├── RunError
│   ├── MissingRunError(FileNotFoundError)       there is no run at this place
│   ├── DamagedRunError(ValueError)              a file of a run cannot be read
│   └── OtherSettingsError(ValueError)           a run was started with other settings
├── BundleError
│   ├── MissingBundleError(FileNotFoundError)    there is no bundle at this place
│   └── DamagedBundleError(ValueError)           a bundle cannot be read
├── MissingLibraryError(ImportError)             a library that is needed is not installed
├── DivergedError(ArithmeticError)               the loss or a weight is no longer a number
├── MissingWeightsError(FileNotFoundError)       the first weights of a network are not there
├── MissingPicturesError(FileNotFoundError)      there is nothing to predict on
├── VideoError(ValueError)                       a file is no video, or a damaged one
└── ExportError(ValueError)                      a network cannot be exported

Errors about shards, names and settings are those of `fer_data.errors`.
"""

from __future__ import annotations


class FerModelError(Exception):
    """Base of every error that fer_models raises on purpose."""


class RunError(FerModelError):
    """A run folder is not in the state that was needed."""


class MissingRunError(RunError, FileNotFoundError):
    """There is no run at this place."""


class DamagedRunError(RunError, ValueError):
    """A file of a run cannot be read."""


class OtherSettingsError(RunError, ValueError):
    """A run was started with other settings, or on other shards."""


class BundleError(FerModelError):
    """A bundle cannot be used."""


class MissingBundleError(BundleError, FileNotFoundError):
    """There is no bundle at this place."""


class DamagedBundleError(BundleError, ValueError):
    """A bundle cannot be read."""


class MissingLibraryError(FerModelError, ImportError):
    """A library that is needed is not installed."""


class DivergedError(FerModelError, ArithmeticError):
    """The loss or a weight is no longer a number."""


class MissingWeightsError(FerModelError, FileNotFoundError):
    """The first weights of a network are not there, or cannot be downloaded."""


class MissingPicturesError(FerModelError, FileNotFoundError):
    """There is nothing to predict on."""


class VideoError(FerModelError, ValueError):
    """A file is no video, or a damaged one.

    Attributes:
        reason: one of `fer_data.image.REASONS`, for counting.
    """

    def __init__(self, message: str, reason: str = "corrupt") -> None:
        super().__init__(message)
        self.reason = reason


class ExportError(FerModelError, ValueError):
    """A network cannot be exported, or does not say the same once it is."""
