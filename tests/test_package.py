"""What is shipped, and what the repository holds."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from fer_data.manifest import manifest_names

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_the_packages_and_the_manifests(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in manifest_names():
        assert f"fer_data/manifests/{name}.toml" in names
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"fer_data", "fer_models", "fercli", "ferdata", "fermodel"}
    assert "fer_models/report/report.html.jinja" in names


def test_constraints_pin_every_line_and_name_no_host() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", pin) for pin in pins)
