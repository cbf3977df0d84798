"""Fields of a dataset's Settings as command-line arguments."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from capf_jax.runtime.commands import Parser, path
from data_pipeline.building import Settings

_SHORT = {'jpeg_quality': 'quality'}  # what arguments call a field
_PATHS = ('source', 'poses')  # fields that are paths on this machine
_SIZE = ('height', 'width')  # fields that one argument gives together


def add_settings(parser: Parser, settings: type[Settings], *, but: tuple[str, ...] = ()) -> None:
    """Adds an argument for every field of a dataset's Settings, but for those in `but`.

    A value of several names joins them by +, as in `--subjects=S9+S11`.
    """
    parser.add_argument('--size', type=_size, metavar='HEIGHTxWIDTH', help='size of the crops')
    for field in dataclasses.fields(settings):
        if field.name in _SIZE or field.name in but:
            continue
        parser.add_argument(
            f'--{_SHORT.get(field.name, field.name)}',
            dest=field.name,
            type=_path if field.name in _PATHS else _type_of(field.default),
            help=f'default {field.default!r}',
        )


def fields_of(values: argparse.Namespace, settings: type[Settings]) -> dict[str, Any]:
    """Fields of a dataset's Settings by name; those whose argument is absent are left out.

    Args:
      values: parsed arguments of `add_settings`.
      settings: the class that they are for.
    """
    fields = {
        field.name: getattr(values, field.name)
        for field in dataclasses.fields(settings)
        if getattr(values, field.name, None) is not None
    }
    return fields if values.size is None else fields | dict(zip(_SIZE, values.size, strict=True))


def _path(text: str) -> str:
    """A path with `~` expanded; '' stays ''."""
    return str(path(text)) if text else ''


def _size(text: str) -> tuple[int, int]:
    """'256x192' -> (256, 192)."""
    height, _, width = text.partition('x')
    if not all(side.isdecimal() and len(side) < 10 for side in (height, width)):
        raise argparse.ArgumentTypeError(f'must be HEIGHTxWIDTH, such as 256x192, not {text!r}')
    return int(height), int(width)


def _type_of(default: Any) -> Callable[[str], Any]:
    """The function that reads a text as a value of the type that a field's default has."""
    if isinstance(default, tuple):
        return _names
    return _switch if isinstance(default, bool) else type(default)


def _names(text: str) -> tuple[str, ...]:
    """'S9+S11' -> ('S9', 'S11')."""
    return tuple(text.split('+'))


def _switch(text: str) -> bool:
    """'true' or 'false'."""
    if text.lower() not in ('true', 'false'):
        raise argparse.ArgumentTypeError(f'must be true or false, not {text!r}')
    return text.lower() == 'true'
