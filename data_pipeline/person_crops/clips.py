"""`Clip`: the unit of work, one person recorded by one camera without a cut."""

from __future__ import annotations

import abc
from collections.abc import Iterator

from data_pipeline.records import Record


class Clip(abc.ABC):
    """One file of the finished dataset, made by one process.

    A frozen dataclass by preference: it is pickled on its way to a process that knows nothing
    else, and the hash of its pickle tells a kept part of an interrupted build from one made of
    other labels. So it holds its labels itself (arrays of its own frames) and paths of images or
    videos, never the arrays of the whole dataset, an open file, or a set (whose order changes).
    """

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Unique in its split; letters, digits, '_', '-' and '.' (it becomes a file name)."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Exactly how many records `records` gives, at least one."""

    @abc.abstractmethod
    def records(self) -> Iterator[Record]:
        """The records in their order; reads and crops one picture after the other.

        The first is also asked for alone, before the build, to estimate the dataset's size.

        Raises:
          ValueError: something in this clip's files is wrong; all of it where it can be known.
            The build finishes the other clips first and then says what is wrong in any.
        """
