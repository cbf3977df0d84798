"""`Result`: what every evaluation gives, whatever was evaluated."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any

from capf_jax.runtime import files


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result(abc.ABC):
    """The errors of N samples, each counted once.

    Attributes:
      conditions: what the numbers mean, for people to read: split, samples, joints, unit, source of
        the 2D joints, averaging, checkpoint. JSON files hold it under the key 'protocol'.
    """

    conditions: Mapping[str, Any]

    @property
    @abc.abstractmethod
    def score(self) -> float:
        """The one number that the best checkpoint is chosen by; lower is better."""

    @property
    @abc.abstractmethod
    def scores(self) -> Mapping[str, float]:
        """Name -> number, for a log."""

    @abc.abstractmethod
    def table(self, group: str | None = None, form: str = 'text') -> str:
        """The numbers as one or several tables.

        Args:
          group: a label to make a row for each value of, one of `tables.GROUPS`; None for the
            result's own choice. A result without labels takes no notice of it.
          form: one of `tables.FORMATS`.
        """

    @abc.abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The content of the result's JSON file; the conditions are under the key 'protocol'."""

    def write_samples(self, stem: files.AnyPath) -> dict[str, files.AnyPath]:
        """Writes what there is to keep of single samples, beside the JSON file.

        Args:
          stem: the JSON file's path without its ending.

        Returns:
          What each file holds, in one word -> its path; nothing unless a kind of result says so.
        """
        del stem
        return {}
