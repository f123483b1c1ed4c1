from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from fer_data.threads import map_in_threads


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    def wait(number: int) -> int:
        time.sleep(0.001 * (number % 3))
        return number * number

    results = list(map_in_threads(wait, range(20), workers=workers))
    assert results == [n * n for n in range(20)]


def test_tasks_are_taken_only_as_they_are_needed() -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = map_in_threads(abs, tasks(), workers=3)
    next(results)
    assert len(taken) <= 4


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_is_raised_where_the_result_would_stand(workers: int) -> None:
    results = map_in_threads(lambda number: 1 // number, [1, 1, 0, 1], workers=workers)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
