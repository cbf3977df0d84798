"""Devices and processes: the only file that knows them.

Training is `jax.pmap` over the axis `pose.batch.AXIS`, in the form without replicated copies in
the caller's hands: the state goes in and comes out unmapped (`in_axes=None`, `out_axes=None`),
only the batch is cut. Evaluation is `jax.jit` over the same cut. Steps are pure functions and see
of all this only the axis name.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from capf_jax.backends import programs
from capf_jax.pose.batch import AXIS, Batch

DISTRIBUTED = '--distributed'  # argument of every command that may run as several processes
# What JAX is told where it does not find the other processes itself; the first is JAX's own name.
ENVIRONMENT = ('JAX_COORDINATOR_ADDRESS', 'JAX_NUM_PROCESSES', 'JAX_PROCESS_ID')

process_index = jax.process_index
process_count = jax.process_count


def join_processes(argv: Sequence[str]) -> list[str]:
    """Joins the other processes of this run if `--distributed` is among the arguments.

    On a TPU pod, under Slurm and under Open MPI, JAX finds the others by itself. Elsewhere the
    environment names them: JAX_COORDINATOR_ADDRESS (host:port of process 0), JAX_NUM_PROCESSES and
    JAX_PROCESS_ID. Must come before anything else is asked of JAX.

    Returns:
      The arguments without it.

    Raises:
      ValueError: JAX does not find the others, or the environment names them in part.
    """
    rest = [argument for argument in argv if argument != DISTRIBUTED]
    if len(rest) == len(argv):
        return rest
    address, number, index = (os.environ.get(name) for name in ENVIRONMENT)
    missing = [name for name in ENVIRONMENT if name not in os.environ]
    if 0 < len(missing) < len(ENVIRONMENT):
        raise ValueError(f'{DISTRIBUTED}: {" and ".join(missing)} must be set as well')
    try:
        if missing:
            jax.distributed.initialize()
        else:
            jax.distributed.initialize(address, int(number), int(index))
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f'{DISTRIBUTED}: the other processes were not found ({" ".join(str(error).split())}); '
            f'outside a TPU pod, Slurm or Open MPI set {", ".join(ENVIRONMENT)}'
        ) from error
    return rest


@contextlib.contextmanager
def main_process_first() -> Iterator[None]:
    """The main process goes through the block before the others enter: it builds, they find."""
    if not is_main_process():
        _wait_for_all()
    try:
        yield
    finally:
        if is_main_process():
            _wait_for_all()


def _wait_for_all() -> None:
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices('main process first')


def is_main_process() -> bool:
    """Whether this process is the one that prints and writes logs."""
    return jax.process_index() == 0


def _devices() -> list[jax.Device]:
    """All devices, those of one process side by side, as pmap orders them."""
    return sorted(jax.devices(), key=lambda device: (device.process_index, device.id))


def _everywhere() -> NamedSharding:
    """A whole copy on every device of every process."""
    return NamedSharding(Mesh(np.array(_devices()), (AXIS,)), PartitionSpec())


def check_batch_size(batch_size: int, field: str) -> None:
    """ValueError unless a batch divides evenly over the devices, naming both numbers."""
    devices = jax.device_count()
    if batch_size % devices:
        fitting = max(devices, batch_size // devices * devices)
        raise ValueError(
            f'{field} is {batch_size}, which does not divide by the {devices} devices: '
            f'use a multiple of {devices}, such as {fitting}'
        )


def replicate(tree: Any) -> Any:
    """A copy of a host or device tree on every device, safe to donate."""
    return jax.tree.map(lambda x: jax.device_put(np.array(x), _everywhere()), tree)


def abstract(tree: Any) -> Any:
    """Shapes and types of a tree, laid out over this run's devices: what to restore into."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=_everywhere()),
        jax.eval_shape(lambda: tree) if not _is_abstract(tree) else tree,
    )


def _is_abstract(tree: Any) -> bool:
    return all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(tree))


def to_host(tree: Any) -> Any:
    """The tree as numpy arrays."""
    return jax.tree.map(np.asarray, tree)


