"""ONNX: one file for ONNX Runtime and its like; the metadata in its `metadata_props`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from fer_models.export.formats import ABOUT_NAME, INPUT_NAME, OUTPUT_NAME
from fer_models.export.source import Classify, ExportSource

#: Of the operators: ONNX Runtime 1.14 and later run them.
_OPSET = 18


def write(source: ExportSource, path: Path) -> None:
    """Writes the network and what must be known of it."""
    import onnx
    import tf2onnx

    function = source.function
    model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=_OPSET)
    model.graph.doc_string = ""  # the name of a function, numbered by TensorFlow
    _name_in_order(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(
        model,
        {
            "class_names": json.dumps(source.about["class_names"], ensure_ascii=False),
            ABOUT_NAME: json.dumps(source.about, ensure_ascii=False),
        },
    )
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _name_in_order(graph: Any) -> None:
    """Names what lies between input and output by its place.

    The names that tf2onnx gives, and its order of the weights, differ from process to process.
    """
    if any(len(part.g.node) or part.graphs for node in graph.node for part in node.attribute):
        return  # a loop or a branch has names of its own
    names = {value.name: value.name for value in (*graph.input, *graph.output)}
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        for values in (node.input, node.output):
            values[:] = [names.setdefault(name, f"value_{len(names)}") for name in values]
    order = {name: place for place, name in enumerate(names)}
    weights = sorted(graph.initializer, key=lambda weight: order.get(weight.name, len(order)))
    for weight in weights:
        weight.name = names.get(weight.name, weight.name)
    del graph.value_info[:]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def load(path: Path) -> Classify:
    """What ONNX Runtime makes of the file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run([OUTPUT_NAME], {INPUT_NAME: images})[0])
