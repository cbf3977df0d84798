"""`Settings`: what every dataset lets the user choose, as fields of config.data.builder."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.runtime import files, value_checks, value_kinds

# The largest values of fields that have a limit; any other number has LARGEST. Below the limits
# are the least ones, which every kind of Settings checks itself.
MOST: Mapping[str, int] = {
    'height': 4096,
    'width': 4096,
    'jpeg_quality': 100,
    'processes': 256,
    'seed': value_checks.LARGEST_SEED,
    'noise_sigma': 1000,
}
LARGEST = 10_000_000

# Formats of stored crops -> what the name of a dataset has after the quality. JPEGs of 4:4:4 keep
# the whole resolution of colours, those of 4:2:0 half of it on both axes; PNG and WebP
# keep every bit.
CROP_FORMATS = {'jpeg444': '_444', 'jpeg420': '', 'png': '', 'webp': ''}
LOSSLESS = ('png', 'webp')  # crop formats that have no quality


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Fields of config.data.builder. A dataset's own Settings derive from this class.

    Every field but `processes` changes the data, and the dataset's name with them.

    Raises:
      UserError: a field has a value that makes no dataset.
    """

    LEAST_SIDE: ClassVar[int] = 16  # of a crop, pixels

    height: int = 256  # of the crops, pixels
    width: int = 192  # of the crops, pixels
    jpeg_quality: int = 95  # of the stored crops, 1 to 100
    crop_format: str = 'jpeg444'  # of the stored crops, a name of CROP_FORMATS
    processes: int = 2  # number of processes that make crops; the data do not depend on it

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if isinstance(value := getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(value))
        if problems := list(self._problems()):
            raise UserError('; '.join(problems))

    def _problems(self) -> Iterator[str]:
        """Everything that is wrong with the fields, each a clause that names its field.

        A dataset's own Settings go on with their fields after those of this class.
        """
        for field in dataclasses.fields(self):
            if problem := self._type_problem(field.name):
                yield f'config.data.builder.{field.name} is {self._shown(field.name)}; {problem}'
        sides = self._right('height', 'width')
        if len(sides) == 2 and min(sides.values()) < self.LEAST_SIDE:
            yield (
                f'config.data.builder.height and width ask for crops of {self.height}x{self.width} '
                f'px; give >= {self.LEAST_SIDE}'
            )
        yield from self._outside(1, 100, 'jpeg_quality')
        yield from self._unknown('crop_format', tuple(CROP_FORMATS))
        yield from self._outside(1, math.inf, 'processes')

    def __getstate__(self) -> dict[str, Any]:
        """The state for pickles, without `processes`, on which a clip does not depend."""
        return self.__dict__ | {'processes': 1}

    @property
    def name(self) -> str:
        """Name of the dataset on disk: readable, and different for different data."""
        raise NotImplementedError

    @property
    def older_names(self) -> tuple[str, ...]:
        """Names under which older versions have built what these settings ask for.

        Their crops are JPEGs of 4:2:0, which was the only format, and the default.
        """
        return ()

    @property
    def crop_name(self) -> str:
        """The part of a dataset's name that tells how its crops are stored."""
        if self.crop_format in LOSSLESS:
            return self.crop_format
        return f'quality{self.jpeg_quality}{CROP_FORMATS[self.crop_format]}'

    @property
    def crop_size(self) -> tuple[int, int]:
        """(width, height) of the crops, pixels."""
        return self.width, self.height

    def _type_problem(self, name: str) -> str:
        """What is wrong with the type of a field, or with a gigantic number; '' for nothing."""
        value, default = getattr(self, name), getattr(type(self), name)
        if isinstance(default, bool):
            return value_kinds.switch(value)
        if isinstance(default, str):
            remedy = 'it is in a store: copy it to this machine and name it there'
            is_in_store = isinstance(value, str) and files.is_remote(value)
            return remedy if is_in_store else value_kinds.text(value)
        if isinstance(default, tuple):
            if isinstance(value, str):  # It would be a tuple of letters.
                return f'give a tuple of names, such as ({value!r},)'
            is_right = isinstance(value, tuple) and all(isinstance(one, str) for one in value)
            return '' if is_right else "give a tuple of names, such as ('S1',)"
        most = MOST.get(name, LARGEST)
        check = value_kinds.whole if isinstance(default, int) else value_kinds.number
        return check(-most, most)(value)

    def _right(self, *names: str) -> dict[str, Any]:
        """The values of those of these fields that have the right type."""
        return {name: getattr(self, name) for name in names if not self._type_problem(name)}

    def _shown(self, name: str) -> str:
        """A field's value as it is told to the user."""
        return value_kinds.shown(getattr(self, name))

    def _outside(self, least: float, most: float, *names: str) -> Iterator[str]:
        """A clause for each of these numbers that is not within limits, which are allowed."""
        limits = f'>= {least:g}' if math.isinf(most) else f'{least:g} to {most:g}'
        for name, value in self._right(*names).items():
            if not least <= value <= most:
                yield f'config.data.builder.{name} is {value}; give {limits}'

    def _unknown(self, name: str, known: Sequence[str]) -> Iterator[str]:
        """A clause for each part of a field, a text or a tuple of texts, that is not known."""
        for value in self._right(name).values():
            for choice in value if isinstance(value, tuple) else (value,):
                if choice not in known:
                    yield str(errors.unknown(f'config.data.builder.{name}', choice, known))


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceSettings(Settings):
    """Settings of a dataset that is made from a folder of files.

    The names of the published datasets do not depend on the folder, since a machine that only
    trains on them does not have it.
    """

    source: str = ''  # folder with the files; read only while building


AnySettings = TypeVar('AnySettings', bound=Settings)


def from_fields(kind: type[AnySettings], fields: Mapping[str, Any], dataset: str) -> AnySettings:
    """Settings of a kind.

    Args:
      kind: the class of the settings.
      fields: values by name; those left out have their defaults.
      dataset: what messages call the dataset.

    Raises:
      UserError: there is no such field, and the nearest is named; or values make no dataset. All
        that is wrong is told at once.
    """
    known = [field.name for field in dataclasses.fields(kind)]
    problems = [
        f'config.data.builder has no field {name!r} for {dataset}; the nearest is '
        f'{errors.nearest(name, known)!r}'
        for name in fields
        if name not in known
    ]
    try:
        settings = kind(**{name: value for name, value in fields.items() if name in known})
    except UserError as error:
        raise UserError('; '.join([*problems, str(error)])) from None
    if problems:
        raise UserError('; '.join(problems))
    return settings
