"""How programs end, and what they say of libraries that are not there."""

from __future__ import annotations

import re
import sys

import click
import pytest

import ferdata.main
import fermodel.main
from fer_data.errors import SettingsError
from fer_models.errors import MissingLibraryError
from fermodel.quiet import load_keras


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (ferdata.main, "interrupted; what was finished is kept, the same command does the rest"),
        (fermodel.main, "interrupted; what was finished is kept"),
    ],
)
def test_an_interrupted_program_promises_no_more_than_is_true(
    program, expected, monkeypatch, capsys
):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(click.Group, "main", interrupt)
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == f"Error: {expected}\n"


@pytest.mark.parametrize(
    ("backend", "missing", "advice"),
    [
        ("", "keras", "pip install tensorflow"),
        ("", "tensorflow", "pip install tensorflow"),
        ("torch", "tensorflow", "pip install tensorflow"),
        ("jax", "jax", "pip install jax"),
    ],
)
def test_a_library_that_is_not_installed_is_named(backend, missing, advice, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setitem(sys.modules, missing, None)
    message = f"networks need {missing}, which is not installed: {advice}"
    with pytest.raises(MissingLibraryError, match=re.escape(message)):
        load_keras()


def test_a_backend_that_is_none_is_named(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "pytorch")
    message = 'KERAS_BACKEND is "pytorch"; expected tensorflow, jax or torch'
    with pytest.raises(SettingsError, match=re.escape(message)):
        load_keras()
