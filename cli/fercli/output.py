"""What a command shows: tables and notes for people, one JSON object for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

#: Called with (units done, units in all).
ProgressCallback = Callable[[int, int], None]
_SECONDS_BETWEEN_LINES = 5.0


class Output:
    """Where a command shows its result.

    Args:
        as_json: print one JSON object at the end instead of tables and notes.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._bar: Any = None  # the progress bar, while one is shown

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        total: Sequence[object] | None = None,
    ) -> None:
        """Shows a table; numbers stand right, and `total` below a line."""
        if self.as_json:
            return
        from rich import box
        from rich.table import Table

        table = Table(
            title=f"\n{title}",
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
        )
        for number, name in enumerate(columns):
            numeric = any(_is_number(row[number]) for row in rows)
            table.add_column(name, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(_cell, row))
        if total is not None:
            table.add_section()
            table.add_row(*map(_cell, total), style="bold")
        _console().print(table)

    def note(self, text: str) -> None:
        """Says one line."""
        if self.as_json:
            return
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            click.echo(text)

    def warn(self, text: str) -> None:
        """Says one line that asks for attention, on standard error."""
        click.secho(f"Warning: {text}", fg="yellow", err=True)

    def result(self, value: Mapping[str, Any]) -> None:
        """Prints the whole result as JSON, where JSON was asked for."""
        if self.as_json:
            click.echo(json.dumps(value, indent=1, ensure_ascii=False))

    @contextmanager
    def progress(self, description: str, unit: str) -> Iterator[ProgressCallback]:
        """Shows progress on standard error: a bar on a terminal, a line now and then elsewhere."""
        if not sys.stderr.isatty():
            yield _lines(description, unit)
            return
        bar = self._bar = _make_bar()
        try:
            with bar:
                task = bar.add_task(description, total=None, unit=unit, rate="")
                start = time.monotonic()

                def callback(done: int, total: int) -> None:
                    rate = f"{done / (time.monotonic() - start):,.0f}/s"
                    bar.update(task, completed=done, total=total, rate=rate)

                yield callback
                bar.remove_task(task)
        finally:
            self._bar = None


def _make_bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _lines(description: str, unit: str) -> ProgressCallback:
    start = last = time.monotonic()

    def callback(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES and done < total:
            last = now
            rate = done / (now - start)
            left = (total - done) / rate if rate > 0 else 0.0
            line = f"{description}: {done:,} of {total:,} {unit}, {rate:,.0f}/s, {left:.0f} s left"
            click.echo(line, err=True)

    return callback


def _console() -> Any:
    from rich.console import Console

    return Console(soft_wrap=False, highlight=False)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    from rich.markup import escape

    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return escape(str(value))


def describe(value: object) -> str:
    """A setting in words.

    Example:
        >>> describe({"zoom": 0.1, "flip": True}), describe(None), describe(["a", "b"])
        ('zoom 0.1, flip yes', 'none', 'a, b')
    """
    if isinstance(value, dict):
        return ", ".join(f"{name} {describe(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(describe, value)) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)
