"""`python -m data_pipeline.build --config=configs/X.py` builds the dataset of a config.

It does nothing else, and nothing at all where the dataset is already there. (`tfds build` would
do the same but needs TensorFlow.)
"""

from __future__ import annotations

from absl import app
from ml_collections import ConfigDict, config_flags

from data_pipeline import datasets

_CONFIG = config_flags.DEFINE_config_file('config', None, 'Configuration file.')


def build(config: ConfigDict) -> None:
    """Builds config.data and prints where it is and what its splits hold."""
    builder = datasets.open_or_build(config.data, build=True)
    print(f'{config.data.name} is in {builder.data_dir}')
    for name, split in builder.info.splits.items():
        print(f'  {name}: {split.num_examples} people')


def main(argv: list[str]) -> None:
    """Command line; an error in the config or the data ends it with one sentence."""
    if len(argv) > 1:
        raise app.UsageError(f'unexpected arguments {argv[1:]}; use --config=configs/X.py')
    try:
        build(_CONFIG.value)
    except (ValueError, RuntimeError, OSError) as error:
        raise SystemExit(f'error: {error}') from error


if __name__ == '__main__':
    app.run(main)
