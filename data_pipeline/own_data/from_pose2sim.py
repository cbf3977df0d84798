"""The old address of `python -m data_pipeline.from_pose2sim`, which older instructions name."""

from capf_jax.runtime import commands
from data_pipeline.from_pose2sim import main

if __name__ == '__main__':
    commands.run(main)
