"""Finders of people compared on real pictures, with and without the joints that refine the boxes.

    python -m benchmarks.finders ../shared/real
    python -m benchmarks.finders ../shared/real --files=yolox_m.onnx --every=5

FOLDER holds the sets of `benchmarks/real_samples.py`, and beside them four pictures of COCO with
twelve labelled people. For each set and finder a table says

- how many of the people are found: a box overlaps theirs by half (intersection over union), and how
  many boxes are of nobody: they overlap no person's by a tenth; people whom nobody labelled count
  among these;
- how far the crop lies from that around the true joints: its middle, and its size, both in percent
  of the size, median;
- what it makes of the pose: MPJPE and PA-MPJPE, mm, with the joints that the default lifter's
  detector finds in the crop.

Rows "box" cut the crop around the box, and rows "joints" around the joints that are found in it, as
the prediction does.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import tabulate
from tqdm import tqdm

from benchmarks import real_samples, sample_boxes
from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import aiming, person_boxes, photograph_camera, photographs, predictor
from capf_jax.inference.aiming import Aimed
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.people_finder import PeopleFinder
from capf_jax.inference.person_boxes import Finder
from capf_jax.inference.photograph_camera import PhotographCamera, undistort_points, undistorted
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.yolox import YoloxFinder
from capf_jax.pose import metrics, viewing_ray
from capf_jax.runtime import commands
from capf_jax.runtime.compilation_cache import use_compilation_cache

HEADER = (
    'finder', 'crop around', 'found', 'of', 'of nobody', 'middle %', 'size %', 'MPJPE', 'PA-MPJPE',
)  # fmt: skip
COCO = 'coco-mmpose'
SAME, NOBODY = 0.5, 0.1  # intersection over union


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """A picture and its N labelled people.

    Attributes:
      pixels: RGB, without lens distortion.
      camera: of the picture.
      boxes: [N, 4] x, y, width, height, pixels.
      joints2d: N arrays [K, 2] of the true joints that are labelled, pixels.
      poses: [N, 17, 3], true poses relative to the pelvis, camera frame, mm; None without 3D.
    """

    pixels: np.ndarray
    camera: PhotographCamera
    boxes: np.ndarray
    joints2d: Sequence[np.ndarray]
    poses: np.ndarray | None


class Larger:
    """MoveNet MultiPose on a larger copy of the picture."""

    thumbnail = None  # It is given the picture itself.

    def __init__(self, finder: PeopleFinder, side: int) -> None:
        """A finder that sees pictures of so many pixels along the longer side."""
        self._finder, self._side = finder, side

    def find(self, image: np.ndarray) -> Any:
        """The people of an RGB picture."""
        return self._finder.find(image, longer_side=self._side)


def scenes(folder: pathlib.Path, name: str, every: int) -> Iterator[Scene]:
    """The pictures of a set.

    Raises:
      UserError: the set is not in the folder, or a picture cannot be read.
    """
    if name == COCO:
        yield from _of_coco(folder / COCO)
        return
    samples = real_samples.read(folder, name, every)
    for sample, image in zip(samples, real_samples.pictures(samples), strict=True):
        joints2d = undistort_points(sample.joints2d, sample.camera)
        yield Scene(
            undistorted(image, sample.camera),
            PhotographCamera(sample.camera, False, 'the set'),
            sample_boxes.true_box(joints2d)[None],
            [joints2d],
            sample.joints3d[None] - sample.joints3d[None, :1],
        )


def _of_coco(folder: pathlib.Path) -> Iterator[Scene]:
    path = folder / 'test_coco.json'
    if not path.is_file():
        raise UserError(f'{folder} has no {path.name}; name the folder with the real samples')
    labels = json.loads(path.read_text())
    for picture in labels['images']:
        people = [
            label
            for label in labels['annotations']
            if label['image_id'] == picture['id'] and label['num_keypoints']
        ]
        image = cv2.imread(str(folder / 'images' / picture['file_name']))
        if image is None:
            raise UserError(f'{folder}/images/{picture["file_name"]} cannot be read')
        joints = [np.array(label['keypoints'], np.float64).reshape(-1, 3) for label in people]
        yield Scene(
            np.ascontiguousarray(image[..., ::-1]),
            photograph_camera.from_field_of_view(
                photograph_camera.FIELD_OF_VIEW, (image.shape[1], image.shape[0]), assumed=True
            ),
            np.array([label['bbox'] for label in people], np.float64),
            [one[one[:, 2] > 0, :2] for one in joints],
            None,
        )


@dataclasses.dataclass
class Score:
    """What is counted over a set, each person a number in the lists."""

    hits: int = 0
    people: int = 0
    nobody: int = 0
    middle: list[float] = dataclasses.field(default_factory=list)
    size: list[float] = dataclasses.field(default_factory=list)
    errors: list[tuple[float, float]] = dataclasses.field(default_factory=list)

    def row(self) -> list:
        """The columns of `HEADER` behind the first two."""
        mpjpe, pa = np.mean(self.errors, axis=0) if self.errors else (None, None)
        off = [np.median(each) if each else None for each in (self.middle, self.size)]
        return [self.hits, self.people, self.nobody, *off, mpjpe, pa]


def add(score: Score, scene: Scene, boxes: np.ndarray, models: Models, refined: bool) -> None:
    """Counts the boxes [N, 4] that a finder gives in a picture."""
    overlaps = np.array(
        [[sample_boxes.overlap(box, true) for true in scene.boxes] for box in boxes]
    ).reshape(len(boxes), len(scene.boxes))
    score.people += len(scene.boxes)
    score.nobody += int((overlaps.max(axis=1, initial=0) < NOBODY).sum())
    for number in range(len(scene.boxes)):
        if overlaps[:, number].max(initial=0) < SAME:
            continue
        score.hits += 1
        box = boxes[overlaps[:, number].argmax()]
        _add_person(score, scene, number, box, models, refined)


def _add_person(
    score: Score, scene: Scene, number: int, box: np.ndarray, models: Models, refined: bool
) -> None:
    corners = person_boxes.corners_of(box[None])
    intrinsics = scene.camera.camera.intrinsics
    width, height = aiming.crop_size(models.lifter)
    if refined:
        aimed = aiming.aim(scene.pixels, corners, scene.camera, models)
    else:
        view = viewing_ray.around_points(corners[0], intrinsics, (width, height))
        joints = len(models.lifter.skeleton)
        aimed = Aimed((view,), np.zeros((1, joints, 2)), np.zeros((1, joints)))
    truth = viewing_ray.around_points(scene.joints2d[number], intrinsics, (width, height))
    edges = np.array([[0, height / 2], [width, height / 2]])
    first, last = aimed.views[0].to_photograph(edges)
    true_first, true_last = truth.to_photograph(edges)
    side = float(np.linalg.norm(true_last - true_first))
    score.middle.append(
        100 * float(np.linalg.norm((first + last - true_first - true_last) / 2)) / side
    )
    score.size.append(100 * abs(float(np.linalg.norm(last - first)) / side - 1))
    if scene.poses is not None:
        pose, _ = photographs.lift(scene.pixels, aimed, models)
        pose, true = 1000 * (pose - pose[:, :1]), scene.poses[[number]]
        score.errors.append(
            (float(metrics.mpjpe(pose, true)[0]), float(metrics.pa_mpjpe(pose, true)[0]))
        )


def main(argv: Sequence[str]) -> int:
    """Prints a table a set; returns the exit code."""
    values = _parser().parse(argv)
    programs.start_process()
    use_compilation_cache()
    movenet = PeopleFinder.load(predictor.FINDER)
    finders: dict[str, Finder] = {
        'MultiPose, 256 px': movenet,
        'MultiPose, 384 px': Larger(movenet, 384),
    }
    for path in values.files or ():
        finders[pathlib.PurePath(path).stem] = YoloxFinder.load(path)
    models = Models.of(Estimator.load(values.weights))
    for name in (COCO, *real_samples.SETS):
        scores = {(finder, way): Score() for finder in finders for way in ('box', 'joints')}
        for scene in tqdm(scenes(values.folder, name, values.every), leave=False, unit=' pictures'):
            for label, finder in finders.items():
                boxes, _ = person_boxes.find_boxes(scene.pixels, finder)
                for way in ('box', 'joints'):
                    add(scores[label, way], scene, boxes, models, way == 'joints')
        rows = [[*labels, *score.row()] for labels, score in scores.items()]
        table = tabulate.tabulate(rows, HEADER, floatfmt='.1f', missingval='-')
        print(f'\n{name}\n{table}', flush=True)
    return 0


def _parser() -> commands.Parser:
    parser = commands.Parser('benchmarks.finders', __doc__)
    parser.add_argument('folder', type=pathlib.Path, help='with the sets of real samples')
    parser.add_argument('--files', action='append', help='ONNX file of YOLOX; several by turns')
    parser.add_argument('--weights', default=str(predictor.LIFTER), help='a lifter for photographs')
    parser.add_argument('--every', type=int, default=10, help='of videos, each so-many-th frame')
    return parser


if __name__ == '__main__':
    commands.run(main)