def shard(batch: Batch) -> Batch:
    """This process's share of a batch on its devices: arrays [b, ...] to [D, b / D, ...].

    Raises:
      ValueError: the share does not divide by the devices of this process.
    """
    devices = [d for d in _devices() if d.process_index == jax.process_index()]
    size = len(batch.valid)
    if size % len(devices):
        raise ValueError(
            f'a batch of {size} samples does not divide by the {len(devices)} devices '
            'of this process'
        )
    layout = NamedSharding(Mesh(np.array(devices), (AXIS,)), PartitionSpec(AXIS))

    def put(values: np.ndarray) -> jax.Array:
        values = np.asarray(values)
        return jax.device_put(values.reshape(len(devices), -1, *values.shape[1:]), layout)

    return Batch(*map(put, batch))


def prefetch(batches: Iterable[Batch], ahead: int = 2) -> Iterator[Batch]:
    """Batches on the devices, `ahead` of them under way while the caller computes."""
    batches = iter(batches)
    waiting = collections.deque(shard(batch) for batch in itertools.islice(batches, ahead))
    while waiting:
        yield waiting.popleft()
        waiting.extend(shard(batch) for batch in itertools.islice(batches, 1))


@functools.lru_cache(maxsize=8)  # one compilation a process
def train_step(step: Callable[..., Any]) -> Callable[..., Any]:
    """A training step over all devices: (state, sharded batch) -> (state, metrics).

    The state given is used up (donated): only the one that comes back may be used.
    """
    with warnings.catch_warnings():  # pmap may be deprecated: this file is the place to leave it
        warnings.simplefilter('ignore', DeprecationWarning)
        mapped = jax.pmap(
            programs.specialised(step),
            axis_name=AXIS,
            in_axes=(None, 0),
            out_axes=None,
            donate_argnums=0,
        )
    compiled: dict[Any, Callable[..., Any]] = {}

    def run(state: Any, batch: Batch) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            # pmap takes no compiler options, but what it lowers to does. Across processes that
            # would refuse the arrays of one process, which pmap itself accepts.
            if not programs.compiler_options() or jax.process_count() > 1:
                return mapped(state, batch)
            leaves, tree = jax.tree.flatten((state, batch))
            key = tree, tuple((x.shape, x.dtype) for x in leaves)
            if key not in compiled:
                options = programs.compiler_options()
                compiled[key] = mapped.lower(state, batch).compile(options)
            return compiled[key](state, batch)

    return run


@functools.lru_cache(maxsize=8)  # one compilation a run, however often the split is evaluated
def eval_step(step: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, np.ndarray]]:
    """A jitted evaluation step over all devices and processes.

    Returns:
      A function of the state and this process's share of a batch (numpy, [b, ...]) that gives the
      outputs for the whole batch, all processes' shares in one, as numpy arrays.
    """
    mesh = Mesh(np.array(_devices()), (AXIS,))

    def gathered(state: Any, batch: Batch) -> dict[str, Any]:
        outputs = step(state, batch)
        return jax.tree.map(lambda x: jax.lax.all_gather(x, AXIS, tiled=True), outputs)

    jitted = programs.jit(
        jax.shard_map(
            gathered,
            mesh=mesh,
            in_specs=(PartitionSpec(), PartitionSpec(AXIS)),
            out_specs=PartitionSpec(),
            check_vma=False,  # that all_gather makes equal copies is ours to know
        )
    )
    layout = NamedSharding(mesh, PartitionSpec(AXIS))

    def run(state: Any, batch: Batch) -> dict[str, np.ndarray]:
        size = len(batch.valid) * jax.process_count()
        if size % mesh.size:
            raise ValueError(
                f'a batch of {size} samples does not divide by the {mesh.size} devices'
            )
        whole = Batch(
            *(jax.make_array_from_process_local_data(layout, np.asarray(x)) for x in batch)
        )
        return to_host(jitted(_global(state), whole))

    return run


def _global(state: Any) -> Any:
    """The state as arrays over all processes; pmap gives each process its own."""
    layout = _everywhere()

    def convert(x: Any) -> jax.Array:
        if not isinstance(x, jax.Array):
            return jax.device_put(x, layout)
        if jax.process_count() == 1 or not x.is_fully_addressable:
            return x if x.sharding == layout else jax.device_put(x, layout)
        shards = [shard.data for shard in x.addressable_shards]
        return jax.make_array_from_single_device_arrays(x.shape, layout, shards)

    return jax.tree.map(convert, state)


def anyone(flag: bool) -> bool:
    """Whether the flag is set in any process; all processes must ask at the same place."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))
