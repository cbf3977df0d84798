"""How far people are from where they are said to stand, with true and with assumed focal length.

    python -m benchmarks.root_positions ../shared/real --config=configs/photographs.py:people=64
    python -m benchmarks.root_positions FOLDER --set=pose2sim-balancing --weights=a.safetensors \\
        --config=configs/photographs.py:poses=FILES

Each table, of people of the test split of --config and of a set of real samples in FOLDER (see
`benchmarks/real_samples.py`), compares the place of the pelvis with the true one, in percent of the
true distance: the error along the line of sight, its median and what nine of ten people stay below,
its median with its sign (plus is too far), and the median error across. The rows are

- the true camera, or one of which nothing is known: the focal length of an assumed field of view,
  the axis in the middle of the picture, no lens distortion;
- people as tall as the pose came out, or scaled to their true standing height as --height does; of
  a set of one person that is the median over the frames.

People of real samples are found in the whole picture, and their 2D joints by the lifter's detector.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tabulate
from tqdm import tqdm

from benchmarks import real_samples, rendered_people
from benchmarks.real_samples import Sample
from benchmarks.rendered_people import RenderedPeople
from benchmarks.sample_boxes import Boxes
from capf_jax.backends import programs
from capf_jax.inference import (
    aiming,
    person_boxes,
    photograph_camera,
    photographs,
    predictor,
)
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.photograph_camera import PhotographCamera, undistort_points, undistorted
from capf_jax.inference.photograph_models import Models
from capf_jax.pose import root_position, stature
from capf_jax.pose.skeletons import H36M17
from capf_jax.runtime import commands, configuration
from capf_jax.runtime.compilation_cache import use_compilation_cache

HEADER = ('camera', 'height', 'distance %', '9 of 10 %', 'too far %', 'across %', 'people')
ONE_PERSON = ('pose2sim-balancing',)  # sets of one person


class Places(NamedTuple):
    """Places of N people's pelvis, [N, 3], camera frame, metres: predicted and true."""

    predicted: np.ndarray
    truth: np.ndarray


def row(camera: str, height: str, places: Places) -> list:
    """A row of the table."""
    distance = np.linalg.norm(places.truth, axis=-1, keepdims=True)
    difference = 100 * (places.predicted - places.truth) / distance
    rays = places.truth / distance
    along = (difference * rays).sum(-1)
    across = np.linalg.norm(difference - along[:, None] * rays, axis=-1)
    size = np.abs(along)
    numbers = (np.median(size), np.quantile(size, 0.9), np.median(along), np.median(across))
    return [camera, height, *numbers, len(distance)]


def of_rendered(people: RenderedPeople, lifter: Estimator, flip_test: bool) -> Iterator[list]:
    """The rows of rendered people."""
    pose, joints, confidence = lifter.lift_crops(people.crops, flip_test=flip_test)
    pose = pose - pose[:, :1]  # as `photographs.place` has it
    truth = people.joints3d / 1000
    heights = stature.standing_height(truth, H36M17)
    tall = pose * (heights / stature.standing_height(pose, H36M17))[:, None, None]
    for camera, intrinsics in (
        ('true', people.intrinsics),
        ('assumed', people.assumed_intrinsics()),
    ):
        # The crop is a picture, too, whose camera has its pixels.
        scale, shift = people.affine[:, [0, 1], [0, 1]], people.affine[:, :, 2]
        of_crop = np.concatenate(
            [intrinsics[:, :2] * scale, intrinsics[:, 2:] * scale + shift], axis=1
        )
        for height, poses in (('as lifted', pose), ('true', tall)):
            place = np.concatenate(
                [
                    root_position.root_position(one[None], places[None], numbers, sure[None])
                    for one, places, numbers, sure in zip(
                        poses, joints, of_crop, confidence, strict=True
                    )
                ]
            )
            yield row(camera, height, Places(place, truth[:, 0]))


def of_samples(
    samples: Sequence[Sample], models: Models, boxes: Boxes, one_person: bool, flip_test: bool
) -> Iterator[list]:
    """The rows of a set of real samples."""
    heights = np.array(
        [stature.standing_height(sample.joints3d[None] / 1000, H36M17)[0] for sample in samples]
    )
    if one_person:
        heights[:] = np.median(heights)
    places: dict[tuple[str, str], list[np.ndarray]] = {}
    truth = []
    pictures = real_samples.pictures(samples)
    for sample, image, height in tqdm(
        zip(samples, pictures, heights, strict=True), total=len(samples), leave=False
    ):
        size = image.shape[1], image.shape[0]
        angle = photograph_camera.FIELD_OF_VIEW
        cameras = {
            'true': PhotographCamera(sample.camera, False, 'the set'),
            'assumed': photograph_camera.from_field_of_view(angle, size, assumed=True),
        }
        pixels = undistorted(image, sample.camera)
        joints2d = undistort_points(sample.joints2d, sample.camera)
        box = boxes.of(pixels, joints2d, np.random.default_rng(0))
        if box is None:
            continue
        truth.append(sample.joints3d[0] / 1000)
        for name, camera in cameras.items():
            flat = undistorted(image, camera.camera)
            aimed = aiming.aim(flat, person_boxes.corners_of(box[None]), camera, models)
            pose, aimed = photographs.lift(flat, aimed, models, flip_test=flip_test)
            for words, known in (('as lifted', None), ('true', float(height))):
                people = photographs.place(
                    pose, aimed, box[None], camera, models, image_size=size, height=known
                )
                places.setdefault((name, words), []).append(people.root[0])
    for (camera, words), roots in places.items():
        yield row(camera, words, Places(np.array(roots), np.array(truth)))


def main(argv: Sequence[str]) -> int:
    """Prints a table a set; returns the exit code."""
    parser = commands.Parser('benchmarks.root_positions', __doc__)
    add = parser.add_argument
    add('folder', type=pathlib.Path, help='with the sets of real samples')
    add('--weights', default=str(predictor.LIFTER), help='a lifter for photographs')
    add('--set', action='append', choices=tuple(real_samples.SETS), help='all by default')
    add('--people', type=int, default=2000, help='rendered ones; default 2000')
    add('--every', type=int, default=1, help='of videos, each so-many-th frame')
    parser.add_flag('flip_test', default=True, help='average with the mirrored person')
    arguments = configuration.parse(argv, required=('config',), parser=parser)
    values, config = arguments.values, arguments.config
    assert config is not None  # `parse` requires one.
    programs.start_process()
    use_compilation_cache()
    models = Models.of(Estimator.load(values.weights))
    people = rendered_people.read(config, values.people)
    print_table('rendered test split', of_rendered(people, models.lifter, values.flip_test))
    boxes = Boxes(predictor.default_finder())
    for name in values.set or real_samples.SETS:
        samples = real_samples.read(values.folder, name, values.every)
        print_table(name, of_samples(samples, models, boxes, name in ONE_PERSON, values.flip_test))
    return 0


def print_table(name: str, rows: Iterator[list]) -> None:
    """Prints the table of a set."""
    table = tabulate.tabulate(list(rows), HEADER, floatfmt='.1f')
    print(f'\n{name}\n{table}', flush=True)


if __name__ == '__main__':
    commands.run(main)
