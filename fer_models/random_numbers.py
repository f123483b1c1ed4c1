"""Random numbers of a seed and a counter: any one can be drawn alone, in TensorFlow's operations.

SplitMix64 (Steele, Lea and Flood 2014): a counter that is mixed.
"""

from __future__ import annotations

from typing import Any


def draw_uniform(numbers: Any, seed: tuple[int, ...], num_draws: int) -> Any:
    """Random numbers from 0 to below 1 for each counter.

    Args:
        numbers: int64 tensor of shape (batch,).
        seed: integers; all of them count.
        num_draws: how many a counter.

    Returns:
        float32 tensor of shape (batch, num_draws).
    """
    import tensorflow as tf

    def mix(counter: Any) -> Any:
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            counter = tf.bitwise.bitwise_xor(counter, tf.bitwise.right_shift(counter, u64(shift)))
            counter *= u64(factor)
        return tf.bitwise.bitwise_xor(counter, tf.bitwise.right_shift(counter, u64(31)))

    def u64(value: int) -> Any:
        return tf.constant(value, tf.uint64)

    key = u64(0)
    for part in seed:
        key = mix(key + u64(part) * u64(0x9E3779B97F4A7C15))
    # (batch, 1) * num_draws + (1, num_draws) -> (batch, num_draws)
    counters = tf.cast(numbers, tf.uint64)[:, tf.newaxis] * u64(num_draws)
    counters += tf.cast(tf.range(num_draws), tf.uint64)[tf.newaxis]
    bits = mix(key + (counters + u64(1)) * u64(0x9E3779B97F4A7C15))
    return tf.cast(tf.bitwise.right_shift(bits, u64(40)), tf.float32) * 2.0**-24
