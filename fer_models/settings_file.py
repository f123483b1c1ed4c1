"""A TOML file of settings: what a run keeps to be repeated, or what a user wrote.

```toml
shards = "shards"          # the settings of TrainSettings, by their names
model = "cnn4"
epochs = 20
[augment]                  # or: augment = false
flip = true
[made]                     # only in a run: what it came to; not asked of another one
```
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from fer_data.errors import SettingsError
from fer_data.toml_settings import TomlTable, read_toml
from fer_models.augmentation import AugmentSettings
from fer_models.settings import TrainSettings

_HEAD = "# Repeats the run: fermodel train --config THIS_FILE\n\n"
_AUGMENT, _SHARDS, _MADE = "augment", "shards", "made"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedSettings:
    """What a settings file says.

    Attributes:
        table: the file.
        shards_dir: folder of shards; None where it names none.
        fields: of `TrainSettings` by name, those that it names; `augment` is a dict of fields of
            `AugmentSettings`, True for the network's own or False for none.
        made: what the run came to, by name.
    """

    table: TomlTable
    shards_dir: Path | None
    fields: dict[str, Any]
    made: dict[str, str]

    @contextmanager
    def naming_lines(self) -> Iterator[None]:
        """Puts the line of the file before an error that is about a value in it."""
        try:
            yield
        except SettingsError as error:
            said = str(error).split(";", maxsplit=1)[0]
            found = []
            for path in self._paths():
                match = re.search(rf"\b{path[-1].replace('_', '[_ ]')}\b", said)
                if match is not None:
                    found.append((match.start(), path))
            if not found:
                raise
            # the first: `weights` stands in `class weights` too
            raise self.table.error(min(found)[1], str(error)) from None

    def _paths(self) -> list[list[str]]:
        augment = self.fields.get(_AUGMENT)
        inner = list(augment) if isinstance(augment, dict) else []
        return [*([_AUGMENT, n] for n in inner), *([n] for n in self.fields if n != _AUGMENT)]


def settings_toml(settings: TrainSettings, shards_dir: Path, made: dict[str, str]) -> str:
    """The text of a settings file.

    Args:
        settings: all of them are written.
        shards_dir: folder of the shards.
        made: what the run came to, by name.
    """
    fields = settings.to_json()
    augment = fields.pop(_AUGMENT)
    tables = {_MADE: made}
    if augment is None:
        fields[_AUGMENT] = False
    else:
        tables = {_AUGMENT: augment, **tables}
    return _HEAD + tomli_w.dumps({_SHARDS: str(shards_dir), **fields, **tables})


def read_settings(path: Path) -> AskedSettings:
    """What a settings file says; every key and type is checked.

    Raises:
        SettingsError: there is no such file, it is no TOML, or a key is unknown or of a wrong
            type; the line is named.
    """
    table = read_toml(path)
    hints = typing.get_type_hints(TrainSettings)
    names = [field.name for field in dataclasses.fields(TrainSettings)]
    table.check_keys([_SHARDS, *names, _MADE])
    fields = {
        name: table.get(name, hints[name], None)
        for name in names
        if name in table.values and name != _AUGMENT
    }
    if _AUGMENT in table.values:
        fields[_AUGMENT] = _read_augment(table)
    made = table.table(_MADE)
    return AskedSettings(
        table=table,
        shards_dir=table.get(_SHARDS, Path, None),
        fields=fields,
        made={} if made is None else {key: made.get(key, str, "") for key in made.values},
    )


def _read_augment(table: TomlTable) -> Any:
    if isinstance(table.values[_AUGMENT], bool):
        return table.values[_AUGMENT]
    augment = table.table(_AUGMENT)
    assert augment is not None
    hints = typing.get_type_hints(AugmentSettings)
    names = [field.name for field in dataclasses.fields(AugmentSettings)]
    augment.check_keys(names)
    return {name: augment.get(name, hints[name], None) for name in augment.values}
