"""What a weight file may say of itself: what is read later is checked when the file is opened.

A file may come from a stranger, so that its metadata may be of any type and any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capf_jax.errors import printable
from capf_jax.runtime import configuration, value_checks, value_kinds
from capf_jax.runtime.value_kinds import Check

_SIDE = value_kinds.whole(1, 8192)  # of a crop, pixels


def _sides(value: Any) -> str:
    is_pair = isinstance(value, (list, tuple)) and len(value) == 2
    right = is_pair and not any(map(_SIDE, value))
    return '' if right else 'it must be a height and a width'


def _fields(value: Any) -> str:
    return '' if isinstance(value, Mapping) else 'it must be a table of names and values'


def _lists(value: Any) -> str:
    right = isinstance(value, Mapping) and all(isinstance(one, list) for one in value.values())
    return '' if right else 'it must be lists by name'


_TOP: Mapping[str, Check] = {
    'kind': value_kinds.text,
    'name': value_kinds.text,
    'skeleton': value_kinds.text,
    'unit': value_kinds.text,
    'naming': value_kinds.text,
    'model': _fields,
    'crop': _sides,
    'has_first_row': value_kinds.switch,
    'step': value_kinds.whole(0, 10**18),
    'frames': value_kinds.whole(1, 9999),
    'frame_step': value_kinds.whole(1, 1000),
    'causal': value_kinds.switch,
    'dropped': _lists,
}
_CROP = {f'config.data.builder.{side}': _SIDE for side in ('height', 'width')}
# The fields of models that have no configuration.
_OTHER_MODELS: Mapping[str, Mapping[str, Check]] = {
    'poseformer': {
        'model.num_joints': value_kinds.whole(1, 1000),
        'model.frames': value_kinds.whole(1, 10_000),
        'model.channels': value_kinds.whole(1, 8192),
        'model.layers': value_kinds.whole(1, 64),
        'model.heads': value_kinds.whole(1, 8192),
        'model.mlp_ratio': value_kinds.whole(1, 64),
        'model.drop_path': value_kinds.number(0, 1, below=True),
    },
    'person_finder': {'model.num_joints': value_kinds.whole(1, 1000)},
}


def problems(metadata: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with what a file says of itself, each a clause.

    Args:
      metadata: the parsed metadata of a weight file, of which nothing must be there.
    """
    flat = configuration.flatten(
        {name: metadata[name] for name in ('model', 'config') if name in metadata}
    )
    wrong = _wrong(metadata, _TOP) + _wrong(flat, _CROP)
    kind = str(metadata.get('kind'))
    if wrong:
        return wrong
    if kind in _OTHER_MODELS:
        return _wrong(flat, _OTHER_MODELS[kind])
    fields = {name: value for name, value in flat.items() if name.startswith('model.')}
    return value_checks.wrong_values(fields, prefix='')


def _wrong(values: Mapping[str, Any], checks: Mapping[str, Check]) -> list[str]:
    return [
        f'{name} is {printable(value_kinds.shown(values[name]))}; {problem}'
        for name, check in checks.items()
        if values.get(name) is not None and (problem := check(values[name]))
    ]
