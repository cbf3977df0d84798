"""What both sides of benchmarks.gpu compute: the same networks on the same people and weights.

A configuration is changed in two fields, so that PyTorch computes the same: no person is mirrored
while training (the program still chooses between the two, as ours does), and no path is dropped.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from benchmarks.random_inputs import drawn, people
from capf_jax import assembly
from capf_jax.errors import UserError
from capf_jax.inference import model_settings
from capf_jax.models import cost
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.pose import skeletons
from capf_jax.pose.batch import Batch
from capf_jax.runtime import configuration
from capf_jax.tasks.optimizer import SLOW_LAYER
from capf_jax.tasks.task import Task, TrainState

SUBJECTS = ('train', 'evaluate', 'lifter', 'sampling')
DTYPES = ('float32', 'bfloat16')
CHECKED = 2  # people in a step that is compared before anything is timed
COMPARED = 64  # numbers of each output that are compared, at the most
TOLERANCE = 1e-4  # between the two sides in float32, of the largest number of each output
PASSES = ('forward', 'forward + gradient to points', 'forward + both gradients')
_SMALL = (64, 32)  # height and width of the crops of the small form


@dataclasses.dataclass(frozen=True)
class Job:
    """One program on one subject; a process of its own runs it.

    Attributes:
      subject: one of SUBJECTS.
      dtype: one of DTYPES; PyTorch computes in bfloat16 by autocast.
      program: 'ours', or one of `gpu_torch.WAYS`.
      device: name of the GPU, or 'CPU'.
      config: file of the configuration, with its arguments.
      batch: people in a training step and of the samplers; 0 for the configuration's.
      eval_batch: people in an evaluation step; 0 for the configuration's.
      small: whether networks and batches are tiny, to check the command.
      check: whether the outputs are told and nothing is timed.
      seconds: about how long to measure each program.
    """

    subject: str
    dtype: str
    program: str
    device: str = 'CPU'
    config: str = 'configs/human36m_hrnet32.py'
    batch: int = 0
    eval_batch: int = 0
    small: bool = False
    check: bool = False
    seconds: float = 5.0

    @property
    def name(self) -> str:
        """What sets it apart; a result of that name stands for it."""
        form = 'check' if self.check else f'{self.batch}+{self.eval_batch}'
        parts = (self.device, self.config, form, self.subject, self.dtype, self.program)
        return '/'.join(('small', *parts) if self.small else parts)

    def checked(self, program: str) -> Job:
        """The job that tells the outputs of a program on the same subject, in float32."""
        return dataclasses.replace(self, dtype='float32', program=program, check=True)

    @property
    def on_gpu(self) -> bool:
        """Whether it runs on a GPU."""
        return self.device != 'CPU'

    @property
    def people(self) -> int:
        """In one call of its program."""
        if self.subject == 'lifter':
            return 1
        if self.check or self.small:
            return CHECKED
        config = settings(self)
        if self.subject == 'evaluate':
            return self.eval_batch or config.evaluation.batch_size
        return self.batch or config.training.batch_size


@dataclasses.dataclass
class Program:
    """Something that can be run again and again.

    Attributes:
      name: what it is called in the table.
      run: starts one call, and may return before it is done.
      wait: blocks until what `run` returned is there.
      values: calls the program and gives numbers of each output of the first call, [N] each, the
        same on both sides. It is called once, before `run`.
      compile_seconds: of tracing and compiling; None where the first call does that.
      bytes: of memory that the compiled program needs, by the compiler's account, where it has one.
    """

    name: str
    run: Callable[[], Any]
    wait: Callable[[Any], Any]
    values: Callable[[], list[np.ndarray]]
    compile_seconds: float | None = None
    bytes: int | None = None


def settings(job: Job) -> ConfigDict:
    """The configuration of a job.

    Raises:
      UserError: there is no such file, or PyTorch has no network like its model.
    """
    arguments = configuration.parse(
        ['benchmarks.gpu', f'--config={job.config}'], required=('config',)
    )
    config = arguments.config
    assert config is not None  # `parse` requires one.
    _check(config, job.config)
    config.dtype = job.dtype
    config.training.flip_probability = 0.0
    config.training.accumulate = 1
    config.model.lifter.drop_path = 0.0
    if job.check or job.small:
        config.training.precision = config.evaluation.precision = 'highest'
    if job.small:
        config.model.detector = 'hrnet'
        config.model.hrnet.update(
            width=4, stem_channels=4, bottlenecks=1, modules=(1, 1, 1), blocks=1
        )
        config.model.lifter.update(channels=16, layers=1)
        with config.data.builder.unlocked():
            config.data.builder.update(height=_SMALL[0], width=_SMALL[1])
    return config


def _check(config: ConfigDict, name: str) -> None:
    """UserError where benchmarks/torch_*.py has no network like the configuration's."""
    lifter = config.model.lifter
    parts = (lifter.heads, lifter.deformable_heads, lifter.sampling_points, lifter.mlp_ratio)
    whole = lifter.ablation_step == 3 and lifter.deformable and not lifter.levels
    plain = not lifter.robust and not lifter.detector_joints and parts == (8, 4, 4, 2)
    read = config.model.joints2d == 'dataset' and config.model.frame == 'camera'
    hrnet = config.model.detector.startswith('hrnet')
    if not (config.task == 'lifter' and hrnet and whole and plain and read):
        raise UserError(
            f'{name} is not the published lifter on an HRNet, of which alone PyTorch has a copy '
            'here: choose another --config, such as configs/human36m_hrnet32.py'
        )


