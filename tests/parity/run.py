"""Checks every file of a parity folder on the whole path that a user takes, for any seed.

    python -m tests.parity.run ../shared/parity [--seed=0] [--only=ca_pf_cpn,poseformer]

The recipe's weights are saved as a .pth file with the keys and wrappers of the published files,
converted by `python -m converters.convert`, loaded by `Estimator.load`, run and compared. The
command prints a table of all comparisons; the exit code is 1 if one fails. It needs torch
(requirements-dev.txt), about 2 GB of memory, and some minutes.
"""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
import tabulate
import torch

import capf_jax
from capf_jax.errors import UserError
from capf_jax.inference.estimator import Estimator
from capf_jax.pose import crops, metrics
from capf_jax.runtime import commands
from converters import convert
from tests.goldens import recipe
from tests.parity import comparing, training
from tests.parity.comparing import Check

JOINTS = 17
ADAMW_STEPS = 6
LIFTER = 5e-6  # metres: float32 rounding in the lifter alone
METRIC = 1e-5


class Parity:
    """A folder of parity data and the seed that it is of."""

    def __init__(self, folder: pathlib.Path, seed: int, scratch: pathlib.Path) -> None:
        self.folder, self.seed, self.scratch = folder, seed, scratch
        self.images = recipe.images(2, seed=seed)
        self.people = recipe.keypoints(2, seed=seed)  # by the image; pixels of the crop

    def golden(self, name: str) -> dict[str, np.ndarray]:
        """An .npz file of the folder."""
        with np.load(self.folder / f'{name}.npz') as arrays:
            return dict(arrays)

    def estimator(
        self,
        manifest: str,
        wrap: Callable[[dict], Any] = dict,
        prefix: str = '',
        zipped: bool = True,
    ) -> Estimator:
        """The model of a manifest, through a PyTorch file and the conversion command.

        Args:
          manifest: its name.
          wrap: what surrounds the state dict in published files.
          prefix: what stands before every key there, 'module.' for some.
          zipped: PyTorch's format since 1.6, or the older one.
        """
        keys = json.loads((self.folder / 'manifests' / f'{manifest}.json').read_text())
        state = {
            prefix + key: torch.from_numpy(np.asarray(array))
            for key, array in recipe.state_dict(keys, self.seed).items()
        }
        source, target = self.scratch / f'{manifest}.pth', self.scratch / f'{manifest}.safetensors'
        torch.save(wrap(state), source, _use_new_zipfile_serialization=zipped)
        convert.main(['convert', str(source), str(target)])
        loaded = Estimator.load(target)
        source.unlink()
        target.unlink()
        return loaded


def ca_pf(parity: Parity, backbone: str) -> Iterator[Check]:
    """A whole CA-PF for Human3.6M: the ladder up to AdamW, and the lifter alone."""
    golden = parity.golden(f'ca_pf_{backbone}')
    aside = {'optimizer': {}, 'epoch': 49, 'lr': 6.4e-4}
    estimator = parity.estimator(f'ca_pf_{backbone}', lambda state: {'model': state, **aside})
    joints2d, joints2d_crop = parity.people
    by_crop = joints2d_crop / np.float32([96, 128]) - 1
    lifter, maps = estimator.lifter, estimator.feature_maps(parity.images)
    yield from comparing.maps(maps, golden)
    run = jax.jit(lambda *inputs: lifter.module.apply(lifter.variables, *inputs))
    yield from comparing.stages(run(joints2d, by_crop, maps)[1], golden)
    yield from poses(parity, estimator, golden)

    pose = recipe.pose3d(2, seed=parity.seed)
    steps = ADAMW_STEPS if 'adamw_losses' in golden else 1
    trained = training.train(
        lifter.module, lifter.variables, maps, joints2d, joints2d_crop, pose, steps
    )
    yield comparing.close('loss', trained.losses[0], golden['loss'], comparing.LOSS)
    norms = json.loads((parity.folder / f'grad_norms_{backbone}.json').read_text())
    yield comparing.gradients(trained.gradient_norms, norms)
    if 'adamw_losses' in golden:
        yield comparing.relative('adamw_losses', trained.losses, golden['adamw_losses'])

    alone = parity.golden(f'lifter_{backbone}')
    pose, _ = run(joints2d, by_crop, recipe_maps(backbone, parity.seed))
    for key in ('pose3d', 'pose3d_float64'):
        yield comparing.close(f'lifter alone {key}', pose, alone[key], LIFTER)


def recipe_maps(backbone: str, seed: int) -> list[np.ndarray]:
    """The recipe's feature maps, NHWC."""
    if backbone == 'cpn':
        numbers = range(4)
        maps = [recipe.feature_maps(2, [256], seed=10 * seed + i, strides=(4,))[0] for i in numbers]
    else:
        width = int(backbone[-2:])
        maps = recipe.feature_maps(2, [width << level for level in range(4)], seed=seed)
    return [one.transpose(0, 2, 3, 1) for one in maps]


def poses(
    parity: Parity, estimator: Estimator, golden: Mapping[str, np.ndarray], per_metre: float = 1
) -> Iterator[Check]:
    """3D poses with and without flip test, in the unit of which a metre holds `per_metre`."""
    for flip_test, key in ((False, 'pose3d'), (True, 'pose3d_flip_test')):
        pose = per_metre * estimator.lift(parity.images, *parity.people, flip_test=flip_test)
        yield comparing.close(key, pose, golden[key], comparing.POSE)


def ca_pf_3dhp(parity: Parity, backbone: str) -> Iterator[Check]:
    """A CA-PF for MPI-INF-3DHP, which was published in millimetres."""
    name = f'ca_pf_3dhp_{backbone}'
    estimator = parity.estimator(name, prefix='module.')
    yield from poses(parity, estimator, parity.golden(name), per_metre=1000)


