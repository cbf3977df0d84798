"""How far weight files are off on photographs that nothing was trained on.

    python -m benchmarks.photographs ../shared/real --weights=pretrained/photographs.safetensors
    python -m benchmarks.photographs FOLDER --weights=a.safetensors --weights=b.safetensors
    python -m benchmarks.photographs FOLDER --weights=ca_pf.safetensors \\
        --detector_weights=hrnet_w32.safetensors --set=h36m-mmpose
    python -m benchmarks.photographs FOLDER --weights=a.safetensors --true_boxes --box_error=0.1

FOLDER holds the sets of `benchmarks/real_samples.py`. For each set a table says how far 17 joints
are from the true ones, relative to the pelvis, in millimetres: as they are (MPJPE), after the best
scale (N-MPJPE) and after the best similarity (PA-MPJPE); then how far the 2D joints of the limbs
are off (median, percent of the person's longer side), and how many people were scored. People are
found in the whole picture, or with --true_boxes they are where the true joints are. Several weight
files, such as those of three seeds, get a further row, their mean.

Rows "true joints" get the true 2D joints instead of a detector's. "Mean pose" knows nothing but the
mean of rendered people and where the person is. BlazePose's figures are quoted: they were measured
once on the same samples, with its own person region, and turned to the camera's frame.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import tabulate
from tqdm import tqdm

from benchmarks import real_samples
from benchmarks.real_samples import Sample
from benchmarks.sample_boxes import Boxes, true_box
from benchmarks.sample_errors import Prediction, details, numbers
from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import aiming, photographs, predictor
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.given_joints import GivenJoints
from capf_jax.inference.photograph_camera import PhotographCamera, undistort_points, undistorted
from capf_jax.inference.photograph_models import Models
from capf_jax.pose import viewing_ray
from capf_jax.pose.skeletons import H36M17, Skeleton
from capf_jax.runtime import commands
from capf_jax.runtime.commands import Parser
from capf_jax.runtime.compilation_cache import use_compilation_cache
from data_pipeline.datasets.synthetic import samples as rendered
from data_pipeline.datasets.synthetic.settings import Settings

HEADER = ('', 'MPJPE', 'N-MPJPE', 'PA-MPJPE', '2D %', 'people')
MEAN_OF = 400  # Rendered people of the mean pose.
# MPJPE, N-MPJPE, PA-MPJPE in mm, from a study of the same samples in November 2026.
QUOTED = {
    'BlazePose full, its own 3D (quoted)': {
        'pose2sim-balancing': (119, 117, 87),
        'h36m-mmpose': (123, 121, 90),
        'mpi-inf-3dhp-mmpose': (125, 122, 99),
    },
    'BlazePose heavy, joints fitted (quoted)': {
        'pose2sim-balancing': (110, 108, 82),
        'h36m-mmpose': (104, 103, 78),
        'mpi-inf-3dhp-mmpose': (143, 122, 110),
    },
}


def lift(
    models: Models,
    pixels: np.ndarray,
    camera: PhotographCamera,
    box: np.ndarray | None,
    joints2d: np.ndarray,
    flip_test: bool,
) -> Prediction:
    """The pose of one person.

    Args:
      models: the networks.
      pixels: [H, W, 3] uint8, the picture without distortion.
      camera: of the picture.
      box: [x, y, width, height] of the person; None to lift the true joints.
      joints2d: [17, 2], the true joints, pixels of the picture without distortion.
      flip_test: average with the prediction for the mirrored person.
    """
    if box is None:
        true = GivenJoints(H36M17.name, joints2d[None], np.ones((1, len(H36M17))))
        aimed = aiming.aim_at_joints(true, camera, models)
    else:
        x, y, width, height = box
        corners = np.array([[x, y], [x + width, y], [x, y + height], [x + width, y + height]])
        aimed = aiming.aim(pixels, corners[None], camera, models)
    pose, aimed = photographs.lift(
        pixels, aimed, models, flip_test=flip_test, with_given_joints=box is None
    )
    order = _order(models.lifter.skeleton)
    joints3d = 1000 * pose[0][order]
    return Prediction(joints3d - joints3d[0], aimed.joints2d[0][order])


def _order(skeleton: Skeleton) -> list[int]:
    """Where the joints of H36M17 are in a skeleton; UserError if it lacks one."""
    missing = [joint for joint in H36M17.joints if joint not in skeleton.joints]
    if missing:
        raise UserError(
            f'the weights lift to {skeleton.name!r}, which has no joint {missing[0]!r}; the true '
            f'joints here are those of {H36M17.name!r}'
        )
    return [skeleton.index(joint) for joint in H36M17.joints]


def mean_pose(number: int = MEAN_OF) -> np.ndarray:
    """The mean pose [17, 3] of rendered people in built-in activities, viewing-ray frame, mm."""
    settings = Settings(cameras='photographs', height=256, width=256)
    rng = np.random.default_rng(0)
    poses = [rendered.sample_person(rng, settings, 'train').joints3d for _ in range(number)]
    return 1000 * np.mean([pose - pose[:1] for pose in poses], axis=0)


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to predict the samples of a set.

    Attributes:
      label: what its row is called.
      models: the networks.
      true_joints: whether the true 2D joints are lifted.
    """

    label: str
    models: Models
    true_joints: bool


