"""Croissant metadata of a folder of shards: what data set catalogues and search engines read.

Source: MLCommons, Croissant format specification 1.0, http://mlcommons.org/croissant/1.0.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from fer_data.manifest import Manifest
from fer_data.shards.index import ShardIndex

_FORMATS = {"npz": "application/zip", "hdf5": "application/x-hdf5"}
_CROISSANT_TERMS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject",
    "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator",
    "source", "subField", "transform",
)  # fmt: skip
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    **{term: f"cr:{term}" for term in _CROISSANT_TERMS},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}


def croissant_text(index: ShardIndex, manifests: tuple[Manifest, ...]) -> str:
    """The text of `croissant.json`: the same index gives the same text.

    Croissant has no word for arrays in NPZ or HDF5 files; so it says what each file is and how to
    check it, and which number stands for which class. `index.json` has the rest.

    Args:
        index: of the shards.
        manifests: of the known data sets that they were made of.
    """
    num_samples = sum(shard.num_samples for shard in index.shards)
    height, width, channels = index.image_shape
    metadata: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": index.name,
        "description": f"Facial expressions: {num_samples:,} images of {width}x{height} pixels, "
        f"{channels} channels, {len(index.class_names)} classes, in shards with an index.",
        "version": "1.0.0",
        "keywords": ["facial expression recognition", "emotion", *index.class_names],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "index.json",
                "name": "index.json",
                "description": "Shard index: classes, counts, lineage, the place of each array.",
                "contentUrl": "index.json",
                "encodingFormat": "application/json",
                "sha256": hashlib.sha256(index.to_json().encode()).hexdigest(),
            },
            *(
                {
                    "@type": "cr:FileObject",
                    "@id": shard.file,
                    "name": shard.file,
                    "description": f"{shard.num_samples:,} samples of {shard.split}.",
                    "contentUrl": shard.file,
                    "contentSize": f"{shard.bytes} B",
                    "encodingFormat": _FORMATS[index.container],
                    "sha256": shard.sha256,
                }
                for shard in index.shards
            ),
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "classes",
                "name": "classes",
                "description": "What the labels in the shards stand for.",
                "dataType": "sc:Enumeration",
                "key": {"@id": "classes/label"},
                "field": [_field("classes", "label", "Integer"), _field("classes", "name", "Text")],
                "data": [
                    {"classes/label": label, "classes/name": name}
                    for label, name in enumerate(index.class_names)
                ],
            }
        ],
    }
    cited = [manifest.citation for manifest in manifests if manifest.citation]
    if cited:
        metadata["citeAs"] = "; ".join(cited)
    urls = [manifest.url for manifest in manifests if manifest.url]
    if urls:
        metadata["url"] = urls[0]
    terms = [f"{manifest.title}: {manifest.terms}" for manifest in manifests if manifest.terms]
    if terms:
        metadata["license"] = " ".join(terms)
    return json.dumps(metadata, indent=1, ensure_ascii=False) + "\n"


def _field(record_set: str, name: str, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "dataType": f"sc:{kind}",
    }
