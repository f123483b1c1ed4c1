from __future__ import annotations

from pathlib import Path

import pytest

from fer_data.errors import ManifestError, UnknownNameError
from fer_data.manifest import (
    FileLayout,
    detect_csv_layout,
    detect_file_layout,
    load_manifest,
    manifest_names,
)
from fer_data.sources.labels import PathLabeler
from fer_data.sources.raw import REASONS, Facts, Rejection

MANIFESTS = [load_manifest(name) for name in manifest_names()]


@pytest.mark.parametrize("name", manifest_names())
def test_every_shipped_manifest_loads_under_its_own_name(name: str) -> None:
    assert load_manifest(name).name == name


def test_fer2013_codes_are_in_the_published_order() -> None:
    manifest = load_manifest("fer2013")
    names = [manifest.class_name(str(code)) for code in range(7)]
    expected = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    assert names == expected
    assert manifest.class_name("7") is None
    assert sum(manifest.counts["train"].values()) == 28_709
    assert sum(manifest.counts["validation"].values()) == 3_589


@pytest.mark.parametrize(
    ("path", "label", "split"),
    [
        ("train/angry/fer0000000.png", "anger", "train"),
        ("public_test/happy/fer0028709.png", "happiness", "validation"),
        ("test/sad/PublicTest_123.jpg", "sadness", "validation"),
        ("test/sad/PrivateTest_123.jpg", "sadness", "test"),
        ("train/fear/Training_5.jpg", "fear", "train"),
        ("test/disgusted/im3.png", "disgust", "test"),
    ],
)
def test_every_copy_of_fer2013_is_known_by_its_paths(path: str, label: str, split: str) -> None:
    found = detect_file_layout([path] * 20, MANIFESTS)
    assert found is not None
    manifest, layout = found
    assert manifest.name == "fer2013"
    facts = PathLabeler(manifest, layout).facts(path)
    assert facts == (Facts(label=label, split=split),)


@pytest.mark.parametrize(
    "columns", [["emotion", "pixels", "Usage"], ["emotion", "Usage", "pixels"]]
)
def test_both_column_orders_of_the_csv_are_known(columns: list[str]) -> None:
    found = detect_csv_layout(columns, MANIFESTS)
    assert found is not None
    assert found[0].name == "fer2013"


@pytest.mark.parametrize(
    ("path", "label", "split"),
    [
        ("happy/1.png", "happiness", None),
        ("a/b/Joy/session2/1.png", "happiness", None),
        ("train/Surprised/1.png", "surprise", "train"),
        ("val/tired/1.png", "tired", "validation"),
    ],
)
def test_class_folders_are_read_at_any_depth(path: str, label: str, split: str | None) -> None:
    facts = PathLabeler(load_manifest("folders"), FileLayout()).facts(path)
    assert facts == (Facts(label=label, split=split),)


@pytest.mark.parametrize("path", ["1.png", "train/1.png"])
def test_a_file_in_no_class_folder_is_rejected(path: str) -> None:
    (facts,) = PathLabeler(load_manifest("folders"), FileLayout()).facts(path)
    assert isinstance(facts, Rejection)
    assert facts.reason == "no-class"


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("fer2013", {"train": 28_709, "validation": 3_589, "test": 3_589}),
        ("ferplus", {"train": 25_060, "validation": 3_199, "test": 3_153}),
        ("rafdb", {"train": 12_271, "test": 3_068}),
        ("affectnet-96", {"all": 29_042}),
        ("affectnet", {"train": 287_651, "validation": 4_000}),
        ("ck48", {"all": 981}),
        ("ckplus", {"all": 981 + 327}),
        ("jaffe", {"all": 213}),
        ("expw", {"all": 91_793}),
    ],
)
def test_the_expected_counts_add_up(name: str, counts: dict[str, int]) -> None:
    manifest = load_manifest(name)
    found = {split: sum(each.values()) for split, each in manifest.counts.items()}
    assert {**found, **manifest.totals} == counts


def test_counts_from_a_secondary_source_are_marked() -> None:
    unverified = {manifest.name for manifest in MANIFESTS if not manifest.verified}
    assert unverified == {"affectnet", "expw", "jaffe"}
    (remark,) = load_manifest("jaffe").count_remarks({"": {"anger": 1}})
    assert remark.endswith("(by figures that are not verified)")


def test_every_known_set_names_its_source_and_terms() -> None:
    for manifest in MANIFESTS:
        if manifest.classes:
            assert manifest.citation
            assert manifest.url.startswith("http")
            assert manifest.terms


def test_a_published_accuracy_of_people_has_a_source(tmp_path: Path) -> None:
    found = load_manifest("fer2013").human_accuracy
    assert str(found) == "65% ± 5 (Goodfellow et al. 2013, arXiv:1307.0414)"
    path = tmp_path / "mine.toml"
    for wrong in ('{value = 0.9}', '{value = 90, source = "x"}', '{value = "x", source = "x"}',
                  '0.9', '{value = 0.9, source = " "}', '{value = 0.9, source = "x", of = 1}',
                  '{value = 0.9, source = 3}'):  # fmt: skip
        path.write_text(f'name = "mine"\ntitle = "x"\nhuman_accuracy = {wrong}\n', "utf-8")
        with pytest.raises(ManifestError, match=r"mine.toml: human_accuracy needs"):
            load_manifest(str(path))


