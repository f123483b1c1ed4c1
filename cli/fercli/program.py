"""Programs whose commands load when they are used, and whose errors are one line."""

from __future__ import annotations

import difflib
import errno
import importlib
import logging
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import click


def _set_verbosity(ctx: click.Context, param: click.Parameter, count: int) -> None:
    """Lets the libraries' own words through: -v what they did, -vv how."""
    for name in ("fer_data", "fer_models"):
        logging.getLogger(name).setLevel(
            [logging.WARNING, logging.INFO, logging.DEBUG][min(count, 2)]
        )


_VERBOSE = click.Option(
    ["-v", "--verbose"],
    count=True,
    expose_value=False,
    callback=_set_verbosity,
    help="Say more: -v, -vv.",
)


class LazyGroup(click.Group):
    """A group whose commands are imported only when called.

    `lazy` maps a command's name to where it stands (`"package.module:function"`) and the line
    that the group's help shows for it.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of work."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now, or None when there is none of this name."""
        if cmd_name not in self._lazy:
            return None
        module, _, function = self._lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), function)
        assert isinstance(command, click.Command)
        if _VERBOSE not in command.params:
            command.params.append(_VERBOSE)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; an unknown name gets the nearest one suggested."""
        if args and args[0] not in self._lazy and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self._lazy, n=1)
            hint = f' Did you mean "{near[0]}"?' if near else ""
            raise click.UsageError(f'no command "{args[0]}".{hint}', ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._lazy.items()])


def run_program(
    group: click.Group,
    name: str,
    errors: tuple[type[Exception], ...],
    *,
    after_interrupt: str,
) -> NoReturn:
    """Runs a program and exits: 0 fine, 1 the data or the run failed, 2 wrong usage.

    Args:
        group: the program's commands.
        name: what the program is called.
        errors: bases of the errors that are told in one line; any may carry an `exit_code`.
        after_interrupt: what is true of the work of every command that Ctrl-C ends.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    try:
        group.main(prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail(f"interrupted; {after_interrupt}", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except errors as error:
        _fail(str(error), getattr(error, "exit_code", 1))
    except OSError as error:
        _fail(_describe(error), 1)
    sys.exit(0)


def _describe(error: OSError) -> str:
    """What the system refused, where, and what to do about it."""
    advice = {
        errno.ENOSPC: "; free some space and run the same command again",
        errno.EDQUOT: "; free some of your quota and run the same command again",
        errno.EACCES: "; check who may read and write there",
        errno.EROFS: "; write somewhere else, or make it writable",
    }.get(error.errno or 0, "")
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}{advice}"


def _fail(message: str, exit_code: int) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    sys.exit(exit_code)
