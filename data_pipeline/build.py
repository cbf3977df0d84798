"""Builds a dataset and does nothing else; nothing at all where the dataset is already there.

    python -m data_pipeline.build human36m --source=DIR
    python -m data_pipeline.build human36m --source=DIR --size=256x192 --subjects=S9+S11
    python -m data_pipeline.build mpi_inf_3dhp --source=DIR
    python -m data_pipeline.build --config=configs/X.py     the dataset of a config

A dataset by its name takes these arguments; add --help after the name for all of them:

    --data_dir=DIR       where built datasets are kept (default data)
    --size=256x192       height and width of the crops
    --quality=95         of the stored JPEGs
    --crop_format=png    jpeg444 (default), jpeg420 (smaller, colours of half the resolution), png
                         or webp (both lossless)
    --processes=N        that make crops (default: every core but one)
    --FIELD=VALUE        any other field of data_pipeline/datasets/NAME/settings.py; several names
                         are joined by +
    --beam_runner=NAME   let Apache Beam build it (requirements-beam.txt), such as DirectRunner

A build that was interrupted goes on where it was when the same command is given again. A config
finds what was built here if its data.builder fields are the same. (`tfds build` would do the same
but needs TensorFlow.)
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.runtime import commands, configuration, files
from data_pipeline import arguments, datasets
from data_pipeline.building import SourceSettings


def build(data: ConfigDict, beam_runner: str = '') -> None:
    """Builds config.data and prints where it is and what its splits hold.

    Raises:
      UserError: it is to be in a store; else as `datasets.open_or_build`.
    """
    if files.is_remote(data.dir):
        raise UserError(
            f'{data.dir} is in a store, and datasets are built on disks: '
            f'{datasets.build_elsewhere(data)}'
        )
    builder = datasets.open_or_build(data, build=True, beam_runner=beam_runner, older=False)
    print(f'{data.name} is in {builder.data_dir}')
    for name, split in builder.info.splits.items():
        print(f'  {name}: {split.num_examples} people')


def parse(argv: Sequence[str]) -> tuple[ConfigDict, str]:
    """Reads the command line, `[NAME] --ARGUMENT=VALUE ...`.

    Args:
      argv: as `sys.argv`, the program first.

    Returns:
      (config.data, the name of Apache Beam's runner or '').

    Raises:
      UserError: there is no such dataset or argument, or a value is bad.
    """
    if len(argv) < 2 or argv[1].startswith('-'):
        if {'-h', '--help'} & set(argv[1:]):
            commands.Parser('data_pipeline.build', __doc__).parse(argv)
        config = configuration.parse(
            argv, required=('config',), check=lambda config: datasets.problems(config.data)
        ).config
        assert config is not None  # `parse` requires one.
        return config.data, ''
    name = argv[1]
    settings = datasets.package(name, 'the name of the dataset').Settings
    parser = commands.Parser(f'data_pipeline.build {name}', __doc__)
    parser.add_argument(
        '--data_dir', type=commands.any_path, default='data', help='where built datasets are kept'
    )
    parser.add_argument('--beam_runner', default='', help='let Apache Beam build it')
    arguments.add_settings(parser, settings)
    parser.set_defaults(processes=max(1, (os.cpu_count() or 2) - 1))
    values = parser.parse(argv[1:])
    if issubclass(settings, SourceSettings) and not values.source:
        raise UserError(f'--source is missing: the folder with the files of {name}')
    data = {
        'name': name,
        'dir': os.fspath(values.data_dir),
        'bad_image': 'error',
        'builder': arguments.fields_of(values, settings),
    }
    return ConfigDict(data), values.beam_runner


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    build(*parse(argv))
    return 0


if __name__ == '__main__':
    commands.run(main)
