"""One shard, decoded as the stream does it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from fer_data.shards.index import ShardEntry
from fer_models.members import decode_shard, locate_shards


def shard_decoder(shards_dir: Path, shard: ShardEntry, image_shape: tuple[int, int, int]) -> Any:
    """What gives the images and labels of a shard, read anew at each call."""
    places = locate_shards(shards_dir, [shard])
    place = {name: tf.constant(array[0]) for name, array in places.tensors().items()}
    return partial(tf.function(lambda place: decode_shard(place, places, image_shape)), place)
