"""What the ten people of FER+ saw on the pictures of FER2013."""

from __future__ import annotations

import csv
from pathlib import Path

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt")
OTHERS = ("unknown", "NF")


def majority_labels(votes_path: Path) -> dict[str, str]:
    """What most chose, by the picture's name; a picture that is no face has none there."""
    with votes_path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        row["Image name"]: max((*CLASSES, *OTHERS), key=lambda name: int(row[name]))
        for row in rows
        if row["Image name"]
    }
