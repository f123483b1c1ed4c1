"""Which face of one moment is which of the moment before: people, by where their faces are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]

_LEAST_OVERLAP = 0.2  # intersection over union of a face and itself a moment later
_LOST_SECONDS = 1.5  # a face unseen for longer is someone new


@dataclass(slots=True)
class _Person:
    number: int
    box: Box
    seen: float


class Tracker:
    """Numbers people from 1 on, in the order in which they are first seen."""

    def __init__(self) -> None:
        self._people: list[_Person] = []
        self._num_seen = 0

    def follow(self, time: float, boxes: Sequence[Box | None]) -> list[int]:
        """The number of the person in each box of the next moment.

        The boxes that overlap most with those of before are the same people; the others are new.

        Args:
            time: in seconds, later than the last.
            boxes: left, top, width and height; None: of a whole picture.

        Example:
            >>> tracker = Tracker()
            >>> tracker.follow(0.0, [(0, 0, 10, 10), (50, 0, 10, 10)])
            [1, 2]
            >>> tracker.follow(0.2, [(51, 0, 10, 10), (1, 0, 10, 10), (90, 0, 9, 9)])
            [2, 1, 3]
        """
        self._people = [each for each in self._people if time - each.seen <= _LOST_SECONDS]
        found: dict[int, _Person] = {}
        places = [box if box is not None else (0.0, 0.0, 1.0, 1.0) for box in boxes]
        pairs = [
            (_overlap(box, person.box), number, person)
            for number, box in enumerate(places)
            for person in self._people
        ]
        for overlap, number, person in sorted(pairs, key=lambda pair: -pair[0]):
            if overlap >= _LEAST_OVERLAP and number not in found and person not in found.values():
                found[number] = person
        for number, box in enumerate(places):
            if number not in found:
                self._num_seen += 1
                found[number] = _Person(self._num_seen, box, time)
                self._people.append(found[number])
            found[number].box, found[number].seen = box, time
        return [found[number].number for number in range(len(places))]


def _overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    height = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    shared = max(0.0, width) * max(0.0, height)
    whole = first[2] * first[3] + second[2] * second[3] - shared
    return shared / whole if whole > 0 else 0.0
