"""What counts as a duplicate."""

from __future__ import annotations

from dataclasses import dataclass

from fer_data.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateSettings:
    """When two pictures are near: the same photograph, made or cut a little differently.

    The defaults were chosen by looking at pairs of FER2013 (docs/decisions/0005).

    Attributes:
        max_distance: bits of 64 in which the hashes of two windows may differ for the pictures to
            be compared at all, 0 to 6. Every bit more finds more and takes about twice the time.
        min_similarity: least correlation of the pixels, 0 to 1.
        min_detail: least correlation of the fine detail, 0 to 1.
        min_contrast: pictures whose coarse levels have a smaller standard deviation, in levels
            from 0, are flat: one flat picture looks like any other, so they are near to nothing.
        crowd: comparisons that may fail for a picture before it is given up as crowded; above 0.
    """

    max_distance: int = 3
    min_similarity: float = 0.94
    min_detail: float = 0.80
    min_contrast: float = 3.0
    crowd: int = 64

    def __post_init__(self) -> None:
        if not 0 <= self.max_distance <= 6:
            raise SettingsError(f"max_distance must be 0 to 6 bits; received {self.max_distance}")
        for name in ("min_similarity", "min_detail"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} must be from 0 to 1; received {getattr(self, name)}")
        if self.min_contrast < 0:
            raise SettingsError(f"min_contrast must be 0 or more; received {self.min_contrast}")
        if self.crowd < 1:
            raise SettingsError(f"crowd must be 1 or more; received {self.crowd}")
