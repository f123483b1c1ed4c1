"""How good a network is while it is trained."""

from __future__ import annotations

from typing import Any

from fer_models.metrics import Metrics, measure
from fer_models.plan import TrainPlan
from fer_models.stream import ShardStream
from fer_models.training_batches import fill_up


def judge(network: Any, stream: ShardStream, plan: TrainPlan) -> Metrics:
    """How good a network is on a split.

    Args:
        network: `keras.Model` from uint8 images to probabilities.
        stream: of the split; the devices of the plan share each batch but the last evenly.
        plan: of the run.

    Raises:
        DamagedShardError: a shard is not what the index says.
    """

    def images_only(images: Any, _labels: Any) -> Any:
        return (fill_up(images, plan.num_devices) if plan.num_devices > 1 else images,)

    with stream.explain_damage():
        probabilities = network.predict(stream.in_order().map(images_only), verbose=0)
    # what filled up the last batch stands behind all others
    return measure(stream.labels(), probabilities[: stream.num_samples], plan.index.class_names)
