"""Help texts, and how light the programs are."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

import click
import pytest
from click.testing import CliRunner

import ferdata.main
import fermodel.main

GOLDEN_DIR = Path(__file__).parent / "golden"
HEAVY = {"tensorflow", "keras", "sklearn", "skimage", "cv2", "numpy", "pyarrow", "matplotlib"}
PROGRAMS = {"ferdata": ferdata.main.ferdata, "fermodel": fermodel.main.fermodel}
COMMANDS = [
    (program, command)
    for program, group in PROGRAMS.items()
    for command in ["", *group.list_commands(click.Context(group))]
]


@pytest.mark.parametrize(("program", "command"), COMMANDS)
def test_help_is_as_agreed(
    program: str, command: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    arguments = [command, "--help"] if command else ["--help"]
    result = CliRunner().invoke(PROGRAMS[program], arguments, prog_name=program)
    assert result.exit_code == 0
    golden = GOLDEN_DIR / f"{program}{'-' if command else ''}{command}.txt"
    if request.config.getoption("--renew-golden"):
        GOLDEN_DIR.mkdir(exist_ok=True)
        golden.write_text(result.output, encoding="utf-8")
    assert result.output == golden.read_text(encoding="utf-8"), "changed? make golden"
    assert "Example:" in result.output


def test_every_command_is_documented() -> None:
    reference = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    missing = [f"{p} {c}" for p, c in COMMANDS if c and f"`{p} {c}" not in reference]
    assert not missing


@pytest.mark.parametrize(("program", "command"), [pair for pair in COMMANDS if pair[1]])
def test_every_option_is_documented(program: str, command: str) -> None:
    docs = Path(__file__).parents[2] / "docs"
    reference = "".join(path.read_text(encoding="utf-8") for path in docs.glob("*.md"))
    group = PROGRAMS[program]
    found = group.get_command(click.Context(group), command)
    assert found is not None
    options = {name for param in found.params for name in param.opts if name.startswith("-")}
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", reference))
    assert options - known <= {"-d", "-n"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_loads_nothing_heavy(program: str) -> None:
    code = (
        "import json, sys\n"
        f"from {program}.main import {program} as group\n"
        "try: group.main(['--help'], standalone_mode=False)\n"
        "finally: print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stderr)}
    assert not loaded & HEAVY
    assert "Commands:" in done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_takes_little_processor_time(program: str) -> None:
    executable = Path(sys.executable).parent / program
    seconds = []
    for _ in range(10):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([executable, "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert median(seconds) < 0.2


def test_every_reason_of_a_rejection_is_documented() -> None:
    from fer_data.image import REASONS as PICTURE_REASONS
    from fer_data.sources.raw import REASONS as SOURCE_REASONS

    reference = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    missing = [r for r in (*PICTURE_REASONS, *SOURCE_REASONS) if f"`{r}`" not in reference]
    assert not missing
