"""The moments of a video -> the probabilities of each person over time, as a table and a figure."""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_data.files import write_file, writing_file
from fer_models.annotated_video import TakeMoment
from fer_models.video import Moment

#: People in a figure: those seen most often.
MAX_PEOPLE = 4
_MAX_STEPS = 600  # of a figure, in time
#: Seconds between two labels of the time.
_TICKS = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    21600,
    86400,
)


class _Step(NamedTuple):
    """A line of the table."""

    time: float
    person: int
    probabilities: tuple[float, ...]


@contextlib.contextmanager
def writing_timeline(
    name: str, table: Path, figure: Path, class_names: Sequence[str]
) -> Iterator[TakeMoment]:
    """Takes the moments of a video into a table, and draws it when all are in it.

    Args:
        name: of the video, above the figure.
        table: path of a CSV file: `time`, `person`, `class`, and `p_…` of every class.
        figure: path of a PNG file.
        class_names: in the order of the bundle.
    """
    times: list[float] = []  # of the first moment and the last one
    num_moments = 0
    with writing_file(table) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["time", "person", "class", *(f"p_{each}" for each in class_names)])

        def take(moment: Moment) -> None:
            nonlocal num_moments
            num_moments += 1
            times[1:] = [moment.time]
            for person, face in zip(moment.people, moment.faces, strict=True):
                shares = [f"{value:.6f}" for value in face.probabilities]
                writer.writerow([f"{moment.time:.3f}", person, face.class_name, *shares])

        try:
            yield take
        finally:
            text.detach()  # the file is closed by who opened it
    between = (times[-1] - times[0]) / (num_moments - 1) if num_moments > 1 else 1.0
    write_file(figure, _draw(name, table, times[-1] + between, between, class_names))


def _read(table: Path) -> Iterator[_Step]:
    with table.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        for time, person, _, *shares in lines:
            yield _Step(float(time), int(person), tuple(map(float, shares)))


def _gather(
    lines: Iterator[_Step], people: Sequence[int], num_steps: int, num_classes: int
) -> NDArray[np.float64]:
    """Mean probabilities of shape (num_people, num_classes, num_steps); NaN: not seen then.

    The times of the lines are in steps.
    """
    sums = np.zeros((len(people), num_classes, num_steps))
    counts = np.zeros((len(people), 1, num_steps))
    places = {person: place for place, person in enumerate(people)}
    for step, person, probabilities in lines:
        if person in places:
            at = min(int(step), num_steps - 1)
            sums[places[person], :, at] += probabilities
            counts[places[person], :, at] += 1
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _draw(
    name: str, table: Path, seconds: float, between: float, class_names: Sequence[str]
) -> bytes:
    """The figure, as PNG; the table is read as it is needed."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    from fer_models.face_drawing import class_color
    from fer_models.report.figures import INK, MUTED, new_figure, to_png

    looks = Counter(step.person for step in _read(table))
    people = sorted(person for person, _ in looks.most_common(MAX_PEOPLE))
    step = max(between, seconds / _MAX_STEPS)
    num_steps = max(1, math.ceil(seconds / step - 0.01))
    # moments are near the middle of a step, as they are not quite equally far apart
    lines = (each._replace(time=(each.time + between / 2) / step) for each in _read(table))
    shares = _gather(lines, people, num_steps, len(class_names))
    edges = np.repeat(np.arange(num_steps + 1) * step, 2)[1:-1]

    figure = new_figure(9.2, 0.9 + 1.45 * len(people))
    panels = figure.subplots(len(people), 1, sharex=True, squeeze=False)[:, 0]
    colors = [class_color(each, class_names) for each in class_names]
    labels = [each.replace("$", r"\$") for each in class_names]
    for axes, person, values in zip(panels, people, shares, strict=True):
        # (num_classes, num_steps) -> a level part for each step
        areas = axes.stackplot(edges, np.repeat(values, 2, axis=1), colors=colors, labels=labels)
        for area in areas:
            area.set_linewidth(0)
        axes.set_xlim(0, seconds)
        axes.set_ylim(0, 1)
        axes.set_yticks((0, 0.5, 1), ("0", "50%", "100%"))
        axes.spines[:].set_visible(False)
        axes.tick_params(colors=MUTED, labelsize=8, length=0)
        counted = f"person {person}   {looks[person]:,} looks"
        axes.set_title(counted, loc="left", color=INK, fontsize=9, pad=4)
    last = panels[-1]
    tick = next((each for each in _TICKS if each * 10 >= seconds), _TICKS[-1])
    last.xaxis.set_major_locator(MultipleLocator(tick))
    last.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock(value)))
    hidden = len(looks) - len(people)
    more = f"; {hidden:,} more people, seen less often, are in the table" if hidden > 0 else ""
    last.set_xlabel(f"time{more}", color=MUTED, fontsize=9)
    title = figure.suptitle(name, x=0.01, ha="left", color=INK, fontsize=11, fontweight="bold")
    title.set_parse_math(False)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(
        *(each[::-1] for each in handles),
        loc="outside right center",
        frameon=False,
        fontsize=8,
        labelcolor=INK,
    )
    return to_png(figure)


def clock(seconds: float) -> str:
    """A time in a video as it is read.

    Example:
        >>> clock(7), clock(75.4), clock(3700), clock(1.5)
        ('0:07', '1:15', '1:01:40', '0:01.5')
    """
    whole, rest = divmod(round(seconds, 1), 1)
    minutes, second = divmod(int(whole), 60)
    hours, minute = divmod(minutes, 60)
    start = f"{hours}:{minute:02d}" if hours else f"{minute}"
    tenths = f"{rest:.1f}"[1:] if rest and seconds < 60 else ""
    return f"{start}:{second:02d}{tenths}"
