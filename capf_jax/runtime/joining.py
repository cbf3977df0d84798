"""How the processes of a run find each other at the start: JAX's own way, with an end in words."""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import jax

from capf_jax.errors import UserError
from capf_jax.runtime import watch
from capf_jax.runtime.relay import Relay

DISTRIBUTED = '--distributed'  # argument of every command that may run as several processes
# What JAX is told where it does not find the other processes itself; the first is JAX's own name.
ENVIRONMENT = ('JAX_COORDINATOR_ADDRESS', 'JAX_NUM_PROCESSES', 'JAX_PROCESS_ID')
ARRIVAL = 300.0  # seconds that processes wait for each other
_PATIENCE = 30.0  # seconds until a process says that it waits


class Place(NamedTuple):
    """A process among those of its run.

    Attributes:
      address: of process 0, host:port.
      count: number of processes.
      index: this one among them.
      devices: the devices of its machine that it uses; None for those that JAX chooses.
    """

    address: str
    count: int
    index: int
    devices: list[int] | None = None


def connect(lost: Callable[[], None]) -> tuple[Place, Relay | None]:
    """Joins the other processes.

    Args:
      lost: called, by a thread, when process 0 is gone.

    Returns:
      This process's place, and its way to process 0 where it is another one.

    Raises:
      UserError: JAX does not find the others, they do not come within `ARRIVAL` seconds, or the
        environment names them in part.
    """
    missing = [name for name in ENVIRONMENT if name not in os.environ]
    if 0 < len(missing) < len(ENVIRONMENT):
        raise UserError(f'{DISTRIBUTED}: {" and ".join(missing)} must be set as well')
    try:
        place = find_place()
        if not 0 <= place.index < place.count:
            raise UserError(
                f'{DISTRIBUTED}: {ENVIRONMENT[2]} is {place.index}, and {ENVIRONMENT[1]} is '
                f'{place.count}: give each process a number of its own, 0 to {place.count - 1}'
            )
        relay = Relay(place.address, watch.LONG_SILENCE, lost) if place.index else None
        _join(place, relay)
    except UserError:
        raise
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(
            f'{DISTRIBUTED}: the other processes were not found ({" ".join(str(error).split())}); '
            f'outside a TPU pod, Slurm or Open MPI set {", ".join(ENVIRONMENT)}'
        ) from error
    return place, relay


def find_place() -> Place:
    """What the environment says, or what JAX knows of a TPU pod, Slurm or Open MPI.

    Under Slurm JAX gives every task one device. A task that is alone on its machine gets all, and
    `JAX_LOCAL_DEVICE_IDS` decides where it is set.

    Raises:
      UserError: JAX knows nothing.
    """
    address, count, index = (os.environ.get(name) for name in ENVIRONMENT)
    if address is not None and count is not None and index is not None:
        return Place(address, int(count), int(index))
    from jax._src import clusters  # JAX has no public name for it.

    address, count, index, devices = clusters.ClusterEnv.auto_detect_unset_distributed_params(
        None, None, None, None, None, round(ARRIVAL)
    )
    if address is None or count is None or index is None:
        raise UserError(
            f'{DISTRIBUTED}: this is no TPU pod, Slurm or Open MPI that JAX knows: set '
            f'{", ".join(ENVIRONMENT)}'
        )
    machines = os.environ.get('SLURM_STEP_NUM_NODES')
    is_alone = machines is not None and machines == os.environ.get('SLURM_NTASKS')
    if devices is None or is_alone or 'JAX_LOCAL_DEVICE_IDS' in os.environ:
        return Place(address, count, index)
    return Place(address, count, index, list(devices))


def _join(place: Place, relay: Relay | None) -> None:
    """Calls JAX in a thread, since its call answers no Ctrl-C, and aborts where it is too late."""
    _reach_without_proxy()
    errors: list[Exception] = []
    call = functools.partial(
        jax.distributed.initialize,
        place.address if relay is None else relay.address,
        place.count,
        place.index,
        local_device_ids=place.devices,
        initialization_timeout=round(2 * ARRIVAL),
    )

    def run() -> None:
        try:
            call()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, name='join', daemon=True)
    thread.start()
    start, is_silent = time.monotonic(), True
    who = f'process {place.index}'
    others = f'the others of {place.count} at {place.address}'
    while thread.is_alive():
        thread.join(0.1)
        if relay is not None and relay.is_lost:
            raise UserError(
                f'{DISTRIBUTED}: process 0 at {place.address} has ended before all had found each '
                'other: start all processes again'
            )
        waits = time.monotonic() - start
        if waits > _PATIENCE and is_silent:
            is_silent = False
            print(f'{who} waits for {others} (Ctrl-C gives up)', file=sys.stderr)
        if waits > ARRIVAL:
            trouble = f' ({relay.trouble})' if relay is not None and relay.trouble else ''
            raise UserError(
                f'{DISTRIBUTED}: {who} has waited {ARRIVAL:.0f} seconds for {others}{trouble}: '
                f'start each with the same {ENVIRONMENT[0]} and {ENVIRONMENT[1]}, and with a '
                f'{ENVIRONMENT[2]} of its own'
            )
    if errors:
        raise errors[0]


def _reach_without_proxy() -> None:
    """Keeps gRPC from looking for the relay behind a proxy for the web."""
    if any(name in os.environ for name in ('grpc_proxy', 'https_proxy', 'http_proxy')):
        names = os.environ.get('no_grpc_proxy', os.environ.get('no_proxy', ''))  # noqa: SIM112
        os.environ['no_grpc_proxy'] = f'{names},127.0.0.1'.lstrip(',')  # noqa: SIM112
