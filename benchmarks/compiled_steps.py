"""A training or evaluation step, compiled for chips that are not here, and what XLA says of it.

Nothing is computed: of weights and data there are shapes alone.
"""

from __future__ import annotations

import dataclasses
import gzip
import pathlib
import re
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from benchmarks import chips, hlo_text, program_texts
from capf_jax import assembly
from capf_jax.errors import UserError
from capf_jax.inference import model_settings
from capf_jax.pose import skeletons
from capf_jax.pose.batch import Batch
from capf_jax.runtime import devices

STEPS = ('train', 'evaluate')
DTYPES = ('float32', 'bfloat16')
STEPS_PER_EPOCH = 3046  # of Human3.6M at batch 512; it is a number of the learning rate alone
MOST_SORTS = 12  # sorts of operations that a row keeps


@dataclasses.dataclass(frozen=True)
class Row:
    """What is compiled: one step of a configuration, for one topology.

    Attributes:
      config: the file's name without its ending, such as 'human36m_hrnet32', with its arguments and
        with fields that were set.
      dtype: that the networks compute in.
      step: one of STEPS.
      topology: such as 'v5e:2x2'.
    """

    config: str
    dtype: str
    step: str
    topology: str

    @property
    def name(self) -> str:
        """What --only calls it."""
        return f'{self.config}/{self.dtype}/{self.step}/{self.topology}'


def abstract_batch(config: ConfigDict, size: int) -> Batch:
    """The shapes of `size` people of a configuration's dataset.

    Raises:
      UserError: its samples are windows, or made in advance.
    """
    if config.task not in ('lifter', 'detector') or config.data.features:
        raise UserError(
            'the steps of tasks on single crops are compiled here, and config.task is '
            f'{config.task!r} with config.data.features {config.data.features}: choose another '
            '--config'
        )
    entry, data = model_settings.detector_entry(config.model), config.data.builder
    height, width = int(data.get('height', entry.crop[0])), int(data.get('width', entry.crop[1]))
    joints = len(skeletons.get(config.skeleton))

    def array(*shape: int, dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((size, *shape), dtype)

    return Batch(
        images=array(height, width, 3, dtype=jnp.uint8),
        joints2d=array(joints, 2),
        joints2d_crop=array(joints, 2),
        joints2d_crop_truth=array(joints, 2),
        image_size=array(2),
        affine=array(2, 3),
        joints3d=array(joints, 3),
        valid=array(dtype=jnp.bool_),
        index=array(dtype=jnp.int32),
    )


def batch_size(config: ConfigDict, step: str, chip_count: int) -> int:
    """People in a step, over all chips.

    Raises:
      UserError: they do not divide by the chips.
    """
    training = step == 'train'
    part = config.training if training else config.evaluation
    field = 'training.batch_size' if training else 'evaluation.batch_size'
    parts = config.training.accumulate if training else 1
    devices.check_batch_size(part.batch_size, field, parts, chip_count)
    return part.batch_size


def lowered(
    config: ConfigDict, step: str, of_topology: list[jax.Device]
) -> tuple[jax.stages.Lowered, int]:
    """The product's own step for these devices, to be compiled, and its number of people.

    Raises:
      UserError: its batch does not divide by the devices, or its task is none of single crops.
    """
    size = batch_size(config, step, len(of_topology))
    batch = abstract_batch(config, size)
    task = assembly.make_task(config, STEPS_PER_EPOCH)
    state = jax.eval_shape(task.init, jax.random.PRNGKey(config.seed), batch)
    if step == 'train':
        return devices.lowered_train_step(task.train_step, state, batch, of_topology), size
    return devices.lowered_eval_step(task.eval_step, state, batch, of_topology), size


def compiled_row(
    row: Row,
    config: ConfigDict,
    texts: pathlib.Path | None = None,
    written: pathlib.Path | None = None,
) -> dict[str, Any]:
    """Compiles a row; what is to be told of it, as JSON holds it.

    Args:
      row: what to compile.
      config: its configuration, with the dtype of the row.
      texts: folder for the text of the compiled program, gzipped; None keeps none.
      written: folder of `program_texts.written`; None where libtpu was not asked for texts.

    Raises:
      UserError: as `chips.devices_of` and `lowered`, or the compiler refuses the program.
    """
    of_topology = chips.devices_of(row.topology)
    program, size = lowered(config, row.step, of_topology)
    if written is not None:
        program_texts.forget(written)
    compiled, seconds, processor = _timed(program.compile, row)
    text = program_texts.text_of(compiled, written)
    if texts is not None and text:
        texts.mkdir(parents=True, exist_ok=True)
        name = re.sub(r'[^\w.=]+', '-', row.name)
        (texts / f'{name}.txt.gz').write_bytes(gzip.compress(text.encode(), 6))
    part = config.training if row.step == 'train' else config.evaluation
    return {
        **dataclasses.asdict(row),
        'chips': len(of_topology),
        'hosts': chips.hosts_of(of_topology),
        'batch': size,
        'precision': part.precision,
        'compile_seconds': round(seconds, 1),
        'compile_processor_seconds': round(processor, 1),
        **account(compiled, text),
    }


def _timed(compile: Callable[[], Any], row: Row) -> tuple[Any, float, float]:
    """What compiling gives, its seconds, and the processor's seconds."""
    began, processor = time.monotonic(), time.process_time()
    try:
        compiled = compile()
    except jax.errors.JaxRuntimeError as error:
        raise UserError(
            f'{row.name} does not compile: {str(error).splitlines()[0]}; more chips or a smaller '
            'batch take less memory'
        ) from error
    return compiled, time.monotonic() - began, time.process_time() - processor


def account(compiled: Any, text: str) -> dict[str, Any]:
    """What a compiled program needs of each chip: by XLA's own account, and by its text.

    What the text says is None where there is none.
    """
    memory, costs = compiled.memory_analysis(), compiled.cost_analysis() or {}
    return {
        'memory': {
            'arguments': memory.argument_size_in_bytes,
            'outputs': memory.output_size_in_bytes,
            'shared': memory.alias_size_in_bytes,
            'temporaries': memory.temp_size_in_bytes,
            'program': memory.generated_code_size_in_bytes,
        },
        'flops': costs.get('flops', 0.0),
        'bytes_accessed': costs.get('bytes accessed', 0.0),
        **(_of_text(text) if text else WITHOUT_TEXT),
    }


WITHOUT_TEXT = {
    'traffic': None, 'padding': None, 'collectives': None, 'loops': None, 'sorts': [],
}  # fmt: skip


def _of_text(text: str) -> dict[str, Any]:
    program = hlo_text.parse(text)
    sorts = hlo_text.traffic(program)
    return {
        'traffic': sum(sort.bytes for sort in sorts),
        'padding': sum(sort.padding for sort in sorts),
        'collectives': hlo_text.collectives(program),
        'loops': hlo_text.loops(program),
        'sorts': [dataclasses.asdict(sort) for sort in sorts[:MOST_SORTS]],
    }
