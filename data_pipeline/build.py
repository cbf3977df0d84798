"""Builds a dataset and does nothing else; nothing at all where the dataset is already there.

    python -m data_pipeline.build human36m --source=DIR
    python -m data_pipeline.build mpi_inf_3dhp --source=DIR
    python -m data_pipeline.build --config=configs/X.py     the dataset of a config

    --data_dir=DIR       where built datasets are kept (default data)
    --size=256x192       height and width of the crops
    --quality=95         of the stored JPEGs
    --processes=N        that crop (default: every core but one)
    --FIELD=VALUE        any other field of the dataset's settings, see data_pipeline/NAME/
                         configuration.py; several names joined by +: --subjects=S9+S11
    --beam_runner=NAME   let Apache Beam build it (requirements-beam.txt), such as DirectRunner

A config finds what was built here if its data.builder fields are the same. (`tfds build` would do
the same but needs TensorFlow.)
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import os
from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

from capf_jax.runtime import commands, configuration
from data_pipeline import datasets

_SHORT = {'quality': 'jpeg_quality'}  # what flags call a field


def build(config: ConfigDict, beam_runner: str = '') -> None:
    """Builds config.data and prints where it is and what its splits hold."""
    builder = datasets.open_or_build(config.data, build=True, beam_runner=beam_runner)
    print(f'{config.data.name} is in {builder.data_dir}')
    for name, split in builder.info.splits.items():
        print(f'  {name}: {split.num_examples} people')


def parse(argv: Sequence[str]) -> tuple[ConfigDict, str]:
    """`NAME --FLAG=VALUE ...` -> (a configuration with its data part alone, Beam runner or '').

    Raises:
      ValueError: a dataset that takes no source folder, a flag that does not exist, a bad value.
    """
    name, *rest = argv
    settings = getattr(_package(name), 'Settings', None)
    if settings is None:
        raise ValueError(f'{name} is built from a config: python -m data_pipeline.build --config=X')
    fields = {field.name: field.default for field in dataclasses.fields(settings)}
    known = ['data_dir', 'size', 'beam_runner', *_SHORT, *fields]
    data_dir, beam_runner = 'data', ''
    given: dict[str, Any] = {'processes': max(1, (os.cpu_count() or 2) - 1)}
    for argument in rest:
        flag, equals, text = argument.partition('=')
        flag = flag.removeprefix('--')
        if flag not in known or not argument.startswith('--'):
            near = difflib.get_close_matches(flag, known, 1, 0.0)[0]
            raise ValueError(f'unknown argument {argument!r}; the nearest is --{near}=')
        if not (equals and text):
            raise ValueError(f'--{flag} needs a value: --{flag}=...')
        if flag == 'data_dir':
            data_dir = text
        elif flag == 'beam_runner':
            beam_runner = text
        elif flag == 'size':
            given['height'], given['width'] = _size(text)
        else:
            field = _SHORT.get(flag, flag)
            given[field] = _value(flag, text, fields[field])
    if not given.get('source'):
        raise ValueError(f'--source is missing: the folder with the files of {name}')
    data = {'name': name, 'dir': data_dir, 'builder': given}
    return ConfigDict({'data': data}), beam_runner


def _package(name: str) -> Any:
    known = datasets.names()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.0)[0]
        raise ValueError(
            f'there is no dataset {name!r}; the nearest is {near!r}, all are {", ".join(known)}'
        )
    return importlib.import_module(f'data_pipeline.{name}')


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition('x')
    if not (height.isdecimal() and width.isdecimal()):
        raise ValueError(f'--size must be HEIGHTxWIDTH, such as 256x192, got {text!r}')
    return int(height), int(width)


def _value(flag: str, text: str, default: Any) -> Any:
    """The text as the type that a field's default has."""
    kind = type(default)
    try:
        if kind is tuple:
            return tuple(text.split('+'))
        if kind is bool:
            return {'true': True, 'false': False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError):
        raise ValueError(f'--{flag} must be of type {kind.__name__}, got {text!r}') from None


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    if len(argv) > 1 and argv[1] in ('-h', '--help'):
        print(__doc__)
    elif len(argv) > 1 and not argv[1].startswith('-'):
        build(*parse(argv[1:]))
    else:
        build(configuration.parse(argv, required=('config',)).config)
    return 0


if __name__ == '__main__':
    commands.run(main)