def detector(
    parity: Parity, manifest: str, file: str, maps: tuple[str, ...] = (), **saved: Any
) -> Iterator[Check]:
    """A detector: its heatmaps, and its maps by the names that the file gives them."""
    golden, estimator = parity.golden(file), parity.estimator(manifest, **saved)
    yield from comparing.sampled('heatmaps', estimator.heatmaps(parity.images), golden)
    if maps:
        for name, one in zip(maps, estimator.feature_maps(parity.images), strict=True):
            yield from comparing.sampled(name, one, golden)


def poseformer(parity: Parity) -> Iterator[Check]:
    """PoseFormer of 9 and of 81 frames."""
    golden = parity.golden('poseformer')
    for frames in (9, 81):
        estimator = parity.estimator(
            f'poseformer_{frames}f', lambda state: {'model_pos': state}, prefix='module.'
        )
        joints2d = recipe.keypoints(2 * frames, seed=parity.seed)[0]
        pose = estimator.lift_sequence(joints2d.reshape(2, frames, JOINTS, 2))
        key = f'pose3d_{frames}f'
        yield comparing.close(key, pose, golden[key], comparing.POSE)


def all_metrics(parity: Parity) -> Iterator[Check]:
    """Metrics of recorded poses."""
    golden = parity.golden('metrics')
    predicted, truth = golden['pred'], golden['gt']
    functions = {
        'mpjpe': metrics.mpjpe,
        'p_mpjpe': metrics.pa_mpjpe,
        'n_mpjpe': metrics.n_mpjpe,
        'mpjve': metrics.mpjve_across_borders,
    }
    for key, function in functions.items():
        yield comparing.close(key, function(predicted, truth).mean(), golden[key], METRIC)
    body = predicted[:, :14], truth[:, :14]
    yield comparing.close('pck150', metrics.pck(*body, 0.15).mean(), golden['pck150'], METRIC)
    millimetres = (1000 * joints for joints in body)
    auc = metrics.auc(*millimetres, metrics.AUC_THRESHOLDS_MM).mean()
    yield comparing.close('auc', auc, golden['auc'], METRIC)


def all_crops(parity: Parity) -> Iterator[Check]:
    """Crops of a recorded image."""
    golden = parity.golden('crops')
    widths = 200 * golden['scale'][:, 0]
    boxes = zip(golden['center'], widths, strict=True)
    affines = np.stack([crops.box_affine(*box) for box in boxes])
    yield comparing.close('transforms', affines, golden['transforms'], 1e-4)
    cropped = np.int32([crops.crop_image(golden['frame'], affine) for affine in affines])
    yield comparing.close('pixels', cropped, golden['crops'], 2)


CHECKS: dict[str, Callable[[Parity], Iterator[Check]]] = {
    'metrics': all_metrics,
    'crops': all_crops,
    'poseformer': poseformer,
    **{
        f'ca_pf_{backbone}': lambda parity, backbone=backbone: ca_pf(parity, backbone)
        for backbone in ('hrnet_32', 'hrnet_48', 'cpn')
    },
    **{
        f'ca_pf_3dhp_{backbone}': lambda parity, backbone=backbone: ca_pf_3dhp(parity, backbone)
        for backbone in ('hrnet_32', 'hrnet_48')
    },
    **{
        f'hrnet_w{width}_heatmaps': lambda parity, width=width: detector(
            parity, f'hrnet_w{width}_coco', f'hrnet_w{width}_heatmaps', zipped=False
        )
        for width in (32, 48)
    },
    'cpn50_heatmaps': lambda parity: detector(
        parity,
        'cpn50_coco',
        'cpn50_heatmaps',
        wrap=lambda state: {'state_dict': state, 'optimizer': {}},
        prefix='module.',
    ),
    'simplebaseline_res50': lambda parity: detector(
        parity,
        'simplebaseline_res50_coco',
        'simplebaseline_res50',
        tuple(f'stage{k}' for k in (1, 2, 3, 4)),
    ),
    'vitpose_b': lambda parity: detector(
        parity,
        'vitpose_b_coco',
        'vitpose_b',
        ('deconv2', 'deconv1', 'tokens'),
        wrap=lambda state: {'state_dict': state, 'meta': {}},
    ),
}


def main(argv: list[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('tests.parity.run', __doc__)
    parser.add_argument('folder', type=pathlib.Path, help='parity data: .npz files and manifests/')
    parser.add_argument('--seed', type=int, default=0, help='that the data is of')
    parser.add_argument('--only', default='', help=f'comma-separated, of {", ".join(CHECKS)}')
    arguments = parser.parse(argv)
    names = arguments.only.split(',') if arguments.only else list(CHECKS)
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        raise UserError(f'--only={unknown[0]} is unknown; known are {", ".join(CHECKS)}')
    rows, failed = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        parity = Parity(arguments.folder, arguments.seed, pathlib.Path(scratch))
        for name in names:
            print(f'{name} ...', file=sys.stderr, flush=True)
            start = time.monotonic()
            for check in CHECKS[name](parity):
                rows.append(
                    (name, check.name, check.error, check.tolerance, 'ok' if check.passed else 'NO')
                )
                failed += not check.passed
            print(f'{name}: {time.monotonic() - start:.0f} s', file=sys.stderr, flush=True)
            jax.clear_caches()  # compiled networks are large
    header = ('file', 'what', 'error', 'tolerance', '')
    print(tabulate.tabulate(rows, header, floatfmt='.1e'))
    passed = f'{len(rows) - failed} of {len(rows)}'
    print(f'capf_jax {capf_jax.__version__}, seed {arguments.seed}: {passed}')
    return int(failed > 0)


if __name__ == '__main__':
    commands.run(main)
