"""Folders of pictures: split/class/name.png, and `labels.csv` with all that is known of each."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TextIO

from fer_data.export.names import UniqueNames, picture_stem, safe_name
from fer_data.export.png import encode_pngs
from fer_data.export.source import ExportSource

LABELS_NAME = "labels.csv"
COLUMNS = ("path", "label", "split", "key", "parent", "votes")


def write_imagefolder(source: ExportSource, folder: Path) -> None:
    """Fills `folder`; `ferdata ingest` reads it back with the same pixels, labels and splits.

    Raises:
        DamagedShardError: a shard is not what the index says.
        OSError: the disk is full or the folder cannot be written.
    """
    with (folder / LABELS_NAME).open("w", encoding="utf-8", newline="") as file:
        _write_pictures(source, folder, file)


def _write_pictures(source: ExportSource, folder: Path, file: TextIO) -> None:
    rows = csv.writer(file, lineterminator="\n")
    # before Python 3.13 a writer of lines that end with \n does not quote \r by itself
    quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    rows.writerow(COLUMNS)
    folders = UniqueNames()
    class_folders = [folders.take(safe_name(name), name) for name in source.index.class_names]
    for split in source.splits:
        names = [UniqueNames() for _ in class_folders]
        for class_folder in class_folders:
            (folder / split / class_folder).mkdir(parents=True)
        for batch in source.batches(split):
            votes = batch.votes.tolist() if batch.votes is not None else [[]] * len(batch)
            for data, label, key, parent, each in zip(
                encode_pngs(batch.images), batch.labels, batch.keys, batch.parents, votes,
                strict=True,
            ):  # fmt: skip
                name = names[label].take(picture_stem(key), key)
                path = f"{split}/{class_folders[label]}/{name}.png"
                (folder / path).write_bytes(data)
                counts = " ".join(f"{count:g}" for count in each)
                row = (path, source.index.class_names[label], split, key, parent, counts)
                (quoted if "\r" in key + parent else rows).writerow(row)
