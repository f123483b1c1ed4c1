"""FER2013's own form: one CSV file `emotion,pixels,Usage`, a picture a row.

Source: Kaggle, Challenges in Representation Learning: Facial Expression Recognition (2013).
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from fer_data.emotions import EMOTIONS
from fer_data.errors import SettingsError
from fer_data.export.names import safe_name
from fer_data.export.source import ExportSource
from fer_data.shards.index import ShardIndex
from fer_data.shards.samples import Samples

#: FER2013's classes; a class's code is its place.
FER2013_CLASSES = EMOTIONS[:7]
USAGE = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
_OTHER = "use --format imagefolder, parquet, tfrecord or webdataset"
# level -> its digits and a blank, filled up with NUL
_WORDS = (
    np.array([f"{level} ".encode() for level in range(256)], "S4").view(np.uint8).reshape(-1, 4)
)


def check_csv(index: ShardIndex) -> None:
    """Refuses shards that the form cannot hold.

    Its codes mean FER2013's classes to whoever reads it: other classes would be read wrongly.

    Raises:
        SettingsError: the pictures have colours, or there are classes that FER2013 has not.
    """
    if index.image_shape[2] != 1:
        raise SettingsError(f"csv holds grey pictures only; these shards are RGB; {_OTHER}")
    other = [name for name in index.class_names if name not in FER2013_CLASSES]
    if other:
        raise SettingsError(
            f"csv has codes for FER2013's classes only ({', '.join(FER2013_CLASSES)}); these "
            f"shards have {', '.join(other)} too; {_OTHER}"
        )


def write_csv(source: ExportSource, folder: Path) -> None:
    """Puts one CSV file into `folder`; where pictures are 48x48, `ferdata ingest` reads it back.

    Raises:
        DamagedShardError: a shard is not what the index says.
        OSError: the disk is full or the folder cannot be written.
    """
    codes = [FER2013_CLASSES.index(name) for name in source.index.class_names]
    with (folder / f"{safe_name(source.index.name)}.csv").open("wb") as file:
        file.write(b"emotion,pixels,Usage\n")
        for split in source.splits:
            for batch in source.batches(split):
                _write_rows(file, batch, codes, USAGE[split])


def _write_rows(file: BinaryIO, batch: Samples, codes: list[int], usage: str) -> None:
    end = f",{usage}\n".encode()
    words = _WORDS[batch.images.reshape(len(batch), -1)]  # (n, H, W, 1) -> (n, H*W, 4)
    for text, label in zip(words, batch.labels.tolist(), strict=True):
        pixels = text.tobytes().translate(None, b"\0")
        file.write(b"%d,%b%b" % (codes[label], pixels[:-1], end))
