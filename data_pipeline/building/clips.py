"""`Clip`: the unit of work of a build, such as one person recorded by one camera without a cut."""

from __future__ import annotations

import abc
from collections.abc import Iterator

from data_pipeline.records import Record


class Clip(abc.ABC):
    """Neighbouring records of a dataset, made by one process.

    A clip is a frozen dataclass by preference: it is pickled on its way to a process that knows
    nothing else, and the hash of its pickle tells a kept part of an interrupted build from one made
    of other labels. So it holds its labels itself (arrays of its own frames) and paths of images or
    videos, never the arrays of the whole dataset, an open file, or a set (whose order changes).
    """

    may_lack = False  # whether `records` may leave out some, whose pictures do not decode

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Unique in its split; letters, digits, '_', '-' and '.' (it becomes a file name)."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many records `records` gives, at least one; more than it gives if it `may_lack`."""

    @abc.abstractmethod
    def records(self) -> Iterator[Record]:
        """The records in their order; reads and crops one picture after the other.

        The first record is also asked for alone, before the build, to estimate the dataset's size.

        Raises:
          UserError: something in this clip's files is wrong; all of it where it can be known, in
            an attribute `problems` if that is more than one thing. The build finishes the other
            clips first and then says what is wrong in any.
        """
