"""Lines of keys in TOML."""

from __future__ import annotations

import tomllib

import pytest

from fer_data.toml_lines import line_of

TEXT = '''\
name = "a # no comment"  # [no] = "table"
day = 1979-05-27 07:32:00  # with a blank inside

[balance] # lift
to = "max"
"quoted key".'part' = 1
text = """
[[operation]]
to = 1 \\""" still"""

list = [
    1, # one
    [2,
     3], { name = "x",  high = 4 },
]
[[operation]]
name = "flip"
  [[ operation ]]
  high = 3
  name = "ro\\"tate"
[operation.more]
deep = { a.b = 1, c = \'\'\'
\'\'\', d = 2 }
[last]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 1),
        (("day",), 2),
        (("balance",), 4),
        (("balance", "to"), 5),
        (("balance", "quoted key", "part"), 6),
        (("balance", "text"), 7),
        (("balance", "list", 0), 12),
        (("balance", "list", 1, 1), 14),
        (("balance", "list", 2, "high"), 14),
        (("operation",), 16),
        (("operation", 0), 16),
        (("operation", 0, "name"), 17),
        (("operation", 1), 18),
        (("operation", 1, "high"), 19),
        (("operation", 1, "name"), 20),
        (("operation", 1, "more", "deep"), 22),
        (("operation", 1, "more", "deep", "a", "b"), 22),
        (("operation", 1, "more", "deep", "d"), 23),
        (("last",), 24),
    ],
)
def test_line_of_a_key(path: tuple[str | int, ...], line: int) -> None:
    value: object = tomllib.loads(TEXT)  # what is looked for is there
    for key in path:
        value = value[key]  # type: ignore[index]
    assert line_of(TEXT, path) == line
    assert line_of(TEXT.replace("\n", "\r\n"), path) == line


def test_line_of_what_is_missing_is_the_nearest_around_it() -> None:
    assert line_of(TEXT, ("operation", 1, "fill")) == 18
    assert line_of(TEXT, ("operation", 7)) == 16
    assert line_of(TEXT, ("split", "ratios")) == 1


@pytest.mark.parametrize("text", ["", "a = ", "[", "a = [1", 'a = "', "= 1", "a = {b"])
def test_text_that_is_no_toml_does_not_hang(text: str) -> None:
    assert line_of(text, ("a",)) == 1