def crop_of(config: ConfigDict) -> tuple[int, int]:
    """Height and width of a configuration's crops, pixels."""
    entry, data = model_settings.detector_entry(config.model), config.data.builder
    return int(data.get('height', entry.crop[0])), int(data.get('width', entry.crop[1]))


def model_of(config: ConfigDict) -> ContextAwarePoseFormer:
    """The whole model, which computes in the configuration's type."""
    joint_set = skeletons.get(config.skeleton)
    return model_settings.context_aware_pose_former(
        config.model, joint_set, jnp.dtype(config.dtype)
    )


def start(job: Job) -> tuple[ConfigDict, Task, TrainState, Batch]:
    """A configuration, its task, a state before the first step and a batch; NumPy arrays."""
    config = settings(job)
    task = assembly.make_task(config)
    batch = people(job.people, *crop_of(config))
    shapes = jax.eval_shape(task.init, jax.random.PRNGKey(0), batch)
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    # A step's keys come of a key of zeros; nothing in these steps is random.
    state = zeros.replace(params=_near_joints(drawn(shapes.params)), frozen=drawn(shapes.frozen))
    return config, task, state, batch


def _near_joints(params: Any) -> Any:
    """The parameters with sampling points around the joints, as training begins and stays.

    Points all over the maps would also make one rounding error a thousand: each block looks where
    the block before has told it to.
    """

    def smaller(path: tuple[Any, ...], leaf: np.ndarray) -> np.ndarray:
        names = {key.key for key in path}
        return leaf * np.float32(0.01) if {SLOW_LAYER, 'kernel'} <= names else leaf

    return jax.tree.map_with_path(smaller, params)


def lifter_inputs(config: ConfigDict, size: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Random joints2d, joints2d_crop [B, J, 2] and float32 maps [B, H, W, C_l]."""
    _, _, maps = cost.lifter_inputs(model_of(config), crop_of(config), size)
    random = np.random.default_rng(0)
    joints = len(skeletons.get(config.skeleton))
    joints2d, crop = random.uniform(-1, 1, (2, size, joints, 2)).astype(np.float32)
    return joints2d, crop, [random.standard_normal(one.shape, np.float32) for one in maps]


def sampler_inputs(config: ConfigDict, size: int) -> dict[str, tuple[np.ndarray, ...]]:
    """By level: a map [B, H, W, C], points [B, N, 2] and a cotangent [B, N, C], all float32.

    The points are as many as a deformable block has on a level. The small form has one level.
    """
    _, _, maps = lifter_inputs(config, size)
    lifter, random = config.model.lifter, np.random.default_rng(1)
    number = len(skeletons.get(config.skeleton)) * lifter.deformable_heads * lifter.sampling_points
    levels = {}
    for one_map in maps[:1] if config.model.detector == 'hrnet' else maps:
        height, width, channels = one_map.shape[1:]
        points = random.uniform(-1.05, 1.05, (size, number, 2)).astype(np.float32)
        cotangent = random.standard_normal((size, number, channels), np.float32)
        levels[f'sampling {height}x{width}x{channels}'] = one_map, points, cotangent
    return levels


def flops(job: Job) -> int | None:
    """2 x the multiply-adds of one call, as the paper's Table 3 counts them; None of samplers.

    The frozen detector has a forward pass alone; the lifter's backward pass counts twice its
    forward one. An evaluation sees each person plain and mirrored.
    """
    if job.subject == 'sampling':
        return None
    detector, lifter, passes = _passes(job.config, job.small)
    return {
        'train': job.people * (detector + 3 * lifter),
        'evaluate': job.people * passes * (detector + lifter),
        'lifter': lifter,
    }[job.subject]


@functools.cache
def _passes(config_file: str, small: bool) -> tuple[int, int, int]:
    """FLOPs of a detector's and a lifter's forward pass, and how often an evaluation sees each."""
    config = settings(Job('train', 'float32', 'ours', config=config_file, small=small))
    costs = cost.costs(model_of(config), crop_of(config))
    passes = 2 if config.evaluation.flip_test else 1
    return costs['detector'].flops, costs['lifter'].flops, passes


def compared(*outputs: Any) -> list[np.ndarray]:
    """Numbers from all over each output, [N] each, as both sides tell them.

    The first ones alone would be a corner of a map, where hardly any point lies.
    """
    arrays = [np.asarray(output).astype(np.float64).ravel() for output in outputs]
    places = [np.linspace(0, len(one) - 1, min(len(one), COMPARED)).astype(int) for one in arrays]
    return [array[where] for array, where in zip(arrays, places, strict=True)]


def difference(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> float:
    """The largest difference of numbers, as a share of the largest number of the same output.

    Outputs differ in size: a gradient to points has hundreds where one to maps has ones.

    Args:
      ours: numbers of each output.
      theirs: the other side's.
    """
    if [len(one) for one in ours] != [len(one) for one in theirs]:
        return float('inf')
    pairs = zip(map(np.asarray, ours), map(np.asarray, theirs), strict=True)
    # `max` of Python's own would pass over what is no number.
    return float(np.max([np.abs(a - b).max() / np.abs(b).max() for a, b in pairs]))
