"""What a user of an exported network must know, as JSON values."""

from __future__ import annotations

import dataclasses
from typing import Any

from fer_data.version import ferkit_version
from fer_models.bundle import Bundle
from fer_models.export.formats import INPUT_NAME, OUTPUT_NAME

_LIGHT = {
    "hist": "equalise the histogram of the light",
    "clahe": "equalise the light by CLAHE, clip limit 2.0, 8x8 tiles",
}
_PART = {"gray": "", "rgb": " (of Y in YCrCb)"}


def describe(bundle: Bundle, export_format: str) -> dict[str, Any]:
    """The metadata of a network in one format; all that the bundle says stands under `bundle`."""
    height, width, channels = bundle.image_shape
    return {
        "export_format": export_format,
        "ferkit_version": ferkit_version(),
        "model": bundle.model,
        "class_names": list(bundle.class_names),
        "input": {
            "name": INPUT_NAME,
            "dtype": "uint8",
            "shape": ["batch", height, width, channels],
            "layout": "NHWC",
            "values": "raw pixels from 0 to 255; the network standardises them itself",
            "channels": "gray" if channels == 1 else "R, G, B",
        },
        "output": {
            "name": OUTPUT_NAME,
            "dtype": "float32",
            "shape": ["batch", len(bundle.class_names)],
            "values": "probabilities of class_names, in order",
        },
        "prepare": _steps(bundle),
        "bundle": dataclasses.asdict(bundle),
    }


def _steps(bundle: Bundle) -> list[str]:
    """How a picture becomes an input, in words, as `fer_data.image` does it."""
    height, width, _ = bundle.image_shape
    steps = ["turn it as its EXIF orientation says, put it on white where it is transparent"]
    if bundle.faces is not None:
        steps.append("find the face, align it and cut it out as `faces` in `bundle` says")
    else:
        steps.append("cut it to its centre square: give faces")
    steps += [
        f"make it {'grey' if bundle.color == 'gray' else 'RGB'}",
        f"resize it to {height}x{width}, by area averaging where it shrinks, else linearly",
    ]
    if bundle.equalize in _LIGHT:
        steps.append(_LIGHT[bundle.equalize] + _PART[bundle.color])
    return steps
