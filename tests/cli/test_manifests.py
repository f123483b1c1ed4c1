"""`ferdata manifests` says all that a manifest holds, of a shipped one and of a user's own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fer_data.errors import ManifestError
from fer_data.manifest import load_manifest, manifest_dir, manifest_names
from ferdata.main import ferdata
from ferdata.manifest_text import class_words, readable_pattern

every_manifest = pytest.mark.parametrize("name", manifest_names())


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(
        ferdata, ["manifests", *arguments], env={"COLUMNS": "200"}, catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.output


def facts(*arguments: str) -> dict[str, Any]:
    value = json.loads(shown(*arguments, "--json"))
    assert isinstance(value, dict)
    return value


def rows(text: str) -> dict[str, list[str]]:
    """Code → further cells of the rows that start with one."""
    cells = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return {first: rest for first, *rest in cells if rest}


@every_manifest
def test_all_that_a_manifest_holds_is_shown(name: str) -> None:
    manifest = load_manifest(name)
    text = shown(name)
    for part in (manifest.title, manifest.citation, manifest.url, manifest.terms):
        assert part in text
    assert text.count("\n  - ") == len(manifest.layouts)
    for split, words in manifest.splits.items():
        assert f"{split} ({', '.join(words)})" in text
    for code, reason in manifest.unused.items():
        assert f"{code} ({reason})" in text
    found = rows(text)
    for class_name, code in manifest.classes.items():
        counts = [f"{counts[class_name]:,}" for counts in manifest.counts.values()]
        assert found[code] == [class_name, *counts, ", ".join(class_words(manifest, class_name))]
    order = [code for code in found if code in manifest.classes.values()]
    assert order == list(manifest.classes.values())


@every_manifest
def test_the_counts_of_a_split_are_added_up_and_marked(name: str) -> None:
    manifest = load_manifest(name)
    value = facts(name)
    summed = {split: sum(counts.values()) for split, counts in manifest.counts.items()}
    assert value["totals"] == {**summed, **manifest.totals}
    assert value["verified"] == (manifest.verified if value["totals"] else None)
    text = shown(name)
    if value["totals"]:
        totals = [f"{total:,}" for total in value["totals"].values()]
        assert rows(text)["all"] == totals
        mark = "verified, from the files" if manifest.verified else "not verified, from a secondary"
        assert f"Samples of the complete data set: {mark}" in text
    (line,) = [line for line in shown().splitlines() if line.startswith(f"{name} ")]
    assert ("not verified" in line) == (value["verified"] is False)


@every_manifest
def test_layouts_are_put_in_words_without_regular_expressions(name: str) -> None:
    for words in facts(name)["layouts"]:
        assert not re.search(r"\(\?|\\|\[\^", words)


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("ck48", {"subject", "sequence", "frame"}),
        ("ckplus", {"subject", "sequence"}),
        ("jaffe", {"subject"}),
        ("affectnet", {"valence", "arousal"}),
        ("affectnet-96", {"relfcs", "folder_label"}),
        ("ferplus", {"votes_unknown", "votes_nf", "fer2013_label"}),
        ("expw", {"face", "confidence"}),
        ("fer2013", set()),
    ],
)
def test_attributes_are_those_that_samples_will_have(name: str, attributes: set[str]) -> None:
    assert set(facts(name)["attributes"]) == attributes


@every_manifest
def test_a_users_own_file_is_shown_the_same(name: str, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text((manifest_dir() / f"{name}.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert facts(str(own)) == facts(name) == facts()[name]
    assert shown(str(own)) == shown(name)


def test_synonyms_of_ones_own_come_first(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'name="own"\ntitle="Mine"\nclasses=[{name="Happy",code=5,synonyms=["Glücklich"]},'
        '{name="bored",code=1,synonyms=["meh"]}]\n',
        encoding="utf-8",
    )
    synonyms = facts(str(own))["synonyms"]
    assert synonyms["happiness"][:2] == ["glücklich", "happy"]
    assert synonyms["bored"] == ["meh"]
    assert "Samples of the complete data set: not known." in shown(str(own))


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"mine\.toml: cannot be read"):
        shown(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?:.*/)?(?P<label>[A-Za-z]+)/(?P<a>(?P<b>S\d{3})_\d{3})\.png", "{label}/{a}.png"),
        (r"(?P<base>(?:.*/)?)images/(?P<id>\d+)\.(?:jpg|png)", "images/{id}.(jpg|png)"),
        (r"list_par?tition\.txt", "list_pa[r]tition.txt"),
        (r"(?P<label>a|b)(?=/)/.*", r"(?P<label>a|b)(?=/)/.*"),
    ],
)
def test_a_pattern_is_put_as_people_write_paths_or_left_as_it_is(pattern: str, text: str) -> None:
    assert readable_pattern(pattern) == text
