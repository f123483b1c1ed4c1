"""Operations out of TOML: tables with a name, a probability and magnitudes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from fer_data.errors import SettingsError, UnknownNameError
from fer_data.operations import OPERATIONS, PRESETS, Operation
from fer_data.toml_settings import TomlTable, read_toml


def find_operations(name: str) -> tuple[Operation, ...]:
    """The operations of a preset, or of the [[operation]] tables of a .toml file.

    Raises:
        SettingsError: no such preset, or the file cannot be read, or something in it is wrong.

    Example:
        >>> [operation.name for operation in find_operations("course")]
        ['flip', 'rotate', 'zoom']
    """
    if Path(name).suffix.lower() != ".toml":
        if name not in PRESETS:
            unknown = UnknownNameError("preset", name, PRESETS)
            raise SettingsError(f"{unknown} A file must end in .toml")
        return PRESETS[name]
    toml = read_toml(Path(name))
    toml.check_keys(["operation"])
    tables = toml.tables("operation")
    if not tables:
        raise toml.error(
            [], "no [[operation]]; expected at least one, with a name; or a preset instead of the "
            f"file: {', '.join(PRESETS)}"
        )  # fmt: skip
    return read_operations(tables)


def read_operations(tables: Sequence[TomlTable]) -> tuple[Operation, ...]:
    """The operations that tables of a TOML file say, in their order.

    Args:
        tables: each with a name; magnitudes that are left out are those of the operation's
            default, a probability 1.

    Raises:
        SettingsError: something is wrong; says where, what was found and what was expected.
    """
    operations = []
    for table in tables:
        name = table.get("name", str, None)
        if name is None:
            raise table.error(
                [], f"this operation has no name; expected one of {', '.join(OPERATIONS)}"
            )
        if name not in OPERATIONS:
            raise table.error(["name"], str(UnknownNameError("operation", name, OPERATIONS)))
        values = {**dataclasses.asdict(OPERATIONS[name]), **table.values}
        operations.append(dataclasses.replace(table, values=values).read(Operation))
    return tuple(operations)
