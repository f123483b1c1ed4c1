"""What a step learns from and how far it goes: targets, losses, optimizers and rates."""

from __future__ import annotations

import dataclasses
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from fer_data.errors import SettingsError
from fer_data.shards.npz import encode_npz
from fer_models import devices
from fer_models.augmentation import NO_CHANGES, AugmentSettings
from fer_models.fitting import make_learner
from fer_models.history_rules import plateau_factor
from fer_models.image_growth import GrowingSide
from fer_models.optimizers import PlannedRate, averaged_weights
from fer_models.plan import plan_training
from fer_models.run import HistoryRow, history_row
from fer_models.settings import TrainSettings
from fer_models.stream import ShardStream, StreamSettings
from fer_models.targets import make_loss, make_targets
from fer_models.training_batches import fill_up, training_batches


def rates(num_batches, steps, **settings):
    rate = PlannedRate(TrainSettings(learning_rate=0.1, **settings), num_batches)
    return [float(rate(step)) for step in steps]


def test_the_rate_follows_its_schedule():
    assert rates(10, [0, 399], schedule="constant") == pytest.approx([0.1, 0.1])
    assert rates(10, [0, 200, 400], schedule="cosine", epochs=40) == pytest.approx([0.1, 0.05, 0])
    step = rates(7, [13, 14, 27, 28, 7 * 200], schedule="step", drop=0.5, drop_every=2)
    assert step == pytest.approx([0.1, 0.05, 0.05, 0.025, 0.1 * 0.5**100])
    assert rates(10, [0, 4, 5, 6], warmup=0.5) == pytest.approx([0.02, 0.1, 0.1, 0.1])
    cycle = {"schedule": "one-cycle", "epochs": 40}
    risen = [0.004, 0.052, 0.1, 0.05, 0]
    assert rates(10, [0, 50, 100, 250, 400], warmup=10, **cycle) == pytest.approx(risen)
    assert rates(10, [0, 200, 400], **cycle) == pytest.approx([0.1, 0.05, 0])
    assert rates(10, [0, 200, 400], warmup=40, **cycle) == pytest.approx([0.004, 0.052, 0.1])


def rows(*macro_f1):
    blank = dict.fromkeys([f.name for f in dataclasses.fields(HistoryRow)], "1")
    return [dataclasses.replace(history_row(blank), validation_macro_f1=f) for f in macro_f1]


def test_the_rate_drops_each_time_that_waiting_was_in_vain():
    settings = TrainSettings(schedule="plateau", drop=0.5, drop_every=2)
    factors = [plateau_factor(rows(*[0.5, 0.4, 0.5, 0.3, 0.3, 0.6, 0.1][:n]), settings)
               for n in range(8)]  # fmt: skip
    assert factors == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]
    unjudged = [dataclasses.replace(row, loss=loss)
                for row, loss in zip(rows(*[None] * 3), (1, 2, 3), strict=True)]  # fmt: skip
    assert plateau_factor(unjudged, settings) == 0.5
    assert plateau_factor(unjudged, dataclasses.replace(settings, schedule="step")) == 1


@pytest.fixture(scope="module")
def voted(tmp_path_factory, shard_writer):
    """Shards of 5 samples with votes, the second one without any."""
    folder = tmp_path_factory.mktemp("steps") / "shards"
    index = shard_writer(folder, {"train": [3, 2]}, image_shape=(4, 4, 1))
    votes = np.array([[2, 1, 1], [0, 0, 0], [0, 5, 0], [1, 1, 0], [0, 0, 3]], np.float32)
    entries = []
    for shard, rows in zip(index.shards, (votes[:3], votes[3:]), strict=True):
        with np.load(folder / shard.file) as npz:
            encoded = encode_npz(dict(npz) | {"votes": rows})
        (folder / shard.file).write_bytes(encoded.data)
        entries.append(
            dataclasses.replace(
                shard, arrays=encoded.arrays, bytes=len(encoded.data), sha256=encoded.sha256
            )
        )
    index = dataclasses.replace(index, shards=tuple(entries))
    (folder / "index.json").write_text(index.to_json())
    return folder


