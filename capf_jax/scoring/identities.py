"""IDF1: how well numbers over time name people (Ristani et al., ECCV workshops 2016)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.optimize


def idf1(pairs: Iterable[tuple[int | None, int | None]]) -> float:
    """The share of sightings that carry the right number, 0 to 1.

    True people and numbers are matched one to one over the whole video, so that the most sightings
    agree.

    Args:
      pairs: of each sighting the true person, None where nobody is there; and the number that it
        has, None where nobody was seen.

    Returns:
      2 agreeing sightings over the true ones and the numbered ones; 1 of an empty video.
    """
    pairs = list(pairs)
    people = sorted({person for person, _ in pairs if person is not None})
    numbers = sorted({number for _, number in pairs if number is not None})
    counts = np.zeros((len(people), len(numbers)), np.int64)
    for person, number in pairs:
        if person is not None and number is not None:
            counts[people.index(person), numbers.index(number)] += 1
    agreeing = counts[scipy.optimize.linear_sum_assignment(-counts)].sum()
    total = sum((person is not None) + (number is not None) for person, number in pairs)
    return float(2 * agreeing / total) if total else 1.0
