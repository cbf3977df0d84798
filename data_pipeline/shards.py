"""Cutting the examples of a split into the files of a dataset."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

Examples = Iterator[tuple[int, dict[str, Any]]]  # key and example, as TFDS wants them


def cut(examples: Examples, count: int, size: int) -> list[Callable[[], Examples]]:
    """What `ShardBasedBuilder._shard_iterators_per_split` gives for one split.

    All files draw on one stream, so that what makes it - processes, an open video - starts once a
    split, and samples stay in order. TFDS holds one file's examples in memory.

    Args:
      examples: the split.
      count: how many they are, or at most are; the last file takes all that is left.
      size: examples in a file.
    """
    files = -(-count // size)
    return [
        functools.partial(itertools.islice, examples, size if file < files - 1 else None)
        for file in range(files)
    ]
