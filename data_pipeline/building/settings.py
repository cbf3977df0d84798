"""`Settings`: what every dataset lets the user choose, as fields of config.data.builder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.runtime import value_checks

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
            value, default = getattr(self, field.name), field.default
            # A subset written as one text would be a tuple of letters.
            if isinstance(value, str) and isinstance(default, tuple):
                raise UserError(
                    f'config.data.builder.{field.name} is the text {value!r}; give a tuple of '
                    f'names, such as ({value!r},)'
                )
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        self._check_numbers()
        if min(self.height, self.width) < self.LEAST_SIDE:
            raise UserError(
                f'config.data.builder.height and width ask for crops of {self.height}x{self.width} '
                f'px; give >= {self.LEAST_SIDE}'
            )
        if not 1 <= self.jpeg_quality <= 100:
            raise UserError(
                f'config.data.builder.jpeg_quality is {self.jpeg_quality}; give 1 to 100'
            )
        self._check_choices('crop_format', tuple(CROP_FORMATS))
        self._check_least(1, 'processes')

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

    def _check_numbers(self) -> None:
        """Raises one UserError for all fields that are no number of their kind, or gigantic."""
        problems = []
        for field in dataclasses.fields(self):
            if not value_checks.is_number(field.default):
                continue
            value, most = getattr(self, field.name), MOST.get(field.name, LARGEST)
            is_whole = isinstance(field.default, int)
            check = value_checks.whole if is_whole else value_checks.number
            if problem := check(-most, most)(value):
                problems.append(f'config.data.builder.{field.name} is {value!r}; {problem}')
        if problems:
            raise UserError('; '.join(problems))

    def _check_least(self, least: float, *names: str) -> None:
        """Raises a UserError if one of these fields is smaller than `least`."""
        for name in names:
            if not getattr(self, name) >= least:
                raise UserError(
                    f'config.data.builder.{name} is {getattr(self, name)}; give >= {least}'
                )

    def _check_choices(self, name: str, known: Sequence[str]) -> None:
        """Raises a UserError unless all of a field, a text or a tuple of texts, is known."""
        value = getattr(self, name)
        for choice in value if isinstance(value, tuple) else (value,):
            if choice not in known:
                raise errors.unknown(f'config.data.builder.{name}', str(choice), known)


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
      UserError: there is no such field, and the nearest is named; or a value makes no dataset.
    """
    known = [field.name for field in dataclasses.fields(kind)]
    for name in fields:
        if name not in known:
            raise UserError(
                f'config.data.builder has no field {name!r} for {dataset}; '
                f'the nearest is {errors.nearest(name, known)!r}'
            )
    return kind(**fields)
