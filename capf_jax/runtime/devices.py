"""Devices: where arrays lie and how a pure step runs on all of them; the only file that knows.

Training is `jax.pmap` over the axis `pose.batch.AXIS`, in the form without replicated copies in
the caller's hands: the state goes in and comes out unmapped (`in_axes=None`, `out_axes=None`),
only the batch is cut. Evaluation is `jax.jit` over the same cut. Steps are pure functions, which
see nothing of this but the name of the axis.
"""

from __future__ import annotations

import collections
import functools
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.pose.batch import AXIS, Batch
from capf_jax.runtime import processes


def _devices() -> list[jax.Device]:
    """All devices, those of one process side by side, as pmap orders them."""
    return _in_order(jax.devices())


def _in_order(devices: Iterable[jax.Device]) -> list[jax.Device]:
    return sorted(devices, key=lambda device: (device.process_index, device.id))


def _everywhere() -> NamedSharding:
    """A whole copy on every device of every process."""
    return NamedSharding(Mesh(np.array(_devices()), (AXIS,)), PartitionSpec())


def check_batch_size(
    batch_size: int, field: str, parts: int = 1, devices: int | None = None
) -> None:
    """Checks that a batch divides evenly over the devices of all processes.

    Args:
      batch_size: samples in a batch, over all processes.
      field: the configuration's name for it, such as 'training.batch_size'.
      parts: how many each device cuts its share into.
      devices: how many there are; None for those of this run.

    Raises:
      UserError: it does not divide; the sentence has both numbers and a size that fits.
    """
    devices = jax.device_count() if devices is None else devices
    each = devices * parts
    if batch_size % each:
        fitting = max(each, batch_size // each * each)
        by = f'the {devices} devices' + (f' with {parts} parts each' if parts > 1 else '')
        raise UserError(
            f'{field} is {batch_size}, which does not divide by {by}: '
            f'use a multiple of {each}, such as {fitting}'
        )


def replicate(tree: Any) -> Any:
    """A copy of a host or device tree on every device; donating it leaves the original whole.

    All processes must call it at the same place, and wait there for each other: JAX itself, which
    compares their trees, gives the slowest only 30 seconds to come.

    Raises:
      EndedError: another process has ended.
    """
    processes.gather('')
    return jax.tree.map(lambda x: jax.device_put(np.array(x), _everywhere()), tree)


def abstract(tree: Any) -> Any:
    """The shapes and types of a tree, laid out over this run's devices: what to restore into.

    Args:
      tree: arrays or `jax.ShapeDtypeStruct`s.
    """
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=_everywhere()),
        tree,
    )


def to_host(tree: Any) -> Any:
    """The tree with NumPy arrays as leaves."""
    return jax.tree.map(np.asarray, tree)


