"""One step on the virtual devices of this process: its time, its memory and its collectives.

`benchmarks.scaling` runs this file in a fresh process for each number of devices, since XLA makes
virtual devices of a CPU once, when it starts:

    XLA_FLAGS=--xla_force_host_platform_device_count=4 JAX_PLATFORMS=cpu \\
        python -m benchmarks.virtual_devices --config=configs/synthetic.py --step=train --each=8

It prints one line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from benchmarks import machine, program_texts
from benchmarks.compiled_steps import STEPS, STEPS_PER_EPOCH, abstract_batch, account
from benchmarks.handover import cores_are_apart
from benchmarks.others_share import Others
from benchmarks.random_inputs import people
from capf_jax import assembly
from capf_jax.backends import programs
from capf_jax.pose.batch import AXIS, Batch
from capf_jax.runtime import commands, configuration, devices
from capf_jax.tasks.task import Task, TrainState, prepared

KEPT = ('memory', 'flops', 'collectives')  # of what XLA says of the program
WARM, LEAST = 3, 10  # steps that are not counted, and that are at least


@dataclasses.dataclass(frozen=True)
class Time:
    """How long a step takes.

    Attributes:
      seconds: median of a step.
      processor_seconds: median of the processor's seconds of a step, all cores together.
      steps: how many were counted.
      others: share of the cores that other programs used meanwhile; None where nobody counts it.
      cores_apart: whether the cores shared no cache before or after.
    """

    seconds: float
    processor_seconds: float
    steps: int
    others: float | None
    cores_apart: bool


def measure(config: ConfigDict, step: str, each: int, seconds: float) -> dict[str, Any]:
    """Runs one of the product's steps on all devices of this process.

    Args:
      config: of a task on single crops. No weights are read.
      step: one of STEPS.
      each: people a device.
      seconds: about how long steps are timed.

    Returns:
      What is to be told of it, as JSON holds it.

    Raises:
      UserError: the task is none of single crops, or a device's people do not divide into
        training.accumulate parts.
    """
    count = jax.device_count()
    parts = config.training.accumulate if step == 'train' else 1
    devices.check_batch_size(each * count, 'the batch of --each people a device', parts, count)
    height, width = abstract_batch(config, each * count).images.shape[1:3]
    joints = abstract_batch(config, 1).joints2d.shape[1]
    batch = people(each * count, height, width, joints)
    task = assembly.make_task(config, STEPS_PER_EPOCH)
    state = prepared(devices.replicate(task.init(jax.random.PRNGKey(config.seed), batch)))
    compiled, compile_seconds = _compiled(task, step, state, batch)
    program = _training if step == 'train' else _evaluation
    run = program(compiled, state, batch)
    del state  # Training donates it.
    of_program = account(compiled, program_texts.text_of(compiled))
    return {
        'devices': count,
        'each': each,
        'compile_seconds': round(compile_seconds, 1),
        **dataclasses.asdict(timed(run, seconds)),
        **{name: of_program[name] for name in KEPT},
        'peak_memory': machine.memory('VmHWM'),
    }


def timed(run: Callable[[], object], seconds: float) -> Time:
    """Medians of calls of a step that waits for its result."""
    for _ in range(WARM):
        run()
    apart, others = cores_are_apart(), Others()
    walls: list[float] = []
    processors: list[float] = []
    while len(walls) < LEAST or sum(walls) < seconds:
        start, processor = time.perf_counter(), time.process_time()
        run()
        processors.append(time.process_time() - processor)
        walls.append(time.perf_counter() - start)
    share = others.share()
    return Time(
        seconds=statistics.median(walls),
        processor_seconds=statistics.median(processors),
        steps=len(walls),
        others=share,
        cores_apart=apart or cores_are_apart(),
    )


def _compiled(task: Task, step: str, state: TrainState, batch: Batch) -> tuple[Any, float]:
    """The product's step, compiled as the product does for a CPU, and the seconds it took."""
    start = time.perf_counter()
    if step == 'train':
        lowered = devices.lowered_train_step(task.train_step, state, batch, jax.devices())
        compiled = lowered.compile(programs.compiler_options())
    else:  # Its options are among what is lowered.
        compiled = devices.lowered_eval_step(task.eval_step, state, batch, jax.devices()).compile()
    return compiled, time.perf_counter() - start


def _training(compiled: Any, state: TrainState, batch: Batch) -> Callable[[], object]:
    """Training steps one after another, the batch already on the devices."""
    on_devices = devices.shard(batch)

    def run() -> object:
        nonlocal state
        state, metrics = jax.block_until_ready(compiled(state, on_devices))
        return metrics

    return run


def _evaluation(compiled: Any, state: TrainState, batch: Batch) -> Callable[[], object]:
    """Evaluation steps, the batch already on the devices."""
    mesh = Mesh(np.array(jax.devices()), (AXIS,))
    on_devices = jax.device_put(batch, NamedSharding(mesh, PartitionSpec(AXIS)))
    return lambda: jax.block_until_ready(compiled(state, on_devices))


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    programs.start_process()
    parser = commands.Parser('benchmarks.virtual_devices', __doc__)
    parser.add_argument('--step', choices=STEPS, required=True, help='of the task')
    parser.add_argument('--each', type=int, default=8, help='people a device')
    parser.add_argument('--seconds', type=float, default=3.0, help='about how long to time')
    arguments = configuration.parse(
        argv, required=('config',), parser=parser, check=assembly.problems
    )
    assert arguments.config is not None  # `parse` requires one.
    values = arguments.values
    print(json.dumps(measure(arguments.config, values.step, values.each, values.seconds)))
    return 0


if __name__ == '__main__':
    commands.run(main)
