"""WebDataset: tar files in which a sample is the files that share a name up to the first dot.

A sample is <name>.png, <name>.cls (the row of its class, in digits) and <name>.json (all else).
Source: https://github.com/webdataset/webdataset, and Aizman et al., High Performance I/O For Large
Scale Deep Learning, 2019, arXiv:2001.01858.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from fer_data.export.files import numbered_files
from fer_data.export.names import UniqueNames, picture_stem
from fer_data.export.png import encode_pngs
from fer_data.export.source import ExportSource


def write_webdataset(source: ExportSource, folder: Path) -> None:
    """Fills `folder` with tar files of as many samples as the shards have.

    Raises:
        DamagedShardError: a shard is not what the index says.
        OSError: the disk is full or the folder cannot be written.
    """
    for split in source.splits:
        names = UniqueNames()
        for path, batches in numbered_files(source, split, folder, ".tar"):
            with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
                for batch in batches:
                    votes = batch.votes.tolist() if batch.votes is not None else None
                    keys, parents = batch.keys.tolist(), batch.parents.tolist()
                    for row, data in enumerate(encode_pngs(batch.images)):
                        label = int(batch.labels[row])
                        facts = {
                            "key": keys[row],
                            "label": label,
                            "class_name": source.index.class_names[label],
                            "split": split,
                            "parent": parents[row],
                        }
                        if votes is not None:
                            facts["votes"] = votes[row]
                        name = names.take(picture_stem(keys[row]).replace(".", "_"), keys[row])
                        _add(tar, f"{name}.png", data)
                        _add(tar, f"{name}.cls", b"%d" % label)
                        text = json.dumps(facts, ensure_ascii=False)
                        _add(tar, f"{name}.json", text.encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """One member; time and owner stay 0, so that its bytes depend on the sample alone."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
