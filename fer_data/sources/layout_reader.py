"""Which layout the files of a folder or archive have, and the labeler that reads them by it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fer_data.errors import SourceError
from fer_data.layouts import FileLayout
from fer_data.manifest import (
    GENERIC,
    GENERIC_TABLE,
    Manifest,
    detect_file_layout,
    load_manifest,
)
from fer_data.sources.label_layouts import understand_labels
from fer_data.sources.labels import PathLabeler
from fer_data.sources.raw import Facts
from fer_data.sources.understood import Listing, Understood, without_support_files

_NUM_PROBES = 200


def understand_files(listing: Listing, manifests: Sequence[Manifest]) -> Understood | None:
    """The files understood by the first layout that fits, or None.

    Layouts with label files come first, for these say more than paths do; generic ones last.

    Args:
        listing: the files.
        manifests: those to try, in order.

    Raises:
        SourceError: a label file cannot be read.
    """
    pictures = listing.pictures()
    known = [m for m in manifests if len(manifests) == 1 or m.name not in (GENERIC, GENERIC_TABLE)]
    for manifest in known:
        understood = understand_labels(listing, pictures, manifest)
        if understood is not None:
            return understood
    found = detect_file_layout(pictures, known)
    if found is not None:
        manifest, layout = found
        remark = f"{manifest.title}: class{_split_words(layout)} read from the paths"
        labeler = PathLabeler(manifest, layout)
        entries = without_support_files(listing.entries, set())
        return Understood(manifest=manifest, labeler=labeler, entries=entries, remarks=(remark,))
    generic = [m for m in manifests if m.name == GENERIC_TABLE and m not in known]
    for manifest in generic:
        understood = understand_labels(listing, pictures, manifest, needs_pictures=True)
        if understood is not None:
            return understood
    return _class_folders(listing, pictures, manifests)


def _split_words(layout: FileLayout) -> str:
    groups = re.compile(layout.pattern or "").groupindex
    words = ["split"] * ("split" in groups) + ["subject"] * ("subject" in groups)
    return "".join(f" and {word}" for word in words)


def _class_folders(
    listing: Listing, pictures: Sequence[str], manifests: Sequence[Manifest]
) -> Understood | None:
    """Folders named after classes, where the only manifest has them or none was named."""
    manifest = manifests[0] if len(manifests) == 1 else load_manifest(GENERIC)
    layouts = [each for each in manifest.layouts if isinstance(each, FileLayout)]
    if not any(layout.pattern is None for layout in layouts):
        return None
    labeler = PathLabeler(manifest, FileLayout())
    probes = pictures[:: max(len(pictures) // _NUM_PROBES, 1)]
    found = [facts for path in probes for facts in labeler.facts(path)]
    labels = {facts.label for facts in found if isinstance(facts, Facts)}
    if labels and all(label.isdecimal() for label in labels):
        raise SourceError(
            f"{listing.raw}: the class folders are numbers ({', '.join(sorted(labels)[:8])}), "
            "which mean another class in every data set; name the manifest that says what they "
            "mean (--manifest), or the folders after their classes"
        )
    remark = f"{manifest.title}: class and split read from the folders"
    return Understood(
        manifest=manifest, labeler=labeler, entries=listing.entries, remarks=(remark,)
    )
