"""What figures show is what was measured."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from fer_models.metrics import measure
from fer_models.report.figures import _SHADES, draw_confusion, to_png_and_svg


@pytest.mark.parametrize("num_classes", [2, 5, 9])
def test_each_cell_of_a_confusion_matrix_has_the_colour_of_its_rate(num_classes):
    rng = np.random.default_rng(num_classes)
    labels = rng.integers(num_classes, size=300)
    probabilities = rng.dirichlet(np.full(num_classes, 0.3), 300).astype(np.float32)
    probabilities[::2] = np.eye(num_classes, dtype=np.float32)[labels[::2]]
    names = [f"class {number}" for number in range(num_classes)]
    metrics = measure(labels, probabilities, names)
    figure = draw_confusion(metrics)
    png, svg = to_png_and_svg(figure)
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    assert b"<image" not in svg  # shapes and text, at any size
    counts = np.array(metrics.confusion)
    rates = counts / counts.sum(axis=1, keepdims=True)
    place = figure.axes[0].transData - figure.transFigure  # from cells to shares of the figure
    height, width = pixels.shape[:2]
    for row, column in np.ndindex(rates.shape):
        x, y = place.transform((column - 0.4, row + 0.38))  # where no text is
        expected = np.array(_SHADES(rates[row, column])[:3]) * 255
        found = pixels[int((1 - y) * height), int(x * width)]
        np.testing.assert_allclose(found, expected, atol=1.01)
