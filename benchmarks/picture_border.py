"""Whether people at the border of a picture are lifted as well as those in its middle.

    python -m benchmarks.picture_border
    python -m benchmarks.picture_border --people=200 --angles=0,-30,30

Each person is rendered several times by a camera with a wide lens: in the middle of its picture,
and with the camera turned aside by so many degrees, so that the same side of the person is seen
near a border, stretched as such lenses do. All is measured as the command predicts a photograph
with a known camera, from the true box on. People of whom a joint is outside of the picture at an
angle do not count there.

Columns: the angle between the pelvis and the camera's axis, the people who count, their mean MPJPE
there and in the middle, mm, the mean difference with its standard error, and the share of people
whose error is larger than in the middle.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tabulate
from tqdm import tqdm

from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import photographs, predictor
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.photograph_camera import PhotographCamera
from capf_jax.inference.photograph_models import Models
from capf_jax.pose import cameras, metrics, viewing_ray
from capf_jax.pose.cameras import Camera
from capf_jax.runtime import commands
from capf_jax.runtime.commands import Parser
from capf_jax.runtime.compilation_cache import use_compilation_cache, use_stored_programs
from data_pipeline.datasets.synthetic import renderer, samples
from data_pipeline.datasets.synthetic.samples import Person
from data_pipeline.datasets.synthetic.settings import Settings

PICTURE = 1000  # pixels a side
FOCAL = 600.0  # pixels: the picture goes to 40 degrees on each side
WINDOW = 480  # pixels a side of the part of the picture that is rendered, larger or smaller
SHARE = 0.5  # of the window that the person takes
HEADER = ('angle', 'people', 'MPJPE', 'in the middle', 'difference', 'standard error', 'worse %')


def person_of(seed: int) -> Person:
    """Someone of the test split whom a camera of a photograph looks at."""
    settings = Settings(cameras='photographs', height=256, width=256)
    return samples.sample_person(np.random.default_rng(seed), settings, 'test')


def turned(person: Person, degrees: float) -> Camera:
    """A wide camera where the person's own one is, which sees the pelvis so far from its axis."""
    angle = np.deg2rad(degrees)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    camera = person.camera
    towards = viewing_ray.rotation_towards(
        cameras.project(person.joints3d[:1], camera.intrinsics)[0], camera.intrinsics
    )
    middle = (PICTURE - 1) / 2
    return dataclasses.replace(
        camera,
        rotation=turn @ towards @ camera.rotation,
        intrinsics=np.array([FOCAL, FOCAL, middle, middle]),
    )


def world_joints(person: Person) -> np.ndarray:
    """[17, 3], metres."""
    return person.joints3d @ person.camera.rotation + person.camera.position


def error_of(person: Person, camera: Camera, models: Models) -> float:
    """MPJPE in mm, camera frame; NaN for who is not wholly in the picture."""
    truth = camera.to_camera(world_joints(person))
    places = cameras.project(truth, camera.intrinsics)
    first, last = places.min(0), places.max(0)
    if truth[:, 2].min() <= 0 or first.min() < 0 or last.max() > PICTURE - 1:
        return np.nan
    scale = SHARE * WINDOW / (last - first).max()
    corner = (first + last) / 2 * scale - WINDOW / 2
    affine = np.array([[scale, 0, -corner[0]], [0, scale, -corner[1]]])
    pixels = renderer.render(
        np.random.default_rng(0), person.solids, person.body, person.subject, camera,
        person.scene, affine, (WINDOW, WINDOW), 1,
    )  # fmt: skip
    numbers = camera.intrinsics * scale - [0, 0, *corner]
    seen = PhotographCamera(Camera('window', None, None, numbers), False, 'rendered')
    box = np.concatenate([first * scale - corner, (last - first) * scale])
    people = photographs.people_of(pixels, models, seen, boxes=box[None], flip_test=False)
    pose = 1000 * (people.pose - people.pose[:, :1])
    true = 1000 * (truth - truth[:1])[None]
    return float(metrics.mpjpe(pose, true)[0])


def rows(errors: np.ndarray, angles: Sequence[float]) -> list[list[float]]:
    """The table's rows from errors [people, angles], whose first column is the middle's.

    An angle at which nobody is wholly in the picture has no numbers.
    """
    out: list[list[float]] = []
    for angle, here in zip(angles[1:], errors.T[1:], strict=True):
        counts = np.isfinite(here) & np.isfinite(errors[:, 0])
        here, middle = here[counts], errors[counts, 0]
        if not len(here):
            out.append([angle, 0])
            continue
        beside = here - middle
        error = beside.std() / np.sqrt(len(beside))
        numbers = (here.mean(), middle.mean(), beside.mean(), error, 100 * (beside > 0).mean())
        out.append([angle, len(here), *numbers])
    return out


def main(argv: Sequence[str]) -> int:
    """Prints the table; returns the exit code."""
    parser = Parser('benchmarks.picture_border', __doc__)
    parser.add_argument('--people', type=int, default=100, help='how many; default 100')
    parser.add_argument('--angles', default='-35,-25,25,35', help='degrees, up to 39')
    parser.add_argument('--weights', default=predictor.LIFTER, help='a lifter of photographs')
    values = parser.parse(argv)
    try:
        angles = [0.0, *map(float, values.angles.split(','))]
    except ValueError as error:
        raise UserError(f'--angles={values.angles} holds no numbers, such as -25,25') from error
    if not all(abs(angle) < 40 for angle in angles):
        raise UserError(f'--angles={values.angles} is outside of the picture: give less than 40')
    if values.people < 2:
        raise UserError(f'--people={values.people} has no standard error: give 2 or more')
    programs.start_process()
    use_compilation_cache()
    use_stored_programs()
    models = Models.of(Estimator.load(values.weights, largest_batch=1))
    errors = []
    for seed in tqdm(range(values.people), unit=' people'):
        person = person_of(seed)
        errors.append([error_of(person, turned(person, one), models) for one in angles])
    print(tabulate.tabulate(rows(np.array(errors), angles), HEADER, floatfmt='.1f'))
    return 0


if __name__ == '__main__':
    commands.run(main)
