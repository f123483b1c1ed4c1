"""A target is there whole or not at all, and nothing foreign is ever replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fer_data.errors import SettingsError
from fer_data.export.target import MARK_NAME, write_target


def fill(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "a.txt").write_text("four")
    (folder / "b.txt").write_text("")


def export(out_dir: Path) -> None:
    write_target(out_dir, fill, lambda: {"name": "x"})


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_target_is_made_marked_and_replaced(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    for _ in range(2):
        export(out)
        assert names(out) == ["b.txt", "deep", "deep/a.txt", MARK_NAME]
        assert json.loads((out / MARK_NAME).read_text()) == {
            "format": "ferkit-export", "name": "x", "files": 2, "bytes": 4,
        }  # fmt: skip
    assert names(out.parent) == ["out", *(f"out/{name}" for name in names(out))]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export(tmp_path / "out")
    assert (tmp_path / "out" / MARK_NAME).is_file()


def test_what_is_no_export_stays(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    other = tmp_path / "other"
    other.mkdir()
    (other / MARK_NAME).write_text('{"format": "other"}')
    before = names(tmp_path)
    for path, message in ((file, "is no folder"), (folder, "and no export"), (other, "no export")):
        with pytest.raises(SettingsError, match=f"{path.name}: .*{message}; remove it, or name"):
            export(path)
    assert names(tmp_path) == before
    assert file.read_text() == "mine"


@pytest.mark.parametrize("change", ["add", "remove", "edit"])
def test_an_export_that_was_changed_stays(tmp_path: Path, change: str) -> None:
    out = tmp_path / "out"
    export(out)
    if change == "add":
        (out / "deep" / "notes.txt").write_text("mine")
    elif change == "remove":
        (out / "b.txt").unlink()
    else:
        (out / "b.txt").write_text("mine")
    before = names(out)
    with pytest.raises(SettingsError, match=r"holds \d files of .* bytes; its export wrote 2 of 4"):
        export(out)
    assert names(out) == before


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    export(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(SettingsError, match="link: is no folder"):
        export(tmp_path / "link")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="broken: is no folder"):
        export(tmp_path / "broken")


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def fail(folder: Path) -> None:
        fill(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_target(out, fail, dict)
    assert names(tmp_path) == []
    export(out)
    before = names(tmp_path)
    with pytest.raises(OSError, match="No space"):
        write_target(out, fail, dict)
    assert names(tmp_path) == before


def test_a_rename_that_fails_puts_the_old_export_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export(out)
    before = names(tmp_path)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if target == out and "-before" not in self.name:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="Input/output"):
        export(out)
    assert names(tmp_path) == before


def test_what_a_killed_export_left_is_removed(tmp_path: Path) -> None:
    leftover = tmp_path / ".out.999.export-tmp"
    leftover.mkdir()
    fill(leftover)
    (tmp_path / ".outer.999.export-tmp").mkdir()
    export(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".outer.999.export-tmp", "out"]