def test_votes_are_learned_where_there_are_any_and_labels_elsewhere(voted):
    plan = plan_training(voted, TrainSettings(label_smoothing=0.3))
    assert plan.loss == "votes"
    assert "Loss: cross-entropy to the votes, because the shards hold them." in plan.notes
    labels, numbers = np.array([1, 2, 0]), np.array([0, 1, 4])
    found = make_targets(plan, voted)(labels, numbers).numpy()
    expected = np.array([[0.5, 0.25, 0.25], [0, 0, 1], [0, 0, 1]]) * 0.7 + 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_share_of_the_votes_blends_them_with_the_labels(voted):
    labels, numbers = np.array([0, 1, 2, 0, 1]), np.arange(5)

    def targets(share, **settings):
        plan = plan_training(voted, TrainSettings(vote_share=share, **settings))
        return make_targets(plan, voted)(labels, numbers).numpy()

    votes, one_hot = targets(1.0), np.eye(3, dtype=np.float32)[labels]
    for share in (0.0, 0.25, 0.6, 1.0):
        found = targets(share)
        np.testing.assert_allclose(found, share * votes + (1 - share) * one_hot, atol=1e-6)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
        smoothed = targets(share, label_smoothing=0.3)
        np.testing.assert_allclose(smoothed, found * 0.7 + 0.1, atol=1e-6)


def test_a_share_of_votes_that_nobody_learns_is_refused(voted, make_shards):
    notes = plan_training(voted, TrainSettings(vote_share=0.5)).notes
    assert "Votes are 0.5 of each target, the label is the rest." in notes
    plain, _ = make_shards({"train": [5]})
    for folder, loss, chosen in (
        (voted, "sparse", "sparse"), (voted, "focal", "focal"), (plain, "auto", "sparse")
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=f"vote_share .* received loss {chosen}"):
            plan_training(folder, TrainSettings(loss=loss, vote_share=0.5))


def test_batches_give_each_sample_its_own_votes(voted):
    settings = TrainSettings(batch_size=2, class_weights="none")
    plan = plan_training(voted, settings)
    stream = ShardStream(voted, plan.index, "train", StreamSettings(batch_size=2))
    votes = {0: [0.5, 0.25, 0.25], 2: [0, 1, 0], 3: [0.5, 0.5, 0], 4: [0, 0, 1]}
    seen = 0
    for images, shares in training_batches(stream, plan, make_targets(plan, voted), 0):
        for image, row in zip(images.numpy(), shares.numpy(), strict=True):
            number = int(image[0, 0, 0])  # as the shards were made
            seen += 1
            if number in votes:
                np.testing.assert_allclose(row, votes[number])
    assert seen == 5


def test_votes_that_are_not_there_are_one_clear_error(make_shards):
    folder, _ = make_shards({"train": [5]})
    with pytest.raises(SettingsError, match=r"shards: no votes in the train split.*FER\+"):
        plan_training(folder, TrainSettings(loss="votes"))
    assert plan_training(folder, TrainSettings()).loss == "sparse"


def test_focal_and_soft_losses_meet_the_cross_entropy(make_shards):
    folder, _ = make_shards({"train": [5]})
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], np.float32)
    labels, numbers = np.array([0, 1]), np.array([3, 4])

    def loss(**settings):
        plan = plan_training(folder, TrainSettings(**settings))
        return float(make_loss(plan)(make_targets(plan, folder)(labels, numbers), probabilities))

    cross_entropy = -np.log([0.7, 0.1])
    assert loss() == pytest.approx(cross_entropy.mean(), rel=1e-5)
    assert loss(loss="focal", gamma=0.0) == pytest.approx(cross_entropy.mean(), rel=1e-5)
    focal = (cross_entropy * np.array([0.3, 0.9]) ** 2).mean()
    assert loss(loss="focal") == pytest.approx(focal, rel=1e-5)
    smoothed = 0.9 * cross_entropy - 0.1 * np.log(probabilities).mean(axis=1)
    assert loss(label_smoothing=0.1) == pytest.approx(smoothed.mean(), rel=1e-5)


