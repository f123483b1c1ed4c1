"""Trains the tiny network in a process of its own: under another backend, or to be killed.

`python train_tiny.py SHARDS RUN SETTINGS [DEVICES]`: SETTINGS as JSON, DEVICES logical
CPUs, which train a plain network if given as 2. Goes on with RUN where it is there.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""


def main(shards_dir: Path, run_dir: Path, settings: str, num_devices: int = 1) -> None:
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={num_devices}"
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration()] * num_devices
    tf.config.set_logical_device_configuration(cpu, logical)
    from fer_models import session
    from fer_models.settings import settings_from_json
    from fer_models.train import train
    from tests.fer_models.tiny_network import build_plain, build_tiny

    session.build_network = build_tiny if num_devices == 1 else build_plain
    resume = (run_dir / "settings.toml").exists()
    report = train(shards_dir, run_dir, settings_from_json(json.loads(settings)), resume=resume)
    print(json.dumps(report.to_json()))


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2])]
    warnings.simplefilter("ignore")  # what third parties say while they are imported
    shards, run, chosen, *devices = sys.argv[1:]
    main(Path(shards), Path(run), chosen, *map(int, devices))
