"""`fermodel models`: what it lists, and that it needs no Keras for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from fer_models.baselines.options import OWN
from fer_models.zoo import NETWORKS, network_presets


def models(*arguments):
    """Runs `fermodel models` as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "fermodel", "models", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )


def test_all_are_listed_with_input_parameters_source_and_presets():
    done = models()
    assert done.returncode == 0, done.stderr
    for network in NETWORKS.values():
        (line,) = [li for li in done.stdout.splitlines() if li.startswith(f"{network.name} ")]
        shape = "x".join(map(str, network.usual_shape))
        parameters = f"{network.num_parameters:,}" if network.num_parameters else "varies"
        for part in (shape, f"{network.usual_classes} classes", parameters):
            assert part in line
        assert network.source in line
        for preset in network.presets:
            assert preset.name in line


def test_one_is_shown_with_the_settings_of_its_presets():
    done = models("cnn4-sched", "--json")
    shown = json.loads(done.stdout)
    assert shown["num_parameters"] == 357_255
    for name, settings in network_presets("cnn4-sched").items():
        written = settings.to_json()
        assert shown["settings"][name] == {n: v for n, v in written.items() if n not in OWN}
    done = models("cnn4-sched")
    assert "without them; 355,847" in done.stdout
    assert "--model cnn4-sched --preset plain" in done.stdout
    assert "at least 10x10" in models("cnn-l2").stdout


def test_an_unknown_one_is_told_with_the_nearest():
    done = models("vgg")
    assert done.returncode == 2
    assert done.stderr.startswith('Error: unknown network "vgg"; expected one of cnn4, ')
    assert 'Did you mean "vgg16"?' in done.stderr


@pytest.mark.parametrize("arguments", [[], ["mobilenet"]])
def test_listing_loads_nothing_heavy(arguments):
    code = (
        "import json, sys\n"
        "from fermodel.models import models\n"
        f"models.main({arguments!r}, standalone_mode=False)\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stderr)}
    assert not loaded & {"tensorflow", "keras", "sklearn", "cv2", "numpy", "pyarrow", "matplotlib"}
