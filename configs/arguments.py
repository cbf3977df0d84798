"""Arguments that follow a config file's name, `--config=configs/synthetic.py:step=0,seed=1`."""

from __future__ import annotations

from typing import Any

from ml_collections import ConfigDict

from capf_jax.errors import UserError, nearest

_BOOLEANS = {'true': True, 'yes': True, '1': True, 'false': False, 'no': False, '0': False}


def parse(arg: str | None, **defaults: Any) -> ConfigDict:
    """Reads `name=value,name=value` over defaults.

    Args:
      arg: the text after the colon; None or '' leaves every default.
      **defaults: every argument that exists, with its default. A value takes the type of
        its default, which is bool, int, float or str.

    Returns:
      A locked ConfigDict with the fields of `defaults`.

    Raises:
      UserError: an argument does not exist (the message has the nearest name), one comes
        twice, or a value is not of the default's type.
    """
    values = dict(defaults)
    before = set()
    for part in filter(None, (part.strip() for part in (arg or '').split(','))):
        name, equals, text = (piece.strip() for piece in part.partition('='))
        if not equals:
            raise UserError(f'config argument {part!r} is not of the form name=value')
        if name not in defaults:
            raise UserError(_unknown(name, list(defaults)))
        if name in before:
            raise UserError(f'config argument {name!r} is given twice')
        before.add(name)
        values[name] = _convert(name, text, defaults[name])
    return ConfigDict(values).lock()


def _unknown(name: str, known: list[str]) -> str:
    if not known:
        return f'this config takes no arguments, but got {name!r}'
    near = nearest(name, known)
    return (
        f'this config has no argument {name!r}; the nearest is {near!r}, all are {", ".join(known)}'
    )


def _convert(name: str, text: str, default: Any) -> Any:
    kind = type(default)
    try:
        return _BOOLEANS[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        raise UserError(
            f'config argument {name!r} must be of type {kind.__name__}, got {text!r}'
        ) from None


def switch(name: str, text: str, auto: bool) -> bool:
    """'true' or 'false' of the argument `name`, and `auto` for 'auto'; UserError for others."""
    return auto if text == 'auto' else _convert(name, text, True)


def resolution(text: str) -> tuple[int, int]:
    """'128x96' -> (height 128, width 96), pixels; UserError for anything else."""
    height, _, width = text.partition('x')
    sides = [int(side) for side in (height, width) if side.isdecimal() and len(side) < 5]
    if len(sides) < 2 or any(side % 32 for side in sides):
        raise UserError(
            f'resolution must be HEIGHTxWIDTH in multiples of 32, such as 256x192, got {text!r}'
        )
    return sides[0], sides[1]


def levels(text: str) -> tuple[int, ...]:
    """'0+1+3' -> feature levels (0, 1, 3), 0 the finest; '' -> (), all that the detector gives.

    Raises:
      UserError: the text is anything else, or names a level twice.
    """
    parts = text.split('+') if text else []
    if not all(part.isdecimal() and len(part) < 4 for part in parts) or len(set(parts)) < len(
        parts
    ):
        raise UserError(
            f'levels must be different numbers joined by +, such as 0+1+3, got {text!r}'
        )
    return tuple(map(int, parts))
