"""The old address of `python -m data_pipeline.preview`, which older instructions name."""

from capf_jax.runtime import commands
from data_pipeline.preview import main

if __name__ == '__main__':
    commands.run(main)
