"""Laws of the order: well mixed; parts and rests of an epoch are what the whole of it has there."""

from __future__ import annotations

import tempfile
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from fer_data.errors import SettingsError
from fer_models.epoch_order import order_shards, part_of_trainer, plan_blocks
from fer_models.stream import ShardStream, StreamSettings
from tests.fer_models.test_stream import WAYS, draw, numbers

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=30).map(np.array)


def batches_of(dataset):
    """The numbers of the samples of each batch."""
    return [numbers(images).tolist() for images, *_ in dataset.as_numpy_iterator()]


@given(sizes=SIZES, block_shards=st.integers(1, 5), seed=st.integers(0, 99))
def test_an_order_of_shards_is_a_permutation(sizes, block_shards, seed):
    order = order_shards(np.random.default_rng(seed), sizes, block_shards)
    assert sorted(order) == list(range(len(sizes)))


def test_many_orders_of_few_shards_are_drawn():
    sizes = np.full(8, 2048)
    orders = {tuple(order_shards(np.random.default_rng(s), sizes, 4)) for s in range(300)}
    assert len(orders) > 280


@given(num_samples=st.integers(1, 500), trainers=st.integers(1, 9), batch_size=st.integers(1, 40))
def test_parts_follow_each_other_in_the_same_number_of_batches(num_samples, trainers, batch_size):
    trainers = min(trainers, num_samples)
    parts = [part_of_trainer(num_samples, n, trainers, batch_size) for n in range(trainers)]
    assert [p.first for p in parts] == [0, *(p.last for p in parts[:-1])]
    assert parts[-1].last == num_samples
    assert max(p.num_samples for p in parts) - min(p.num_samples for p in parts) <= 1
    assert len({p.num_batches for p in parts}) == 1
    for part in parts:
        last_batch = part.num_samples - (part.num_batches - 1) * batch_size
        assert 1 <= last_batch <= batch_size + (trainers > 1)


@given(data=st.data(), sizes=SIZES, block_shards=st.integers(1, 5), batch_size=st.integers(1, 50))
def test_blocks_hold_the_places_and_no_block_too_many(data, sizes, block_shards, batch_size):
    first = data.draw(st.integers(0, sizes.sum() - 1))
    last = data.draw(st.integers(first + 1, sizes.sum()))
    num_batches = -(-(last - first) // batch_size)
    plan = plan_blocks(sizes, block_shards, (first, last), batch_size, num_batches)
    block_sizes = np.add.reduceat(sizes, np.arange(0, len(sizes), block_shards))
    held = block_sizes[plan.first_block :][: plan.num_blocks]
    assert sizes[: plan.shards.start].sum() + plan.skipped == first
    assert 0 <= plan.skipped < held[0]
    assert sizes[plan.shards].sum() == held.sum()
    assert 0 <= plan.surplus < held[-1]
    assert held.sum() == plan.skipped + (last - first) + plan.surplus
    assert plan.batch_sizes.sum() == last - first
    assert len(plan.batch_sizes) == num_batches


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("num_shards", [9, 15, 40])
def test_order_does_not_go_with_the_files(make_shards, way, num_shards):
    folder, index = make_shards({"train": [200] * num_shards})
    options = StreamSettings(cache_bytes=WAYS[way], batch_size=128)
    stream = ShardStream(folder, index, "train", options)
    orders = [numbers(draw(stream.shuffled(epoch))[0]) for epoch in range(5)]
    places = np.arange(stream.num_samples)
    for order in orders:
        assert sorted(order) == places.tolist()
        # what a perfect shuffle of so few samples comes to by chance, and what shards add to it
        assert abs(spearmanr(order, places).statistic) < 0.02 + 3 / np.sqrt(len(places))
        for other in orders:
            assert other is order or abs(spearmanr(order, other).statistic) < 0.5
        followers = np.diff(order) == 1  # neighbours in the files that are neighbours still
        assert followers.mean() < 0.02


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sizes=st.lists(st.integers(1, 23), min_size=1, max_size=7),
    batch_and_block=st.tuples(st.integers(1, 30), st.integers(1, 4)),
    num_trainers=st.integers(1, 3),
    data=st.data(),
)
def test_parts_and_rests_are_those_of_the_whole(
    shard_writer, way, sizes, batch_and_block, num_trainers, data
):
    batch_size, block_shards = batch_and_block
    num_trainers = min(num_trainers, sum(sizes))
    with tempfile.TemporaryDirectory() as folder:
        index = shard_writer(Path(folder), {"train": sizes})

        def stream(trainer, num_trainers):
            options = StreamSettings(
                batch_size=batch_size,
                block_shards=block_shards,
                cache_bytes=WAYS[way],
                trainer=trainer,
                num_trainers=num_trainers,
            )
            return ShardStream(Path(folder), index, "train", options)

        whole = list(chain(*batches_of(stream(0, 1).shuffled(3))))
        streams = [stream(n, num_trainers) for n in range(num_trainers)]
        parts = [batches_of(each.shuffled(3)) for each in streams]
        assert list(chain(*chain(*parts))) == whole
        assert {len(part) for part in parts} == {streams[0].num_batches}
        assert [sum(map(len, part)) for part in parts] == [each.part_samples for each in streams]
        drawn = data.draw(st.integers(0, streams[-1].num_batches))
        rest = streams[-1].restored(streams[-1].state(3, drawn))
        assert batches_of(rest) == parts[-1][drawn:]
        assert int(rest.cardinality()) == len(parts[-1]) - drawn


