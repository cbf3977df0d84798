"""The processes of one run: how they find each other, which of them writes, how they agree.

A run has one process for each machine of a GPU cluster or TPU pod, or one in all.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils

from capf_jax.errors import UserError
from capf_jax.runtime import files, locks

DISTRIBUTED = '--distributed'  # argument of every command that may run as several processes
# What JAX is told where it does not find the other processes itself; the first is JAX's own name.
ENVIRONMENT = ('JAX_COORDINATOR_ADDRESS', 'JAX_NUM_PROCESSES', 'JAX_PROCESS_ID')

process_index = jax.process_index
process_count = jax.process_count


def join_processes(argv: Sequence[str]) -> list[str]:
    """Joins the other processes of this run if `--distributed` is among the arguments.

    On a TPU pod, under Slurm and under Open MPI, JAX finds the others by itself. Elsewhere the
    environment names them: JAX_COORDINATOR_ADDRESS (host:port of process 0), JAX_NUM_PROCESSES and
    JAX_PROCESS_ID. The call must come before anything else is asked of JAX.

    Args:
      argv: the command line.

    Returns:
      The arguments without `--distributed`.

    Raises:
      UserError: JAX does not find the others, or the environment names them in part.
    """
    rest = [argument for argument in argv if argument != DISTRIBUTED]
    if len(rest) == len(argv):
        return rest
    address, number, index = (os.environ.get(name) for name in ENVIRONMENT)
    missing = [name for name in ENVIRONMENT if name not in os.environ]
    if 0 < len(missing) < len(ENVIRONMENT):
        raise UserError(f'{DISTRIBUTED}: {" and ".join(missing)} must be set as well')
    try:
        if number is None or index is None:
            jax.distributed.initialize()
        else:
            jax.distributed.initialize(address, int(number), int(index))
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f'{DISTRIBUTED}: the other processes were not found ({" ".join(str(error).split())}); '
            f'outside a TPU pod, Slurm or Open MPI set {", ".join(ENVIRONMENT)}'
        ) from error
    return rest


def is_main_process() -> bool:
    """Whether this process is the one that prints and writes logs."""
    return jax.process_index() == 0


@contextlib.contextmanager
def main_process_first() -> Iterator[None]:
    """Lets the main process go through the block before the other processes enter it.

    What the main process makes there, such as a dataset, the others then only open.
    """
    if not is_main_process():
        _wait_for_all()
    try:
        yield
    finally:
        if is_main_process():
            _wait_for_all()


@contextlib.contextmanager
def main_process_locks(folder: files.AnyPath, doing: str) -> Iterator[None]:
    """`locks.locked` by the main process alone, since the others are of the same run."""
    if not is_main_process():
        yield
        return
    with locks.locked(folder, doing):
        yield


def anyone(flag: bool) -> bool:
    """Whether the flag is set in any process; all processes must ask at the same place."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def _wait_for_all() -> None:
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices('main process first')
