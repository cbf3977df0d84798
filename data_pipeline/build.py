"""`python -m data_pipeline.build --config=configs/X.py` builds the dataset of a config.

It does nothing else, and nothing at all where the dataset is already there. (`tfds build` would
do the same but needs TensorFlow.)
"""

from __future__ import annotations

from collections.abc import Sequence

from ml_collections import ConfigDict

from capf_jax import commands, configuration
from data_pipeline import datasets


def build(config: ConfigDict) -> None:
    """Builds config.data and prints where it is and what its splits hold."""
    builder = datasets.open_or_build(config.data, build=True)
    print(f'{config.data.name} is in {builder.data_dir}')
    for name, split in builder.info.splits.items():
        print(f'  {name}: {split.num_examples} people')


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    build(configuration.parse(argv, required=('config',)).config)
    return 0


if __name__ == '__main__':
    commands.run(main)
