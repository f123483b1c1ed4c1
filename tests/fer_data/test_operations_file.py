"""Operations from TOML, and what is said of a file that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_data.errors import SettingsError
from fer_data.operations import OPERATIONS, PRESETS, Operation
from fer_data.operations_file import find_operations


def test_a_file_sets_operations_probabilities_and_magnitudes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        """\
[[operation]]
name = "rotate"
probability = 0.7
low = -10
high = 10
fill = "nearest"

[[operation]]
name = "flip"
probability = 0.5
""",
        encoding="utf-8",
    )
    assert find_operations(str(path)) == (
        Operation(name="rotate", probability=0.7, low=-10, high=10, fill="nearest"),
        Operation(name="flip", probability=0.5),
    )


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_what_is_left_out_is_the_default(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'[[operation]]\nname = "{name}"\n', encoding="utf-8")
    assert find_operations(str(path)) == (OPERATIONS[name],)


def test_presets_are_found_by_name() -> None:
    assert find_operations("generator") == PRESETS["generator"]
    with pytest.raises(SettingsError, match=r'Did you mean "course"\? A file must end in .toml'):
        find_operations("coarse")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ", line 1: no [[operation]]; expected at least one, with a name; or a preset"),
        ("operation = 3", ", line 1: operation must be tables, [[operation]]; received 3"),
        ("[[operation]", ": not TOML ("),
        (
            '[[operations]]\nname = "flip"',
            ', line 1: unknown key "operations"; expected one of operation. Did you mean "oper',
        ),
        (
            '[[operation]]\nname = "flip"\n\n[[operation]]\nhigh = 3',
            ", line 4: this operation has no name; expected one of flip, rotate",
        ),
        (
            '[[operation]]\nname = "flip"\n[[operation]]\n\nname = "turn"',
            ', line 5: unknown operation "turn"; expected one of flip, rotate',
        ),
        (
            '[[operation]]\nname = "flip"\nprobabilty = 0.5',
            ', line 3: unknown key "probabilty"; expected one of name, probability, low, high, '
            'fill. Did you mean "probability"?',
        ),
        (
            '[[operation]]\nname = "flip"\nprobability = "0.5"',
            ', line 3: probability must be a number; received "0.5"',
        ),
        ("[[operation]]\nname = 3", ", line 2: name must be a text; received 3"),
        (
            '[[operation]]\nname = "zoom"\nlow = true',
            ", line 3: low must be a number; received true",
        ),
        (
            '[[operation]]\nname = "rotate"\nlow = -10\nhigh = 50',
            ", line 4: rotate: high must be 0 to 25; received 50",
        ),
        (
            '[[operation]]\nname = "zoom"\nhigh = 1.1\nlow = 1.2',
            ", line 4: zoom: low must not exceed high; received 1.2 and 1.1",
        ),
        (
            '[[operation]]\nprobability = 2\nname = "zoom"',
            ", line 2: zoom: probability must be 0 to 1; received 2",
        ),
        (
            '[[operation]]\nname = "rotate"\nfill = "black"',
            ', line 3: rotate: fill must be "crop", or "nearest" for rotate; received "black"',
        ),
        ('[[operation]]\nname = "rotate"\nhigh = nan', ", line 3: rotate: high must be 0 to 25"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        find_operations(str(path))
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="none.toml: cannot be read .No such file"):
        find_operations(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(SettingsError, match=r"latin.toml: not TOML .'utf-8' codec"):
        find_operations(str(tmp_path / "latin.toml"))