def test_a_manifests_class_may_be_named_by_a_synonym(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name="mine"\ntitle="x"\nclasses=[{name="Happy",code=5,synonyms=["Glücklich"]},'
        '{name="bored",code=1,synonyms="DULL"}]',
        encoding="utf-8",
    )
    manifest = load_manifest(str(path))
    assert list(manifest.classes) == ["happiness", "bored"]
    words = ["5", "joy", "glücklich", "BORED", "1", "dull", "d", "sad"]
    expected = ["happiness", "happiness", "happiness", "bored", "bored", "bored", None, None]
    assert [manifest.class_name(word) for word in words] == expected


def test_plain_class_folders_are_no_known_set() -> None:
    assert detect_file_layout(["happy/1.png", "sad/2.png"], MANIFESTS) is None


def test_an_unknown_manifest_gets_the_nearest_name_suggested() -> None:
    with pytest.raises(UnknownNameError, match='"fer2031".*Did you mean "fer2013"'):
        load_manifest("fer2031")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name="x"\ntitle="x"\ncolour="red"', 'unknown field "colour"'),
        (
            'name="x"\ntitle="x"\nclasses=[{name="a",code=0},{name="a",code=1}]',
            'classes lists "a" twice; expected unique names',
        ),
        ('name="x"\ntitle="x"\n[splits]\ntesting=["t"]', 'unknown split "testing"'),
        (
            'name="x"\ntitle="x"\nclasses=[{name="a",code=0},{name="b",code=0}]',
            'classes lists the code "0" twice; expected unique codes',
        ),
        (
            'name="x"\ntitle="x"\nclasses=[{name="a",code=0,color=1}]',
            'a class has the unknown field "color"',
        ),
        *(
            (
                f'name="x"\ntitle="x"\nclasses=[{{name="a",code=0,synonyms={words}}}]',
                f'synonyms of "a" must be a list of words; received {words}',
            )
            for words in ("3", "[3]")
        ),
        ('name="x"\ntitle="x"\nclasses=["a"]', "classes must be a list of tables"),
        ('name="x"\ntitle=7', "title must be a text; received 7"),
        ('name="x"\ntitle="x"\nverified="no"', "verified must be true or false; received 'no'"),
        ('name="x"\ntitle="x"\n[unused]\n8="none"', 'unused has the reason "none"'),
        ('name="x"\ntitle="x"\n[counts.train]\nanger=1', 'counts.train has "anger", which is no'),
        ('name="x"\ntitle="x"\n[totals]\ntrain="many"', "totals must be a table of counts"),
        ('name="x"\ntitle="x"\n[[layouts]]\nkind="xml"', 'layout kind is "xml"'),
        (
            'name="x"\ntitle="x"\n[[layouts]]\nkind="files"\ncolor="red"',
            'layout files: unknown field "color"; expected one of pattern',
        ),
        (
            'name="x"\ntitle="x"\n[[layouts]]\nkind="table"\nfile="a"\nlabel="l"',
            'layout table: has no field "path", which it needs',
        ),
        (
            'name="x"\ntitle="x"\n[[layouts]]\nkind="table"\nfile="a"\npath="p"',
            "needs either label or votes",
        ),
        (
            'name="x"\ntitle="x"\n[[layouts]]\nkind="table"\nfile="a"\npath="p"\nlabel="l"\n'
            'box=["a"]',
            "box must name 4 columns",
        ),
        (
            'name="x"\ntitle="x"\n[[layouts]]\nkind="table"\nfile="a"\npath="p"\nlabel="l"\n'
            'pictures=["{name}.jpg"]',
            "'{name}.jpg' cannot be filled; expected some of {path} {stem} {suffix}",
        ),
        (
            'name="x"\ntitle="x"\n[[layouts]]\nkind="sequences"\nframes="(?P<frame>.)"\nlabels="x"',
            "no group named sequence",
        ),
        (
            'name="x"\ntitle="x"\n[[layouts]]\nkind="sidecars"\npattern="(?P<id>.)"\nlabel="{no}"',
            "'{no}' cannot be filled; expected some of {id}",
        ),
        ('name="x"\ntitle="x"\n[[layouts]]\nkind="files"\npattern="(.*"', "pattern"),
        ('name="x"\ntitle="x"\n[[layouts]]\nkind="files"\npattern=".*"', "no group named label"),
        ("name=", "cannot be read"),
        ('name="x"', "title"),
    ],
)
def test_a_wrong_manifest_names_the_file_and_the_fault(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match="mine.toml") as caught:
        load_manifest(str(path))
    assert message in str(caught.value)


def test_counts_that_differ_from_the_complete_set_are_remarked() -> None:
    manifest = load_manifest("fer2013")
    classes = {"train": dict(manifest.counts["train"]), "validation": {"anger": 1}}
    train, validation, test = manifest.count_remarks(classes)
    assert train == "train: complete, all 28,709 samples"
    assert "differs from the complete set in 7 classes" in validation
    assert test.startswith("test: absent")


def test_the_manifest_in_the_docs_loads(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    manifest = load_manifest(str(path))
    assert manifest.class_name("Glücklich") == "happiness"
    found = detect_file_layout(["lab/p1_2.png"], [manifest])
    assert found is not None
    (facts,) = PathLabeler(*found).facts("lab/p1_2.png")
    assert facts == Facts(label="bored", split="train", attributes={"subject": "p1"})


def test_the_docs_name_every_manifest_and_reason() -> None:
    text = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    assert [name for name in (*manifest_names(), *REASONS) if f"`{name}`" not in text] == []
