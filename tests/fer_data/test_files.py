"""Files that cannot be written are named."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from fer_data.files import write_file


def test_a_read_only_disk_names_the_file_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OSError, match="Read-only") as caught:
        write_file(tmp_path / "table.parquet", b"text")
    assert caught.value.filename == str(tmp_path / "table.parquet")