@pytest.mark.parametrize("way", WAYS)
def test_stopping_after_any_batch_and_going_on_gives_exactly_the_rest(make_shards, way):
    folder, index = make_shards({"train": [31, 30, 29, 30, 31, 17]})
    options = StreamSettings(cache_bytes=WAYS[way], batch_size=16, block_shards=2)
    whole = batches_of(ShardStream(folder, index, "train", options).shuffled(1))
    for drawn in range(len(whole) + 1):
        stream = ShardStream(folder, index, "train", options)
        assert batches_of(stream.restored(stream.state(1, drawn))) == whole[drawn:]


def test_the_rest_of_an_epoch_needs_no_shard_that_was_drawn(make_shards):
    folder, index = make_shards({"train": [32] * 8})
    options = StreamSettings(cache_bytes=0, batch_size=32, block_shards=2)
    stream = ShardStream(folder, index, "train", options)
    whole = batches_of(stream.shuffled(0))
    for shard in {number // 32 for number in whole[0] + whole[1]}:
        path = folder / index.shards[shard].file
        path.write_bytes(bytes(path.stat().st_size))
    assert batches_of(stream.shuffled(0, start=2)) == whole[2:]


@pytest.mark.parametrize("way", WAYS)
def test_samples_are_numbered_in_the_order_of_the_shards(make_shards, way):
    folder, index = make_shards({"train": [40, 3, 50, 0, 21]})
    options = StreamSettings(cache_bytes=WAYS[way], batch_size=16, block_shards=2)
    stream = ShardStream(folder, index, "train", options)
    for images, _, found in stream.shuffled(0, numbered=True).as_numpy_iterator():
        np.testing.assert_array_equal(found, numbers(images))


def test_a_state_of_another_order_is_refused(make_shards):
    folder, index = make_shards({"train": [40, 40]})
    state = ShardStream(folder, index, "train", StreamSettings(seed=1)).state(0, 1)
    for changed in (StreamSettings(seed=2), StreamSettings(seed=1, cache_bytes=0)):
        with pytest.raises(SettingsError, match="of other shards or of another batch size, seed"):
            ShardStream(folder, index, "train", changed).restored(state)
    folder, index = make_shards({"train": [40, 40]}, "others", seed=5)
    with pytest.raises(SettingsError, match="of other shards"):
        ShardStream(folder, index, "train", StreamSettings(seed=1)).restored(state)


def test_impossible_parts_and_starts_are_refused(make_shards):
    folder, index = make_shards({"train": [3]})
    with pytest.raises(SettingsError, match="trainer must be 0 to 1; received 2"):
        StreamSettings(trainer=2, num_trainers=2)
    with pytest.raises(SettingsError, match="train has 3 samples; expected one or more for each"):
        ShardStream(folder, index, "train", StreamSettings(num_trainers=4))
    with pytest.raises(SettingsError, match="start must be 0 to 1; received 2"):
        ShardStream(folder, index, "train").shuffled(0, start=2)
