"""What the tables of `benchmarks.tables` are made of: rows, claims about their order, and sizes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Row:
    """One training, and where its scores stand.

    Attributes:
      name: what `--rows` calls it; rows of several tables may be one training, of one name.
      line: what the line of the table says; rows of other metrics may share one.
      config: a config file.
      arguments: of the config, a=b,c=d, without seed and size. `{NAME}` is the weight file that
        the row NAME has trained with the same seed; that row is trained first.
      fields: further arguments of the command, such as --config.data.joints2d=truth.
      paper: metric -> the paper's score.
      column: the group of columns that the scores stand in; '' is the first.
      features: whether the frozen detector is run ahead over the dataset.
      noise: px of noise on the 2D joints that the trained lifter is evaluated with.
      frames: frames of a window.
      metrics: which of the table's it has; () for all of them.
      minutes: about how long its run takes in the full form on two quiet cores.
    """

    name: str
    line: str
    config: str
    arguments: str = ''
    fields: tuple[str, ...] = ()
    paper: Mapping[str, float] = dataclasses.field(default_factory=dict)
    column: str = ''
    features: bool = False
    noise: tuple[int, ...] = ()
    frames: int = 1
    metrics: tuple[str, ...] = ()
    minutes: float = 4.2

    @property
    def needs(self) -> str:
        """Name of the row whose weight file this one takes; '' if it takes none."""
        return self.arguments.partition('{')[2].partition('}')[0]


@dataclasses.dataclass(frozen=True)
class Order:
    """A claim: the error falls from each row to the next, or by more than another error does.

    Attributes:
      claim: in words.
      metric: which error.
      rows: names, from the largest error to the smallest.
      beside: another error; if there is one, the claim is that the error falls by a larger share
        from the first row to the last than this one.
    """

    claim: str
    metric: str
    rows: tuple[str, ...]
    beside: str = ''


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
      title: its heading.
      metrics: name in the results -> title of the column.
      rows: its rows.
      orders: what the paper's table claims, or what is expected of the data.
    """

    title: str
    metrics: Mapping[str, str]
    rows: tuple[Row, ...]
    orders: tuple[Order, ...]


@dataclasses.dataclass(frozen=True)
class Size:
    """What makes the trainings of a config small: arguments of it, and of the command."""

    arguments: str = ''
    fields: tuple[str, ...] = ()