def predict(
    samples: Sequence[Sample], ways: Sequence[Way], boxes: Boxes, flip_test: bool, mean: np.ndarray
) -> tuple[list[Prediction], list[list[Prediction | None]]]:
    """The predictions of the mean pose, and of each way, for each sample; pictures are read once.

    Args:
      samples: of one set.
      ways: to predict.
      boxes: where people are looked for.
      flip_test: average with the prediction for the mirrored person.
      mean: [17, 3], the mean pose, viewing-ray frame, mm.
    """
    rng = np.random.default_rng(0)
    means: list[Prediction] = []
    out: list[list[Prediction | None]] = [[] for _ in ways]
    images = real_samples.pictures(samples)
    for sample, image in tqdm(zip(samples, images, strict=True), total=len(samples), leave=False):
        pixels = undistorted(image, sample.camera)
        joints2d = undistort_points(sample.joints2d, sample.camera)
        camera = PhotographCamera(sample.camera, False, 'the set')
        x, y, width, height = true_box(joints2d)
        middle = np.array([x + width / 2, y + height / 2])
        turn = viewing_ray.rotation_towards(middle, sample.camera.intrinsics)
        means.append(Prediction(viewing_ray.to_camera(mean, turn), joints2d))
        box = None
        if not all(way.true_joints for way in ways):
            box = boxes.of(pixels, joints2d, rng)
        for way, predictions in zip(ways, out, strict=True):
            if box is None and not way.true_joints:
                predictions.append(None)
                continue
            predictions.append(
                lift(
                    way.models,
                    pixels,
                    camera,
                    None if way.true_joints else box,
                    joints2d,
                    flip_test,
                )
            )
    return means, out


def table(
    name: str,
    samples: Sequence[Sample],
    ways: Sequence[Way],
    means: Sequence[Prediction],
    predictions: Sequence[Sequence[Prediction | None]],
) -> list[list]:
    """The rows of a set: baselines, each way, and the means of ways that several files share."""
    rows = [['mean pose of rendered people', *numbers(means, samples)[:3], None, len(samples)]]
    rows += [[label, *sets[name], None, None] for label, sets in QUOTED.items()]
    results = [numbers(some, samples) for some in predictions]
    rows += [[way.label, *result] for way, result in zip(ways, results, strict=True)]
    for true_joints, words in ((False, "detector's joints"), (True, 'true joints')):
        same = [
            result
            for way, result in zip(ways, results, strict=True)
            if way.true_joints == true_joints
        ]
        if len(same) > 1:
            rows.append([f'mean of {len(same)} files, {words}', *np.mean(same, axis=0)])
    return rows


def main(argv: Sequence[str]) -> int:
    """Prints a table a set; returns the exit code."""
    values = _parser().parse(argv)
    if values.box_error < 0 or values.box_error >= 1:
        raise UserError(f'--box_error is {values.box_error:g}; give a share from 0 to below 1')
    if values.every < 1:
        raise UserError(f'--every is {values.every}; give 1 for every frame, 2 for each second ...')
    sets = {
        name: real_samples.read(values.folder, name, values.every)
        for name in values.set or real_samples.SETS
    }
    programs.start_process()
    use_compilation_cache()
    ways = _ways(values)
    needs_finder = not values.true_boxes and not all(way.true_joints for way in ways)
    finder = None
    if needs_finder:
        finder = predictor.default_finder(values.finder_weights or predictor.FINDER)
    mean = mean_pose()
    for name, samples in sets.items():
        boxes = Boxes(finder, values.box_error)
        means, predictions = predict(samples, ways, boxes, values.flip_test, mean)
        rows = table(name, samples, ways, means, predictions)
        print(f'\n{name}: {len(samples)} people, mm')
        print(tabulate.tabulate(rows, HEADER, floatfmt='.1f', missingval='-'))
        if values.details:
            for way, some in zip(ways, predictions, strict=True):
                print(f'\n{way.label}: mean error, and its size along the axes of the camera, mm')
                heads = ('joint', 'error', 'x', 'y', 'z')
                print(tabulate.tabulate(details(some, samples), heads, floatfmt='.0f'))
    return 0


def _ways(values: argparse.Namespace) -> list[Way]:
    """What the command is asked to score."""
    detector = Estimator.load(values.detector_weights) if values.detector_weights else None
    ways = []
    for path in values.weights:
        models = Models.of(Estimator.load(path), detector, values.conversion)
        stem = pathlib.PurePath(path).stem
        if values.joints != 'dataset':
            ways.append(Way(f"{stem}, detector's joints", models, False))
        if values.joints != 'detector':
            ways.append(Way(f'{stem}, true joints', models, True))
    return ways


def _parser() -> Parser:
    parser = Parser('benchmarks.photographs', __doc__)
    add = parser.add_argument
    add('folder', type=pathlib.Path, help='with the sets of real samples')
    add('--weights', action='append', required=True, help='a file with a lifter; several by turns')
    add('--detector_weights', help="finds the 2D joints; by default the lifter's own detector does")
    add('--finder_weights', help='finds the people; by default the file that comes with capf-jax')
    add('--conversion', default='', help="rule from the detector's joints to the lifter's")
    add('--joints', choices=('both', 'detector', 'dataset'), default='both', help='2D joints')
    add('--set', action='append', choices=tuple(real_samples.SETS), help='all by default')
    add('--every', type=int, default=1, help='of videos, take each so-many-th frame')
    add('--box_error', type=float, default=0.0, help='how far boxes are off, a share of their size')
    parser.add_flag('true_boxes', default=False, help='people are where their true joints are')
    parser.add_flag('flip_test', default=True, help='average with the mirrored person')
    parser.add_flag('details', default=False, help='also the error of each joint')
    return parser


if __name__ == '__main__':
    commands.run(main)
