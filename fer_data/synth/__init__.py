"""Parametric cartoon faces, for the demo and the tests: no data set needed, no licence to mind.

`draw_face` gives one face with all that is true of it; `write_faces` writes a raw data set as
folders, on request with the dirt of real ones, and a ledger of what is true of every file.
"""

from fer_data.synth.face import Face, FaceFacts, describe_face, draw_face
from fer_data.synth.files import KINDS
from fer_data.synth.plan import SynthSettings
from fer_data.synth.writer import LEDGER_COLUMNS, LEDGER_NAME, SynthReport, write_faces

__all__ = [
    "KINDS",
    "LEDGER_COLUMNS",
    "LEDGER_NAME",
    "Face",
    "FaceFacts",
    "SynthReport",
    "SynthSettings",
    "describe_face",
    "draw_face",
    "write_faces",
]