def shard(batch: Batch) -> Batch:
    """Puts this process's share of a batch on its devices.

    Args:
      batch: fields [b, ...], b samples of this process.

    Returns:
      Fields [D, b / D, ...], D devices of this process, each with one row. A window's frames are
      on the device of its target.

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
        values = np.asarray(values)  # The frames of windows have several rows a sample.
        rows = (len(devices), len(values) // len(devices))
        return jax.device_put(values.reshape(*rows, *values.shape[1:]), layout)

    return jax.tree.map(put, batch)


def prefetch(batches: Iterable[Batch], ahead: int = 2) -> Iterator[Batch]:
    """Puts batches on the devices, `ahead` of them before the caller asks for them.

    Copying to a device goes on while the caller computes, so that no step waits for its batch.
    """
    batches = iter(batches)
    waiting = collections.deque(shard(batch) for batch in itertools.islice(batches, ahead))
    while waiting:
        yield waiting.popleft()
        waiting.extend(shard(batch) for batch in itertools.islice(batches, 1))


def _mapped(step: Callable[..., Any], devices: Sequence[jax.Device] | None = None) -> Any:
    """The training step as pmap runs it, on all devices of this run or on those given."""
    with warnings.catch_warnings():  # pmap may be deprecated: this file is the place to leave it
        warnings.simplefilter('ignore', DeprecationWarning)
        return jax.pmap(
            programs.specialised(step),
            axis_name=AXIS,
            in_axes=(None, 0),
            out_axes=None,
            donate_argnums=0,
            devices=devices,
        )


def lowered_train_step(
    step: Callable[..., Any], state: Any, batch: Batch, devices: Sequence[jax.Device]
) -> jax.stages.Lowered:
    """The program of `train_step`, to be compiled for devices that need not be at hand.

    Args:
      step: see `train_step`.
      state: its arrays, or `jax.ShapeDtypeStruct`s.
      batch: the whole batch, likewise.
      devices: all of one platform, as `jax.experimental.topologies` gives them.
    """
    devices = _in_order(devices)

    def cut(x: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((len(devices), len(x) // len(devices), *x.shape[1:]), x.dtype)

    with programs.compiling_for(devices[0].platform), warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        return _mapped(step, devices).lower(state, jax.tree.map(cut, batch))


def lowered_eval_step(
    step: Callable[..., Any], state: Any, batch: Batch, devices: Sequence[jax.Device]
) -> jax.stages.Lowered:
    """The program of `eval_step`, likewise."""
    devices = _in_order(devices)
    mesh = Mesh(np.array(devices), (AXIS,))

    def laid_out(tree: Any, *cut: str) -> Any:
        layout = NamedSharding(mesh, PartitionSpec(*cut))
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=layout), tree)

    with programs.compiling_for(devices[0].platform):
        jitted = _gathered(step, mesh).jitted()  # pyright: ignore[reportFunctionMemberAccess]
        return jitted.lower(laid_out(state), laid_out(batch, AXIS))


@functools.lru_cache(maxsize=8)  # one compilation a process
def train_step(step: Callable[..., Any]) -> Callable[..., Any]:
    """A training step over all devices: (state, sharded batch) -> (state, metrics).

    The state that goes in is donated: its memory is used again, and only the state that comes back
    may be read.
    """
    mapped = _mapped(step)
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


def _gathered(step: Callable[..., dict[str, Any]], mesh: Mesh) -> Callable[..., Any]:
    """The evaluation step over a mesh, jitted: every device gets the outputs of all."""

    def gathered(state: Any, batch: Batch) -> dict[str, Any]:
        outputs = step(state, batch)
        return jax.tree.map(lambda x: jax.lax.all_gather(x, AXIS, tiled=True), outputs)

    return programs.jit(
        jax.shard_map(
            gathered,
            mesh=mesh,
            in_specs=(PartitionSpec(), PartitionSpec(AXIS)),
            out_specs=PartitionSpec(),
            check_vma=False,  # JAX does not see that all_gather gives every device the same copy
        )
    )


@functools.lru_cache(maxsize=8)  # one compilation a run, however often the split is evaluated
def eval_step(step: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, jax.Array]]:
    """A jitted evaluation step over all devices and processes.

    Returns:
      A function of the state and this process's share of a batch (numpy, [b, ...]) that gives the
      outputs for the whole batch, the shares of all processes in one. It does not wait for the
      devices: `np.asarray` of an output does.
    """
    mesh = Mesh(np.array(_devices()), (AXIS,))
    jitted = _gathered(step, mesh)
    layout = NamedSharding(mesh, PartitionSpec(AXIS))

    def run(state: Any, batch: Batch) -> dict[str, jax.Array]:
        size = len(batch.valid) * jax.process_count()
        if size % mesh.size:
            raise ValueError(
                f'a batch of {size} samples does not divide by the {mesh.size} devices'
            )
        whole = jax.tree.map(
            lambda x: jax.make_array_from_process_local_data(layout, np.asarray(x)), batch
        )
        return jitted(_global(state), whole)

    return run


def _global(state: Any) -> Any:
    """The state as arrays over all processes, since pmap gives every process arrays of its own."""
    layout = _everywhere()

    def convert(x: Any) -> jax.Array:
        if not isinstance(x, jax.Array):
            return jax.device_put(x, layout)
        if jax.process_count() == 1 or not x.is_fully_addressable:
            return x if x.sharding == layout else jax.device_put(x, layout)
        shards = [shard.data for shard in x.addressable_shards]
        return jax.make_array_from_single_device_arrays(x.shape, layout, shards)

    return jax.tree.map(convert, state)
