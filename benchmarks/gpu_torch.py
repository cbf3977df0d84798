"""PyTorch's side of benchmarks.gpu: the same networks and weights, eager and by torch.compile.

Convolutions run in the layout channels_last, float32 in TF32 where our step's products are, and
bfloat16 is autocast. JAX, which draws the weights, stays on the CPU in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from ml_collections import ConfigDict
from torch import nn
from torch.nn import functional

from benchmarks import torch_lifter
from benchmarks.gpu_subjects import (
    PASSES,
    Job,
    Program,
    compared,
    lifter_inputs,
    sampler_inputs,
    settings,
    start,
)
from benchmarks.training_step import torch_models
from capf_jax.errors import UserError
from capf_jax.models.detectors.catalog import IMAGENET_DEVIATION, IMAGENET_MEAN
from capf_jax.pose import skeletons
from capf_jax.pose.batch import Batch
from capf_jax.pose.flip import flip_batch
from capf_jax.pose.normalise import normalise_by_crop, normalise_by_image

# Way to run it -> arguments of torch.compile; None for none.
WAYS: dict[str, dict[str, str] | None] = {
    'eager': None,
    'compiled': {},
    'graphs': {'mode': 'reduce-overhead'},  # compiled, and replayed as a CUDA graph
}
COMPILED = tuple(way for way, options in WAYS.items() if options is not None)
PACKAGES = ('torch',)


def begin(job: Job) -> str:
    """Sets the precision of products; the name of the device.

    Raises:
      UserError: PyTorch sees no GPU, and the job is one for a GPU.
    """
    if job.on_gpu and not torch.cuda.is_available():
        raise UserError(
            f'PyTorch {torch.__version__} does not see {job.device}: install a PyTorch for it '
            '(docs/accelerators.md, On a GPU)'
        )
    config = settings(job)
    part = config.evaluation if job.subject == 'evaluate' else config.training
    exact = job.check or part.precision in ('highest', 'float32')
    torch.set_float32_matmul_precision('highest' if exact else 'high')
    torch.backends.cudnn.allow_tf32 = not exact
    torch.backends.cudnn.benchmark = True  # Shapes stay the same: the fastest kernels are tried.
    return torch.cuda.get_device_name() if job.on_gpu else 'cpu'


def begin_to_time(job: Job) -> None:
    """Forgets the memory that compiling and choosing kernels took.

    Of 'graphs' it counts: a CUDA graph gets its memory when it is recorded, and then asks for none.
    """
    if job.on_gpu and job.program != 'graphs':
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()


def peak_bytes() -> int | None:
    """The most memory of the GPU in use since it was last forgotten; None on a CPU."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


def programs_of(job: Job) -> Iterator[Program]:
    """The programs of a job; those of torch.compile are compiled by their first call."""
    if job.subject == 'train':
        yield _training(job)
    elif job.subject == 'evaluate':
        yield _evaluation(job)
    elif job.subject == 'lifter':
        yield _lifter(job)
    else:
        yield from _samplers(job)


class _Poses(nn.Module):
    """uint8 crops and 2D joints -> poses [B, J, 3], the detector frozen."""

    def __init__(self, job: Job, config: ConfigDict, state: Any) -> None:
        super().__init__()
        detector, lifter = torch_models(config, state.frozen)
        torch_lifter.copy_parameters(state.params, lifter)
        detector.requires_grad_(False)
        self.detector = detector.to(memory_format=torch.channels_last)
        self.lifter, self.job = lifter, job
        self.register_buffer('mean', 255 * torch.tensor(IMAGENET_MEAN))
        self.register_buffer('deviation', 255 * torch.tensor(IMAGENET_DEVIATION))
        self.to(_device(job))

    def forward(self, images: torch.Tensor, joints2d: torch.Tensor, crop: torch.Tensor) -> Any:
        with _autocast(self.job):
            with torch.no_grad():
                normalised = (images.float() - self.mean) / self.deviation
                normalised = normalised.permute(0, 3, 1, 2)
                maps = self.detector.maps(normalised.contiguous(memory_format=torch.channels_last))
            return self.lifter(joints2d, crop, maps)


