"""The pictures of an audit: a page on which decisions are changed and saved, and a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
from jinja2 import Environment, StrictUndefined

from fer_data.contact_sheet import SheetRow, draw_sheet
from fer_data.version import ferkit_version
from fer_models.label_errors import ClassRow
from fer_models.report.gallery import encode_picture
from fer_models.suspects import Suspect

_NUM_ON_SHEET = 100
_NUM_ON_PAGE = 600  # decisions that a person would look at in an hour; the CSV holds all


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditContent:
    """All that the page tells of.

    Attributes:
        title: what was audited.
        num_samples: whose labels were looked at.
        accuracy: share of the labels that the predictions agree with.
        num_estimated: estimated number of wrong labels.
        rows: one a class.
        suspects: the most suspect first.
        num_decided: of them, that `decisions.csv` decides on.
        action: what it decides: `"drop"` or `"relabel"`.
    """

    title: str
    num_samples: int
    accuracy: float
    num_estimated: int
    rows: Sequence[ClassRow]
    suspects: Sequence[Suspect]
    num_decided: int
    action: str


def render_audit(content: AuditContent) -> str:
    """The page, as UTF-8 HTML; every name and key in it is escaped.

    It shows what is decided and, up to twice as many, what would be next. Decisions that it has no
    room for are kept as they are when the page saves them.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    text = resources.files("fer_models.report").joinpath("audit.html.jinja").read_text("utf-8")
    shown = content.suspects[: min(2 * content.num_decided, _NUM_ON_PAGE)]
    unseen = content.suspects[len(shown) : content.num_decided]
    relabels = content.action == "relabel"
    return environment.from_string(text).render(
        content=content,
        shown=[
            {"suspect": each, "source": encode_picture(each.pixels), "decided": number}
            for number, each in enumerate(shown, 1)
        ],
        unseen=[[each.key, content.action, each.likely if relabels else ""] for each in unseen],
        version=ferkit_version(),
    )


def draw_suspects(suspects: Sequence[Suspect]) -> bytes:
    """The most suspect pictures on one sheet, as PNG: the label, and below it the likely class."""
    shown = suspects[:_NUM_ON_SHEET]
    images = np.stack([each.pixels for each in shown]) if shown else np.empty((0, 1, 1, 1), "u1")
    captions = [f"{each.given}\n-> {each.likely} {each.likely_probability:.0%}" for each in shown]
    title = f"The {len(shown)} most suspect of {len(suspects):,} labels"
    return draw_sheet([SheetRow(title=title, images=images, captions=captions)], columns=10)
