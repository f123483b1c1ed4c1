"""How a split is streamed, and how far it has been."""

from __future__ import annotations

from dataclasses import dataclass

from fer_data.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """How a split is streamed.

    Attributes:
        batch_size: samples a batch; the last batch of an epoch may be smaller.
        seed: seed of the order of the samples.
        cache_bytes: a split whose pixels need at most this much memory is kept decoded. It is
            part of the settings, not of the machine, because the order depends on it.
        block_shards: shards that are permuted together when the split is not kept in memory.
        trainer: which of several trainers this is, counted from 0; each draws a part of an epoch.
        num_trainers: how many train together.
    """

    batch_size: int = 64
    seed: int = 0
    cache_bytes: int = 2 * 2**30
    block_shards: int = 4
    trainer: int = 0
    num_trainers: int = 1

    def __post_init__(self) -> None:
        for name in ("batch_size", "block_shards", "num_trainers"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be 1 or more; received {getattr(self, name)}")
        for name in ("seed", "cache_bytes"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} must be 0 or more; received {getattr(self, name)}")
        if not 0 <= self.trainer < self.num_trainers:
            raise SettingsError(
                f"trainer must be 0 to {self.num_trainers - 1}; received {self.trainer}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """How far an epoch has been drawn: what a checkpoint keeps to go on in the middle of it.

    Attributes:
        epoch: which epoch.
        batch: batches of it that were drawn.
        order: hex digest of all that the order depends on: shards and settings.
    """

    epoch: int
    batch: int
    order: str
