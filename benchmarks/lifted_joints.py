"""How far each joint is off after lifting, by each rule that makes the lifter's joints of COCO's.

    python -m benchmarks.lifted_joints ../shared/real --config=configs/photographs.py:people=64
    python -m benchmarks.lifted_joints FOLDER --weights=a.safetensors --people=2000 \\
        --config=configs/photographs.py:poses=FILES

The lifter's own detector finds its joints, a rule of capf_jax/pose/joint_conversions.py makes those
of Human3.6M of them, and the lifter lifts these. A table for each set, of people of the test split
of --config and of the real samples in FOLDER (see `benchmarks/real_samples.py`), says how far the
3D joints are from the true ones, relative to the pelvis, in millimetres. Joints of the left and of
the right are one row. The last column has the true 2D joints. All rules get the same crop.

The lifter has learnt from the joints of one rule, which the first line names. What it makes of the
others' is the cost of feeding it joints of another definition; it does not say how good a lifter
would be that had learnt from them.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tabulate
from tqdm import tqdm

from benchmarks import real_samples, rendered_people
from benchmarks.real_samples import Sample
from benchmarks.sample_boxes import Boxes
from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import aiming, person_boxes, predictor
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.photograph_camera import PhotographCamera, undistort_points, undistorted
from capf_jax.inference.photograph_models import Models
from capf_jax.pose import joint_conversions, viewing_ray
from capf_jax.pose.skeletons import H36M17
from capf_jax.runtime import commands, configuration
from capf_jax.runtime.compilation_cache import use_compilation_cache

TRUE = 'true 2D'


@dataclasses.dataclass(frozen=True, eq=False)
class Crops:
    """N people, ready to lift.

    Attributes:
      images: [N, H, W, 3] uint8 RGB crops.
      joints2d: [N, 17, 2], true joints, pixels of the crop.
      pose: [N, 17, 3], true joints relative to the pelvis, viewing-ray frame, mm.
    """

    images: np.ndarray
    joints2d: np.ndarray
    pose: np.ndarray


def of_samples(samples: Sequence[Sample], models: Models, boxes: Boxes) -> Crops:
    """The crops of real samples whose person is found, around the joints that are detected."""
    images, joints2d, poses = [], [], []
    rng = np.random.default_rng(0)
    pictures = real_samples.pictures(samples)
    for sample, image in tqdm(zip(samples, pictures, strict=True), total=len(samples), leave=False):
        pixels = undistorted(image, sample.camera)
        places = undistort_points(sample.joints2d, sample.camera)
        box = boxes.of(pixels, places, rng)
        if box is None:
            continue
        camera = PhotographCamera(sample.camera, False, 'the set')
        corners = person_boxes.corners_of(box[None])
        view = aiming.aim(pixels, corners, camera, models).views[0]
        images.append(view.crop(pixels))
        joints2d.append(view.to_crop(places))
        pose = sample.joints3d - sample.joints3d[:1]
        poses.append(viewing_ray.to_viewing_ray(pose, view.rotation))
    return Crops(np.array(images), np.array(joints2d), np.array(poses))


def errors(crops: Crops, lifters: Mapping[str, Estimator]) -> dict[str, np.ndarray]:
    """The mean error [17] of each joint, mm, by the rule, and of the true 2D joints.

    Args:
      crops: the people.
      lifters: the lifter with each rule's joints, by the rule's name.
    """
    poses = {
        rule: lifter.lift_crops(crops.images)[0]
        for rule, lifter in tqdm(lifters.items(), leave=False)
    }
    poses[TRUE] = next(iter(lifters.values())).lift_crops(crops.images, crops.joints2d)[0]
    return {
        name: np.linalg.norm(1000 * (pose - pose[:, :1]) - crops.pose, axis=-1).mean(0)
        for name, pose in poses.items()
    }


def rows(columns: Mapping[str, np.ndarray]) -> list[list]:
    """The rows of a table: left and right of a joint as one, and the mean of all 17 joints."""
    names: dict[str, list[int]] = {}
    for number, joint in enumerate(H36M17.joints):
        names.setdefault(joint.removeprefix('left_').removeprefix('right_'), []).append(number)
    del names['pelvis']  # which is where it is by definition
    table = [
        [name, *(column[numbers].mean() for column in columns.values())]
        for name, numbers in names.items()
    ]
    return [*table, ['mean of 17', *(column.mean() for column in columns.values())]]


def by_rule(lifter: Estimator) -> dict[str, Estimator]:
    """The lifter with the joints of each rule, its own first.

    Raises:
      UserError: the lifter has not learnt from joints that a rule makes.
    """
    own = Models.of(lifter)
    if not own.lifts_own_joints or own.conversion is None:
        raise UserError(f'{lifter.path} has not learnt from the joints of its own detector')
    rules = [own.conversion, *joint_conversions.published(own.conversion)]
    return {rule.rule: Models.of(lifter, None, rule.rule).lifter for rule in rules}


def main(argv: Sequence[str]) -> int:
    """Prints a table a set; returns the exit code."""
    parser = commands.Parser('benchmarks.lifted_joints', __doc__)
    parser.add_argument('folder', type=pathlib.Path, help='with the sets of real samples')
    parser.add_argument('--weights', default=str(predictor.LIFTER), help='a lifter for photographs')
    parser.add_argument('--people', type=int, default=1000, help='rendered ones; default 1000')
    parser.add_argument('--every', type=int, default=4, help='of videos, each so-many-th frame')
    arguments = configuration.parse(argv, required=('config',), parser=parser)
    values, config = arguments.values, arguments.config
    assert config is not None  # `parse` requires one.
    programs.start_process()
    use_compilation_cache()
    lifters = by_rule(Estimator.load(values.weights))
    own = next(iter(lifters))
    print(f'{pathlib.PurePath(values.weights).stem} has learnt from joints of the rule {own!r}')
    people = rendered_people.read(config, values.people)
    poses = people.joints3d - people.joints3d[:, :1]
    sets = {'rendered test split': Crops(people.crops, people.joints2d, poses)}
    boxes, models = Boxes(predictor.default_finder()), Models.of(lifters[own])
    for name in real_samples.SETS:
        samples = real_samples.read(values.folder, name, values.every)
        sets[name] = of_samples(samples, models, boxes)
    for name, crops in sets.items():
        columns = errors(crops, lifters)
        print(f'\n{name}: {len(crops.images)} people, mm')
        print(tabulate.tabulate(rows(columns), ['', *columns], floatfmt='.0f'))
    return 0


if __name__ == '__main__':
    commands.run(main)
