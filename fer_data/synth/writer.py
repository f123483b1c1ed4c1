"""Writes a synthetic set to disk, with a ledger of what is true of every file."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from fer_data.errors import SettingsError
from fer_data.synth.content import make_content
from fer_data.synth.face import describe_face
from fer_data.synth.files import KINDS, PlannedFile, plan_files
from fer_data.synth.plan import SynthSettings

LEDGER_NAME = "ledger.csv"
#: Written first: says that the folder is ours and with what settings.
MARKER_NAME = ".ferkit-synth.json"
_FORMAT_VERSION = 1
#: Named so that nobody takes the ledger for a label file: it tells what a set hides.
LEDGER_COLUMNS = (
    "path", "folder_class", "split", "kind", "source_path", "true_emotion", "intensity", "identity",
    "roll", "yaw", "pitch", "occlusion", "brightness",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthReport:
    """What was written.

    Attributes:
        out_dir: the set's folder.
        ledger_path: one row a file: path, label, kind and what is true of it.
        num_files: files of the set, the ledger not counted.
        num_written: files that were not there before this run.
        class_counts: clean faces of each class.
        kind_counts: files of each kind, "clean" first.
    """

    out_dir: Path
    ledger_path: Path
    num_files: int
    num_written: int
    class_counts: dict[str, int]
    kind_counts: dict[str, int]


def write_faces(
    out_dir: Path,
    settings: SynthSettings,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> SynthReport:
    """Writes the set to `out_dir`; files that stand there already are kept.

    The same settings give the same bytes. After a kill the same call completes the set; the
    ledger is written last.

    Args:
        out_dir: a new or empty folder, or one written before with the same settings.
        settings: what to draw.
        on_progress: called with the number of files done and of all files.

    Returns:
        What was written.

    Raises:
        SettingsError: the folder holds something else.
    """
    _claim(out_dir, settings)
    files = plan_files(settings)
    for folder in sorted({(out_dir / file.path).parent for file in files}):
        folder.mkdir(parents=True, exist_ok=True)
    num_written = 0
    for done, file in enumerate(files, start=1):
        path = out_dir / file.path
        if not path.exists():
            _write(path, make_content(settings, file))
            num_written += 1
        if on_progress is not None:
            on_progress(done, len(files))
    ledger_path = out_dir / LEDGER_NAME
    _write(ledger_path, _ledger(settings, files).encode())
    kinds = Counter(file.kind for file in files)
    classes = Counter(file.class_name for file in files if file.kind == "clean")
    return SynthReport(
        out_dir=out_dir,
        ledger_path=ledger_path,
        num_files=len(files),
        num_written=num_written,
        class_counts={name: classes[name] for name in settings.class_names},
        kind_counts={kind: kinds[kind] for kind in KINDS if kinds[kind]},
    )


def _claim(out_dir: Path, settings: SynthSettings) -> None:
    """Makes the folder ours, or says why it cannot be."""
    if out_dir.exists() and not out_dir.is_dir():
        raise SettingsError(f"{out_dir} is a file; expected a folder to write the faces into.")
    marker_path = out_dir / MARKER_NAME
    marker = json.dumps({"format": _FORMAT_VERSION, **asdict(settings)}, indent=1) + "\n"
    if marker_path.is_file():
        found = marker_path.read_text(encoding="utf-8")
        if found != marker:
            raise SettingsError(
                f"{out_dir} holds a synthetic set of other settings"
                f" ({_differences(found, marker)}); expected the same."
                " Write into another folder, or delete this one first."
            )
        return
    if out_dir.is_dir() and any(out_dir.iterdir()):
        raise SettingsError(
            f"{out_dir} is not empty and was not written by synth; expected a new or empty folder."
            " Write into another folder, or empty this one first."
        )
    out_dir.mkdir(parents=True, exist_ok=True)
    _write(marker_path, marker.encode())


def _differences(found: str, wanted: str) -> str:
    try:
        old = json.loads(found)
    except json.JSONDecodeError:
        return f"{MARKER_NAME} is damaged"
    new = json.loads(wanted)
    if not isinstance(old, dict):
        return f"{MARKER_NAME} is damaged"
    return ", ".join(f"{k} {old.get(k)}, now {new[k]}" for k in new if old.get(k) != new[k])


def _write(path: Path, content: bytes) -> None:
    """Writes beside the place and renames, so that a file is there whole or not at all."""
    part_path = path.with_name(f".{path.name}.part")
    part_path.write_bytes(content)
    part_path.replace(path)


def _ledger(settings: SynthSettings, files: list[PlannedFile]) -> str:
    """The ledger as CSV text: one row a file, in the order of the files."""
    text = io.StringIO()
    writer = csv.DictWriter(text, LEDGER_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for file in files:
        row = {
            "path": file.path,
            "folder_class": file.class_name,
            "split": file.split,
            "kind": file.kind,
            "source_path": file.source_path,
        }
        writer.writerow(row | _facts(settings, file))
    return text.getvalue()


def _facts(settings: SynthSettings, file: PlannedFile) -> dict[str, str]:
    """What is true of the face on a file; nothing where there is no face."""
    if file.face_index is None:
        return {}
    facts = describe_face(settings, file.face_index)
    return {
        "true_emotion": facts.emotion,
        "intensity": f"{facts.intensity:.3f}",
        "identity": facts.identity.name,
        "roll": f"{facts.pose.roll:.1f}",
        "yaw": f"{facts.pose.yaw:.1f}",
        "pitch": f"{facts.pose.pitch:.1f}",
        "occlusion": facts.occlusion,
        "brightness": f"{facts.light.brightness:.3f}",
    }