def _training(job: Job) -> Program:
    config, _, state, batch = start(job)
    poses = _Poses(job, config, state)
    optimizer = _optimizer(poses.lifter, config.training)
    inputs, target = _inputs(job, batch), torch.from_numpy(batch.joints3d).to(_device(job))

    def loss_of(images: Any, joints2d: Any, crop: Any, target: Any) -> Any:
        return (poses(images, joints2d, crop).float() - target).norm(dim=-1).mean()

    loss_of = _in_its_way(job, loss_of)

    def run() -> torch.Tensor:
        _begin_call(job)
        loss = loss_of(*inputs, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    def values() -> list[np.ndarray]:
        first = run().item()
        norms = [p.grad.norm() for p in poses.lifter.parameters() if p.grad is not None]
        norm = torch.stack(norms).norm().item()
        return compared(first, norm, run().item())

    return Program('train', run, _wait(job), values)


def _optimizer(lifter: nn.Module, training: ConfigDict) -> torch.optim.Optimizer:
    """AdamW, with the offset layers' own learning rate."""
    groups = {True: [], False: []}
    for name, weights in lifter.named_parameters():
        groups['.offsets.' in name].append(weights)
    rate = training.learning_rate
    slow = rate * training.offset_learning_rate_factor
    return torch.optim.AdamW(
        [{'params': groups[False]}, {'params': groups[True], 'lr': slow}],
        lr=rate,
        weight_decay=training.weight_decay,
        fused=True,
    )


def _evaluation(job: Job) -> Program:
    config, _, state, batch = start(job)
    poses = _Poses(job, config, state)
    joint_set = skeletons.get(config.skeleton)
    # The mirrored joints, a few numbers, are made in advance; the pictures are mirrored each time.
    mirrored = flip_batch(batch, np.ones(len(batch.valid), bool), joint_set)
    plain, other = _inputs(job, batch), _inputs(job, mirrored)[1:]
    sides = torch.tensor(joint_set.flip, device=_device(job))
    signs = torch.tensor([-1.0, 1.0, 1.0], device=_device(job))

    def poses_of(images: Any, joints2d: Any, crop: Any, joints2d_of: Any, crop_of: Any) -> Any:
        pose = poses(images, joints2d, crop).float()
        if not config.evaluation.flip_test:
            return pose
        turned = poses(images.flip(2), joints2d_of, crop_of).float()
        return (pose + turned[:, sides] * signs) / 2

    return _forward('evaluate', job, poses_of, (*plain, *other))


def _lifter(job: Job) -> Program:
    config, _, state, _ = start(job)
    _, lifter = torch_models(config, state.frozen)
    torch_lifter.copy_parameters(state.params, lifter)
    lifter.to(_device(job))
    joints2d, crop, maps = lifter_inputs(config, job.people)
    placed = [_image(job, one_map) for one_map in maps]

    def lift(joints2d: Any, crop: Any, *maps: Any) -> Any:
        with _autocast(job):
            return lifter(joints2d, crop, list(maps))

    return _forward('lifter', job, lift, (_put(job, joints2d), _put(job, crop), *placed))


def _forward(name: str, job: Job, function: Callable[..., Any], arguments: Any) -> Program:
    """A function without gradients."""
    function = _in_its_way(job, function)

    def run() -> Any:
        _begin_call(job)
        with torch.inference_mode():
            return function(*arguments)

    return Program(name, run, _wait(job), lambda: compared(_host(run())))


def _samplers(job: Job) -> Iterator[Program]:
    def samples_of(maps: Any, points: Any) -> Any:
        with _autocast(job):
            samples = functional.grid_sample(
                maps, points, padding_mode='border', align_corners=True
            )
        return samples[..., 0].transpose(1, 2)  # [B, N, C], as ours are

    for name, (maps, points, cotangent) in sampler_inputs(settings(job), job.people).items():
        placed = _image(job, maps), _put(job, points[:, :, None])
        yield _forward(f'{name}, {PASSES[0]}', job, samples_of, placed)
        for passes, maps_too in zip(PASSES[1:], (False, True), strict=True):
            yield _gradients(f'{name}, {passes}', job, samples_of, placed, cotangent, maps_too)


def _gradients(
    name: str, job: Job, samples_of: Any, placed: Any, cotangent: np.ndarray, maps_too: bool
) -> Program:
    """Samples, and the gradient to the points and perhaps to the maps."""
    maps, points = (one.detach().clone() for one in placed)
    maps.requires_grad_(maps_too)
    points.requires_grad_()
    wanted = [points, maps] if maps_too else [points]
    function, towards = _in_its_way(job, samples_of), _put(job, cotangent)

    def run() -> Any:
        _begin_call(job)
        samples = function(maps, points)
        return samples, *torch.autograd.grad(samples, wanted, towards.to(samples.dtype))

    def values() -> list[np.ndarray]:
        samples, of_points, *of_maps = run()
        # Ours are [B, N, 2] and [B, H, W, C].
        return compared(
            _host(samples),
            _host(of_points[:, :, 0]),
            *(_host(of_map.permute(0, 2, 3, 1)) for of_map in of_maps),
        )

    return Program(name, run, _wait(job), values)


def _in_its_way(job: Job, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as the job's program runs it."""
    options = WAYS[job.program]
    if options is None:
        return function
    # What was compiled before would make PyTorch take the shapes for changing ones.
    torch.compiler.reset()
    return torch.compile(function, dynamic=False, **options)


def _begin_call(job: Job) -> None:
    """Tells CUDA graphs that what the call before has returned may be overwritten."""
    if job.program == 'graphs':
        torch.compiler.cudagraph_mark_step_begin()


def _autocast(job: Job) -> torch.autocast:
    number, kind = getattr(torch, job.dtype), 'cuda' if job.on_gpu else 'cpu'
    return torch.autocast(kind, torch.bfloat16, enabled=number is torch.bfloat16)


def _inputs(job: Job, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Crops [B, H, W, 3] uint8, and 2D joints normalised by the image and by the crop."""
    height, width = batch.images.shape[1:3]
    return (
        _put(job, batch.images),
        _put(job, normalise_by_image(batch.joints2d, batch.image_size)),
        _put(job, normalise_by_crop(batch.joints2d_crop, (width, height))),
    )


def _image(job: Job, maps: np.ndarray) -> torch.Tensor:
    """Maps [B, H, W, C] as PyTorch has them [B, C, H, W], in the job's type; memory as it was."""
    return _put(job, maps).permute(0, 3, 1, 2).to(getattr(torch, job.dtype))


def _put(job: Job, array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(_device(job))


def _device(job: Job) -> str:
    return 'cuda' if job.on_gpu else 'cpu'


def _wait(job: Job) -> Callable[[Any], Any]:
    """What blocks until the GPU has done all it was asked for."""
    return (lambda result: torch.cuda.synchronize()) if job.on_gpu else (lambda result: result)


def _host(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()
