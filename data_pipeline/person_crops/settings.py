"""`Settings`: what every dataset of person crops lets the user choose."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, TypeVar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Fields of config.data.builder. A dataset's own settings derive from this class.

    Every field but `source` and `processes` changes the data, and the dataset's name with them.

    Raises:
      ValueError: a field has a value that makes no dataset.
    """

    source: str = ''  # folder with the downloaded files; read only while building
    height: int = 256  # of the crops, pixels
    width: int = 192  # of the crops, pixels
    jpeg_quality: int = 95  # of the stored crops, 1 to 100
    processes: int = 2  # that crop; the data do not depend on it

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, default = getattr(self, field.name), field.default
            # A subset given as one text would be a tuple of letters.
            if isinstance(value, str) and isinstance(default, tuple):
                raise ValueError(
                    f'config.data.builder.{field.name} is the text {value!r}; give a tuple of '
                    f'names, such as ({value!r},)'
                )
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        if min(self.height, self.width) < 16:
            raise ValueError(
                f'config.data.builder asks for crops of {self.height}x{self.width} px; give >= 16'
            )
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(
                f'config.data.builder.jpeg_quality is {self.jpeg_quality}; give 1 to 100'
            )
        if self.processes < 1:
            raise ValueError(f'config.data.builder.processes is {self.processes}; give >= 1')

    def __getstate__(self) -> dict[str, Any]:
        """For pickles: what a clip gives does not depend on how many processes work."""
        return self.__dict__ | {'processes': 1}

    @property
    def crop_size(self) -> tuple[int, int]:
        """(width, height) of the crops, pixels."""
        return self.width, self.height


AnySettings = TypeVar('AnySettings', bound=Settings)


def from_fields(kind: type[AnySettings], fields: Mapping[str, Any], dataset: str) -> AnySettings:
    """Settings of a kind with these fields; ValueError names an unknown one and the nearest."""
    known = [field.name for field in dataclasses.fields(kind)]
    for name in fields:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.0)[0]
            raise ValueError(
                f'config.data.builder has no field {name!r} for {dataset}; the nearest is {near!r}'
            )
    return kind(**fields)


def check_choices(name: str, chosen: tuple, known: tuple) -> None:
    """ValueError unless every one of `chosen` is known; '' of all is a mistake worth a sentence."""
    for choice in chosen:
        if choice not in known:
            near = difflib.get_close_matches(str(choice), [str(k) for k in known], 1, 0.0)[0]
            raise ValueError(
                f'config.data.builder.{name} has {choice!r}; the nearest is {near!r}, all are '
                f'{", ".join(str(k) for k in known)}'
            )
