"""`Clip`: the unit of work of a build, such as one person recorded by one camera without a cut."""

from __future__ import annotations

import abc
from collections.abc import Iterator

from data_pipeline.records import Record


class Clip(abc.ABC):
    """Neighbouring records of a dataset, made by one process.

    A clip is a frozen dataclass by preference. It is pickled on its way to a process that knows
    nothing else, and the hash of its pickle shows whether a part of an interrupted build was made
    of the same labels. So a clip holds its labels (arrays of its own frames) and paths of images or
    videos, never the arrays of the whole dataset, an open file, or a set (whose order changes).
    """

    may_lack = False  # whether `records` may leave out those whose pictures do not decode

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """A file name that is unique in its split: letters, digits, '_', '-' and '.' only."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many records `records` gives, at least one; an upper bound if it `may_lack`."""

    @abc.abstractmethod
    def records(self) -> Iterator[Record]:
        """The records in their order; reads and crops one picture after the other.

        The first record is also asked for alone, before the build, to estimate the dataset's size.

        Raises:
          UserError: something in this clip's files is wrong. If several things are, the error has
            all of them in an attribute `problems`. The build finishes the other clips first and
            then raises one error for all clips.
        """
