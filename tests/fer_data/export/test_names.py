"""File names are safe on every system and stand once."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_data.export.names import UniqueNames, picture_stem, safe_name


@given(st.text())
def test_every_text_becomes_a_safe_name(text: str) -> None:
    name = safe_name(text)
    assert name == safe_name(name)
    assert 0 < len(name.encode()) <= 151
    assert not set(name) & set('<>:"/\\|?*')
    assert all(ord(char) >= 32 for char in name)
    assert name[0] not in ".~ "
    assert name[-1] not in ". "
    assert name == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("喜び é", "喜び é"),
        ("e\u0301", "é"),
        ("NUL", "_NUL"),
        ("com1.png", "_com1.png"),
        ("console", "console"),
        ("..", "_"),
        ("", "_"),
        ("\ud800x", "_x"),
        ("ß" * 200, "ß" * 75),
    ],
)
def test_names_that_systems_refuse_are_changed(text: str, name: str) -> None:
    assert safe_name(text) == name


@pytest.mark.parametrize(
    ("key", "stem"),
    [
        ("fer2013/train/disgust/fer0000299.png#3", "fer0000299#3"),
        ("ck/S010_004_00000017.PNG", "S010_004_00000017"),
        ("fer2013/row-0000012", "row-0000012"),
        ("src/photo.v2.jpeg", "photo.v2"),
        ("src/.png", "_"),
    ],
)
def test_a_picture_is_called_as_its_file_was(key: str, stem: str) -> None:
    assert picture_stem(key) == stem


@given(st.lists(st.tuples(st.sampled_from(["a", "A", "\uff41", "é", "b"]), st.text(max_size=2))))
def test_names_stand_once_even_where_case_does_not_count(pairs: list[tuple[str, str]]) -> None:
    names = UniqueNames()
    given_out = [names.take(name, key) for name, key in pairs]
    folded = {unicodedata.normalize("NFKC", name).casefold() for name in given_out}
    assert len(folded) == len(pairs)
    for (name, _), got in zip(pairs, given_out, strict=True):
        assert got.startswith(name)
