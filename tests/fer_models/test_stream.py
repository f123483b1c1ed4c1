"""Laws of the stream: every sample once an epoch, the same seed the same order, damage is said."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_data.errors import DamagedShardError, SettingsError, UnknownNameError
from fer_data.pack_shard import CONTAINERS
from fer_data.shards.deflate import COMPRESSIONS
from fer_data.shards.reader import read_split
from fer_models.stream import ShardStream, StreamSettings

WAYS = {"in memory": 2**30, "from disk": 0}


def draw(batches):
    """All images and labels of a dataset, and the sizes of its batches."""
    drawn = list(batches.as_numpy_iterator())
    images = np.concatenate([images for images, _ in drawn])
    return images, np.concatenate([labels for _, labels in drawn]), [len(y) for _, y in drawn]


def numbers(images):
    """The number of each sample, which stands in its first two pixels."""
    return images[:, 0, 0, 0].astype(int) + 256 * images[:, 0, 1, 0].astype(int)


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sizes=st.lists(st.integers(0, 23), min_size=1, max_size=6).filter(sum),
    batch_size=st.integers(1, 30),
    block_shards=st.integers(1, 4),
    epoch=st.integers(0, 3),
)
def test_an_epoch_holds_every_sample_exactly_once(
    shard_writer, way, sizes, batch_size, block_shards, epoch
):
    with tempfile.TemporaryDirectory() as folder:
        index = shard_writer(Path(folder), {"train": sizes})
        stream = ShardStream(
            Path(folder),
            index,
            "train",
            StreamSettings(
                batch_size=batch_size, block_shards=block_shards, cache_bytes=WAYS[way], seed=7
            ),
        )
        samples = read_split(Path(folder), index, "train")
        assert stream.in_memory == (way == "in memory")
        images, labels, batch_sizes = draw(stream.shuffled(epoch))
        assert sorted(numbers(images)) == list(range(sum(sizes)))
        np.testing.assert_array_equal(labels, samples.labels[numbers(images)])
        np.testing.assert_array_equal(images, samples.images[numbers(images)])
        assert batch_sizes[:-1] == [batch_size] * (len(batch_sizes) - 1)
        assert len(batch_sizes) == stream.num_batches == int(stream.shuffled(epoch).cardinality())
        images, labels, _ = draw(stream.in_order())
        np.testing.assert_array_equal(images, samples.images)
        np.testing.assert_array_equal(labels, samples.labels)


@pytest.mark.parametrize("way", WAYS)
def test_order_depends_on_seed_and_epoch_alone(make_shards, way):
    folder, index = make_shards({"train": [40, 40, 40, 40, 40]})

    def order(seed, epoch):
        options = StreamSettings(seed=seed, cache_bytes=WAYS[way], block_shards=2)
        return numbers(draw(ShardStream(folder, index, "train", options).shuffled(epoch))[0])

    np.testing.assert_array_equal(order(1, 2), order(1, 2))
    assert (order(1, 2) != order(1, 3)).any()
    assert (order(1, 2) != order(2, 2)).any()


def test_blocks_mix_samples_of_several_shards(make_shards):
    folder, index = make_shards({"train": [64] * 4})
    options = StreamSettings(cache_bytes=0, block_shards=4, batch_size=64)
    first = next(iter(ShardStream(folder, index, "train", options).shuffled(0)))[0].numpy()
    assert len(set(numbers(first) // 64)) == 4


def test_batches_are_raw_pixels_and_labels(make_shards):
    folder, index = make_shards({"train": [5]}, image_shape=(6, 5, 3))
    images, labels = next(iter(ShardStream(folder, index, "train").in_order()))
    assert (images.dtype.name, tuple(images.shape)) == ("uint8", (5, 6, 5, 3))
    assert (labels.dtype.name, tuple(labels.shape)) == ("int64", (5,))


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x55
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-700])


DAMAGES = {"flipped": flip_byte, "truncated": truncate, "deleted": Path.unlink}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_shard_is_one_clear_error(make_shards, way, damage):
    folder, index = make_shards({"train": [64] * 3})
    path = folder / index.shards[1].file
    DAMAGES[damage](path)
    with pytest.raises(DamagedShardError, match=path.name):  # noqa: PT012
        stream = ShardStream(folder, index, "train", StreamSettings(cache_bytes=WAYS[way]))
        with stream.explain_damage():
            draw(stream.shuffled(0))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_form_is_streamed_and_checked(make_shards, way, container, compression):
    options = StreamSettings(cache_bytes=WAYS[way])
    expected = draw(ShardStream(*make_shards({"train": [70] * 3}), "train", options).shuffled(0))
    folder, index = make_shards(
        {"train": [70] * 3}, "form", compression=compression, container=container
    )
    found = draw(ShardStream(folder, index, "train", options).shuffled(0))
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    shard = index.shards[2]
    data = bytearray((folder / shard.file).read_bytes())
    entry = shard.arrays["images"]
    start, size, *_ = (entry.chunks or ((entry.offset, entry.compressed_bytes),))[0]
    data[start + size // 2] ^= 1
    (folder / shard.file).write_bytes(data)
    with pytest.raises(DamagedShardError, match=shard.file):  # noqa: PT012
        stream = ShardStream(folder, index, "train", options)
        with stream.explain_damage():
            draw(stream.shuffled(0))


def test_a_stream_that_ends_early_is_found(make_shards):
    """Gzip readers take a stream without its end for a whole one; the length gives it away."""
    folder, index = make_shards({"train": [64]})
    shard = index.shards[0]
    images = dataclasses.replace(
        shard.arrays["images"], compressed_bytes=shard.arrays["images"].compressed_bytes // 2
    )
    shard = dataclasses.replace(shard, arrays={**shard.arrays, "images": images})
    with pytest.raises(DamagedShardError, match=shard.file):
        ShardStream(folder, dataclasses.replace(index, shards=(shard,)), "train")


def test_labels_beyond_the_classes_are_damage(make_shards):
    folder, index = make_shards({"train": [64]})
    with pytest.raises(DamagedShardError, match="the index has 2 classes"):
        ShardStream(folder, dataclasses.replace(index, class_names=("a", "b")), "train")


def test_unknown_split_and_wrong_settings_are_refused(make_shards):
    folder, index = make_shards({"train": [8]})
    with pytest.raises(UnknownNameError, match="expected one of train"):
        ShardStream(folder, index, "test")
    with pytest.raises(SettingsError, match="batch_size must be 1 or more; received 0"):
        StreamSettings(batch_size=0)