def learner_of(make_shards, **settings):
    folder, _ = make_shards({"train": [8]})
    plan = plan_training(folder, TrainSettings(**settings))
    network = keras.Sequential(
        [
            keras.Input((4, 4, 1), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(3, "softmax", bias_initializer="ones"),
        ]
    )
    return make_learner(
        network, plan, PlannedRate(plan.settings, plan.num_batches), GrowingSide(4)
    ), plan


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_decay_is_decoupled_and_spares_biases(make_shards, optimizer):
    learner, _ = learner_of(
        make_shards, optimizer=optimizer, weight_decay=0.5, learning_rate=0.1, momentum=0.0
    )
    kernel, bias = learner.trainable_variables
    before = np.array(kernel)
    learner.optimizer.apply([keras.ops.zeros_like(kernel), keras.ops.zeros_like(bias)])
    np.testing.assert_allclose(np.array(kernel), before * (1 - 0.1 * 0.5), rtol=1e-5)
    np.testing.assert_array_equal(np.array(bias), 1.0)


@pytest.mark.parametrize(("nesterov", "first_step"), [(False, 0.1), (True, 0.1 * 1.9)])
def test_nesterov_looks_ahead_along_the_momentum(make_shards, nesterov, first_step):
    learner, _ = learner_of(
        make_shards, optimizer="sgd", momentum=0.9, nesterov=nesterov, learning_rate=0.1
    )
    kernel, bias = learner.trainable_variables
    before = np.array(kernel)
    learner.optimizer.apply([keras.ops.ones_like(kernel), keras.ops.zeros_like(bias)])
    np.testing.assert_allclose(np.array(kernel), before - first_step, rtol=1e-5, atol=1e-6)


def test_clipping_is_of_all_gradients_together(make_shards):
    learner, _ = learner_of(
        make_shards, optimizer="sgd", momentum=0.0, learning_rate=1.0, clip_norm=2.0
    )
    before = learner.get_weights()
    learner.optimizer.apply([keras.ops.ones_like(v) for v in learner.trainable_variables])
    moved = np.concatenate([
        (a - b).ravel() for a, b in zip(before, learner.get_weights(), strict=True)
    ])  # fmt: skip
    np.testing.assert_allclose(moved, 2.0 / np.sqrt(len(moved)), rtol=1e-4)


def test_the_average_of_the_weights_is_judged_and_never_learned_on(make_shards):
    learner, plan = learner_of(
        make_shards, optimizer="sgd", momentum=0.0, learning_rate=1.0, ema=0.75
    )
    bias = learner.trainable_variables[1]
    for _ in range(2):  # 1 -> 0 -> -1; average 0 -> -.25
        learner.optimizer.apply([keras.ops.ones_like(v) for v in learner.trainable_variables])
    with averaged_weights(learner, plan.settings):
        np.testing.assert_allclose(np.array(bias), -0.25)
    np.testing.assert_allclose(np.array(bias), -1.0)


def test_a_batch_is_filled_up_with_its_own_first_samples():
    parts = (np.arange(5), np.arange(5) * 10)
    filled, tens = fill_up(parts, 4)
    assert filled.numpy().tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert (tens.numpy() == filled.numpy() * 10).all()
    assert fill_up(np.arange(4), 4).numpy().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"devices": 99}, "devices must be at most [0-9]+, which is what this host has"),
        ({"xla": "on", "augment": AugmentSettings()}, "no XLA form of turning.*--rotation 0"),
    ],
)
def test_what_the_host_cannot_do_is_refused(make_shards, settings, message):
    folder, _ = make_shards({"train": [5]})
    with pytest.raises(SettingsError, match=message):
        plan_training(folder, TrainSettings(**settings))


def test_what_several_devices_cannot_do_is_refused(make_shards, monkeypatch):
    monkeypatch.setattr(devices, "_tensorflow_devices", lambda: ("GPU:0", "GPU:1"))
    folder, _ = make_shards({"train": [5]})
    assert plan_training(folder, TrainSettings(devices=0)).devices == ("GPU:0", "GPU:1")
    with pytest.raises(SettingsError, match="batch_size must be divisible by the 2 devices"):
        plan_training(folder, TrainSettings(devices=2, batch_size=9))
    mixing = dataclasses.replace(NO_CHANGES, mixup=0.2)
    with pytest.raises(SettingsError, match="mixup and cutmix mix images of one device"):
        plan_training(folder, TrainSettings(devices=2, augment=mixing))


@pytest.mark.parametrize(
    ("capability", "expected"),
    [("8.0", True), ("10.0", True), ("7.5", False), ("gfx942", True), ("gfx1030", False)],
)
def test_devices_of_every_maker_are_asked_for_bfloat16(monkeypatch, capability, expected):
    device = SimpleNamespace(platform="gpu", device_kind="it", compute_capability=capability)
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(devices=lambda: [device]))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert devices.bfloat16_device() == ("it", expected)


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("flags\t\t: fpu avx512_bf16\nmodel\nflags\t\t: avx512_bf16", True),
        ("flags\t\t: fpu amx_bf16 amx_int8\n", True),
        ("flags\t\t: fpu avx512_bf16\nflags\t\t: fpu", False),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("Features\t: fp asimd bf16\n", False),
        ("", False),
    ],
)
def test_a_cpu_is_asked_for_bfloat16_too(tmp_path, monkeypatch, cpuinfo, expected):
    file = tmp_path / "cpuinfo"
    file.write_text(cpuinfo)
    assert devices._cpu_multiplies_bfloat16(file) is expected
    assert not devices._cpu_multiplies_bfloat16(tmp_path / "none")
    monkeypatch.setattr(devices, "_cpu_multiplies_bfloat16", lambda: expected)
    assert devices.bfloat16_device() == ("the CPU", expected)
