"""Our side of benchmarks.gpu: the product's own steps, the lifter and the samplers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import accelerator_report, compiled_steps
from benchmarks.gpu_subjects import (
    PASSES,
    Job,
    Program,
    compared,
    lifter_inputs,
    model_of,
    sampler_inputs,
    settings,
    start,
)
from capf_jax.backends import programs
from capf_jax.backends.cpu import sampling as cpu_sampling
from capf_jax.errors import UserError
from capf_jax.models.grid_sample import grid_sample
from capf_jax.runtime import devices

# The small form is to be there soon, not to be fast.
_QUICK = {'xla_backend_optimization_level': 0, 'xla_llvm_disable_expensive_passes': True}
PACKAGES = ('jax', 'jaxlib', 'flax')


def begin(job: Job) -> str:
    """Starts the backend; the name of the device.

    Raises:
      UserError: JAX sees no GPU, and the job is one for a GPU.
    """
    device = jax.devices()[0]
    if job.on_gpu != (jax.default_backend() == 'gpu'):
        raise UserError(
            f'JAX runs on {device.device_kind} here and not on {job.device}: install a JAX for it '
            '(docs/accelerators.md, On a GPU)'
        )
    return device.device_kind


def begin_to_time(_: Job) -> None:
    """Nothing: JAX has no way to forget the most memory that it has used."""


def peak_bytes() -> int | None:
    """The most memory of the device that this process has used; None where JAX does not count it.

    What XLA tried out while it chose among kernels is counted.
    """
    statistics = jax.devices()[0].memory_stats() or {}
    return statistics.get('peak_bytes_in_use')


def programs_of(job: Job) -> Iterator[Program]:
    """The programs of a job, each compiled when it is asked for."""
    if job.subject == 'train':
        yield _training(job)
    elif job.subject == 'evaluate':
        yield _evaluation(job)
    elif job.subject == 'lifter':
        yield _lifter(job)
    else:
        yield from _samplers(job)


def _training(job: Job) -> Program:
    """The training step under pmap, with the batch on the device."""
    _, task, state, batch = start(job)
    state = state.replace(frozen=programs.prepared(state.frozen))  # as training does
    lowered = devices.lowered_train_step(task.train_step, state, batch, jax.devices()[:1])
    step, seconds = _compiled(lowered, job, programs.compiler_options())
    state, on_device = devices.replicate(state), devices.shard(batch)

    def run() -> Any:
        nonlocal state
        state, metrics = step(state, on_device)  # It is given the memory of the state before.
        return metrics

    def values() -> list[np.ndarray]:
        first, second = run(), run()
        return compared(first['loss'], first['gradient_norm'], second['loss'])

    return _program('train', run, values, step, seconds)


def _evaluation(job: Job) -> Program:
    """The evaluation step, with the batch on the device."""
    _, task, state, batch = start(job)
    state = state.replace(frozen=programs.prepared(state.frozen))
    lowered = devices.lowered_eval_step(task.eval_step, state, batch, jax.devices()[:1])
    step, seconds = _compiled(lowered, job)
    arguments = jax.device_put((state, batch), step.input_shardings[0])

    def values() -> list[np.ndarray]:
        return compared(step(*arguments)['pose'])

    return _program('evaluate', lambda: step(*arguments), values, step, seconds)


def _lifter(job: Job) -> Program:
    config, _, state, _ = start(job)
    lifter, number = model_of(config).lifter, jnp.dtype(job.dtype)
    joints2d, crop, maps = lifter_inputs(config, job.people)

    def forward(params: Any, joints2d: Any, crop: Any, maps: Any) -> jax.Array:
        return lifter.apply({'params': params}, joints2d, crop, maps)[0]

    arguments = state.params, joints2d, crop, [one.astype(number) for one in maps]
    return _jitted('lifter', job, forward, arguments, few_rows=True)


def _samplers(job: Job) -> Iterator[Program]:
    # This is the function that a lifter runs, which on a CPU is the replacement.
    sample = grid_sample if job.on_gpu else cpu_sampling.grid_sample

    def forward(maps: Any, points: Any) -> Any:
        return sample(maps, points, 'border')

    def to_points(maps: Any, points: Any, cotangent: Any) -> Any:
        samples, pullback = jax.vjp(lambda points: forward(maps, points), points)
        return samples, *pullback(cotangent)

    def both(maps: Any, points: Any, cotangent: Any) -> Any:
        samples, pullback = jax.vjp(forward, maps, points)
        return samples, *reversed(pullback(cotangent))

    number = jnp.dtype(job.dtype)
    for name, (maps, points, cotangent) in sampler_inputs(settings(job), job.people).items():
        maps, cotangent = maps.astype(number), cotangent.astype(number)
        yield _jitted(f'{name}, {PASSES[0]}', job, forward, (maps, points))
        yield _jitted(f'{name}, {PASSES[1]}', job, to_points, (maps, points, cotangent))
        yield _jitted(f'{name}, {PASSES[2]}', job, both, (maps, points, cotangent))


def _jitted(
    name: str, job: Job, function: Callable[..., Any], arguments: Any, few_rows: bool = False
) -> Program:
    """A function jitted as the product does, on arguments that are on the device."""
    arguments = jax.device_put(arguments)
    with jax.default_matmul_precision(settings(job).training.precision):
        program = programs.jit(function, few_rows=few_rows)
        compiled, seconds = _compiled(program.jitted().lower(*arguments), job)

    def values() -> list[np.ndarray]:
        return compared(*jax.tree.leaves(compiled(*arguments)))

    return _program(name, lambda: compiled(*arguments), values, compiled, seconds)


def _compiled(
    lowered: jax.stages.Lowered, job: Job, options: dict[str, Any] | None = None
) -> tuple[Any, float]:
    """The program and the seconds to compile it."""
    options = _QUICK if job.small and not job.on_gpu else options or {}
    began = time.monotonic()
    return lowered.compile(options), time.monotonic() - began


def _program(
    name: str,
    run: Callable[[], Any],
    values: Callable[[], list[np.ndarray]],
    compiled: Any,
    seconds: float,
) -> Program:
    known = compiled.memory_analysis() is not None
    return Program(
        name=name,
        run=run,
        wait=jax.block_until_ready,
        values=values,
        compile_seconds=seconds,
        bytes=accelerator_report.memory_in_use(compiled_steps.account(compiled, ''))
        if known
        else None,
    )
