"""The accelerators of this host: how many there are, what they can, and how they share batches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fer_data.errors import SettingsError


def keep_tensorflow_on_cpu() -> None:
    """Leaves the accelerators to another backend: TensorFlow takes all of their memory otherwise.

    It still streams the data there. To be called before it first uses one.
    """
    import keras
    import tensorflow as tf

    if keras.backend.backend() == "tensorflow":
        return
    with contextlib.suppress(RuntimeError):  # it has begun already
        tf.config.set_visible_devices([], "GPU")


def find_devices(wanted: int) -> tuple[str, ...]:
    """The accelerators that share each batch, as the backend names them; or CPUs without any.

    Args:
        wanted: how many; 0 for all.

    Raises:
        SettingsError: there are fewer, or the backend cannot share batches.
    """
    import keras

    backend = keras.backend.backend()
    if backend == "torch":
        if wanted > 1:
            raise SettingsError(
                f"devices must be 1 under PyTorch; received {wanted}. Several share batches under "
                "KERAS_BACKEND=tensorflow and jax"
            )
        return ("torch",)
    names = _jax_devices() if backend == "jax" else _tensorflow_devices()
    if wanted > len(names):
        raise SettingsError(
            f"devices must be at most {len(names)}, which is what this host has "
            f"({', '.join(names)}); received {wanted}"
        )
    return names[:wanted] if wanted else names


@contextlib.contextmanager
def sharing(devices: Sequence[str]) -> Iterator[None]:
    """While it lasts, networks are built on these devices, and share each batch that they meet.

    Sizes of batches must be divisible by the number of devices.
    """
    import keras

    if len(devices) < 2:
        yield
    elif keras.backend.backend() == "jax":
        before = keras.distribution.distribution()
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(devices=list(devices), auto_shard_dataset=False)
        )
        try:
            yield
        finally:
            keras.distribution.set_distribution(before)
    else:
        import tensorflow as tf

        with tf.distribute.MirroredStrategy(list(devices)).scope():
            yield


def bfloat16_device() -> tuple[str, bool]:
    """The name of the accelerator that is used, and whether it is quick with bfloat16.

    Without one that is `"the CPU"`, which is quick only under TensorFlow, and where it multiplies
    bfloat16 itself (`tests/benchmarks/bench_train.py` measures it).
    """
    import keras

    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        name = "the CPU" if device.platform == "cpu" else str(device.device_kind)
        # "8.0", or "gfx942" under ROCm
        capability = str(getattr(device, "compute_capability", None) or 0)
        try:
            is_quick = float(capability) >= 8
        except ValueError:
            is_quick = capability.startswith(("gfx90a", "gfx94", "gfx95"))
        return name, device.platform == "tpu" or is_quick
    if backend == "torch":
        import torch

        if not torch.cuda.is_available():
            return "the CPU", False
        return torch.cuda.get_device_name(), torch.cuda.get_device_capability() >= (8, 0)
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        details: dict[str, Any] = tf.config.experimental.get_device_details(gpu)
        name = details.get("device_name", "the GPU")
        return name, details.get("compute_capability", (0, 0)) >= (8, 0)
    return "the CPU", _cpu_multiplies_bfloat16()


def _cpu_multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether Linux says so of every core; other systems are not asked."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = [set(line.split()) for line in lines if line.startswith("flags")]
    return bool(flags) and all({"avx512_bf16", "amx_bf16"} & known for known in flags)


def _tensorflow_devices() -> tuple[str, ...]:
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tuple(device.name.removeprefix("/device:") for device in found)


def _jax_devices() -> tuple[str, ...]:
    import keras

    return tuple(keras.distribution.list_devices())
