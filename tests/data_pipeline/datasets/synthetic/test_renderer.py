"""The geometry of the renderer agrees with plain formulas, and pictures show what they must."""

import dataclasses

import numpy as np
import pytest

from capf_jax.pose import crops
from capf_jax.pose.skeletons import H36M17, H36M17_SURFACE
from data_pipeline.datasets.synthetic import bodies, poses, renderer, samples, scenes
from data_pipeline.datasets.synthetic.cameras import Camera
from data_pipeline.datasets.synthetic.primitives import PrimitiveList, first_hit, surface_normals
from data_pipeline.datasets.synthetic.rasterizer import draw_parallel, draw_perspective
from data_pipeline.datasets.synthetic.renderer import render
from data_pipeline.datasets.synthetic.settings import Settings

CONFIG = Settings(height=64, width=48, supersample=1, seed=11)
INTRINSICS = np.array([60.0, 60.0, 31.5, 31.5])
SIZE = (64, 64)


def rounded_cone(radius_a=0.4, radius_b=0.15, stretch=(1.0, 1.0)):
    shapes = PrimitiveList()
    a, b = np.array([-0.5, 0.1, 3.0]), np.array([0.6, -0.4, 2.4])
    shapes.add(a, b, radius_a, radius_b, 0, np.array([0.0, 0.0, 1.0]), stretch)
    return shapes.build(), a, b


def pixel_rays():
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    fx, fy, cx, cy = INTRINSICS
    return np.stack([(x - cx) / fx, (y - cy) / fy, np.ones(x.shape)], -1).reshape(-1, 3)


def march(rays, distance):
    """Sphere tracing: the depth where a distance function falls to zero, inf for a miss."""
    length = np.linalg.norm(rays, axis=1)
    t = np.full(len(rays), 0.5)
    for _ in range(120):
        t += np.minimum(distance(t[:, None] * rays), 0.5) / length
    return np.where(np.abs(distance(t[:, None] * rays)) < 1e-5, t, np.inf)


def hull_of_spheres(a, b, radius_a, radius_b):
    """Distance to the hull of two spheres: the nearest of many spheres between them."""
    share = np.linspace(0, 1, 501)
    middles = a + share[:, None] * (b - a)
    radii = radius_a + share * (radius_b - radius_a)

    def distance(points):
        gaps = np.sqrt(((points[:, None] - middles) ** 2).sum(-1)) - radii
        return gaps.min(1)

    return distance


def test_rounded_cone_is_the_hull_of_two_spheres():
    shape, a, b = rounded_cone()
    rays = pixel_rays()[::53]
    expected = march(rays, hull_of_spheres(a, b, 0.4, 0.15))
    actual = first_hit(shape, rays)
    hit = np.isfinite(expected) & np.isfinite(actual)
    assert hit.sum() > 5
    # A ray that touches the surface may count as a hit or as a miss.
    assert (np.isfinite(expected) != np.isfinite(actual)).sum() <= 1
    np.testing.assert_allclose(actual[hit], expected[hit], atol=2e-4)


def test_ellipsoid_surface_satisfies_its_equation():
    shapes = PrimitiveList()
    centre, radii = np.array([0.1, -0.2, 3.0]), np.array([0.3, 0.5, 0.2])
    shapes.add_ellipsoid(centre, np.eye(3), radii, 0)
    rays = pixel_rays()
    depth = first_hit(shapes.build(), rays)
    points = (depth[:, None] * rays)[np.isfinite(depth)]
    assert len(points) > 100
    np.testing.assert_allclose((((points - centre) / radii) ** 2).sum(1), 1.0, atol=1e-9)


@pytest.mark.parametrize('stretch', [(1.0, 1.0), (1.3, 0.7)])
def test_bounding_boxes_cut_nothing_off(stretch):
    shape, _, _ = rounded_cone(stretch=stretch)
    depth = draw_perspective(shape, INTRINSICS, SIZE).depth.ravel()
    np.testing.assert_allclose(depth, first_hit(shape, pixel_rays()), rtol=1e-3)


def test_nearer_primitive_hides_the_farther():
    shapes = PrimitiveList()
    for depth in (3.0, 2.0, 4.0):
        centre = np.array([0.0, 0.0, depth])
        shapes.add(centre, centre, 0.3, 0.3, 0)
    raster = draw_perspective(shapes.build(), INTRINSICS, SIZE)
    assert raster.which[32, 32] == 1
    assert set(np.unique(raster.which)) == {-1, 1}


def test_parallel_rays_meet_a_sphere_at_its_near_pole():
    shapes = PrimitiveList()
    centre = np.array([0.2, 0.3, 5.0])
    shapes.add(centre, centre, 0.5, 0.5, 0)
    raster = draw_parallel(shapes.build(), np.array([-0.8, -0.7]), 0.1, (21, 21))
    assert raster.depth[10, 10] == pytest.approx(4.5, abs=1e-5)
    assert np.isinf(raster.depth[0, 0])


def test_normals_are_the_gradient_of_the_surface():
    shape, a, b = rounded_cone()
    rays = pixel_rays()
    depth = first_hit(shape, rays)
    points = (depth[:, None] * rays)[np.isfinite(depth)][::29]
    normal = surface_normals(points, np.zeros(len(points), int), shape)
    distance = hull_of_spheres(a, b, 0.4, 0.15)
    assert distance(points + 0.01 * normal) == pytest.approx(0.01, abs=2e-4)


def test_joints_lie_inside_the_body():
    rng = np.random.default_rng(3)
    person = samples.sample_person(rng, CONFIG, 'train')
    in_camera = person.body.primitives.transform(
        person.camera.rotation, -person.camera.rotation @ person.camera.position
    )
    rays = person.joints3d / person.joints3d[:, 2:]
    assert (first_hit(in_camera, rays) < person.joints3d[:, 2]).all()


def crop_around(person):
    crop_size = (CONFIG.width, CONFIG.height)
    return crops.box_affine(*crops.joints_box(person.joints2d, crop_size), crop_size)


def picture(person, affine, crop_size=(CONFIG.width, CONFIG.height)):
    return render(
        np.random.default_rng(0),
        person.body.primitives,
        person.body,
        person.subject,
        person.camera,
        person.scene,
        affine,
        crop_size,
        1,
    ).astype(float)


def test_light_from_above_makes_upward_surfaces_brighter():
    person = samples.sample_person(np.random.default_rng(5), CONFIG, 'train')
    grey = dataclasses.replace(
        person.subject,
        colours=np.full_like(person.subject.colours, 120.0),
        print_colour=np.full(3, 120.0),
        back_colour=np.full(3, 120.0),
    )
    lamp_below = dataclasses.replace(
        person.scene, light=person.scene.light * np.array([1.0, 1.0, -1.0])
    )
    affine = crop_around(person)
    person = dataclasses.replace(person, subject=grey)
    above = picture(person, affine)
    below = picture(dataclasses.replace(person, scene=lamp_below), affine)
    joints = crops.apply_affine(affine, person.joints2d)
    column, row = np.rint(joints[[H36M17.index('head')]]).astype(int).T
    assert above[row, column].mean() > below[row, column].mean() + 10


def test_left_and_right_are_built_alike():
    """The body of a mirrored pose is the mirrored body, with its colours."""
    subject = samples.subject_of(0, 'train', 3)
    pose = poses.sample_pose(np.random.default_rng(8), 'walking', subject.proportions)
    body = bodies.build_body(pose, subject).primitives
    other = bodies.build_body(poses.mirror(pose), subject).primitives
    mirrored = (body.origin + body.end) * [1, -1, 1]
    # In the place of each mirrored primitive is one of the same material and size.
    gaps = np.linalg.norm(mirrored[:, None] - (other.origin + other.end), axis=-1)
    gaps += body.material[:, None] != other.material
    gaps += np.abs((body.radius_a + body.radius_b)[:, None] - (other.radius_a + other.radius_b))
    assert gaps.min(1).max() < 2e-3


def test_points_of_the_surface_are_mirrored_with_the_pose():
    subject = samples.subject_of(0, 'train', 3)
    pose = poses.sample_pose(np.random.default_rng(8), 'walking', subject.proportions)
    surface = bodies.build_body(pose, subject).surface * [1, -1, 1]
    other = bodies.build_body(poses.mirror(pose), subject).surface
    flip = np.array(H36M17_SURFACE.flip)[17:] - 17
    np.testing.assert_allclose(surface[flip], other, atol=2e-3)


@pytest.mark.parametrize('number', [0, 1, 2, 3])
def test_picture_of_a_mirrored_person_is_the_mirrored_picture(number, monkeypatch):
    """Nothing but the pose tells left from right: no colour, no pattern and no shape does."""
    monkeypatch.setattr(
        scenes, 'look_up_noise', lambda x, y: 0 * x
    )  # Folds do not turn with the person.
    monkeypatch.setattr(renderer, '_room', lambda scene, shadow, eye, rays: 0 * rays)
    monkeypatch.setattr(renderer, '_photograph', lambda rng, linear, affine, film: 255 * linear)
    subject = samples.subject_of(0, 'train', number)
    pose = poses.sample_pose(np.random.default_rng(number), 'handling', subject.proportions)
    # The camera looks along -x and the light comes from above, so the mirror plane is y = 0.
    camera = Camera(
        'front',
        np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]]),
        np.array([4.5, 0, 1.0]),
        np.array([1150.0, 1150, 500, 500]),
    )
    scene = scenes.Scene(np.array([0.0, 0, 1]), 0.4, np.array([1.0, 0, 0]), 3.0, 0)
    crop_size = (96, 128)
    affine = crops.box_affine(np.array([500.0, 500.0]), 500.0, crop_size)

    def photograph(pose):
        body = bodies.build_body(pose, subject)
        solids = body.primitives
        return render(None, solids, body, subject, camera, scene, affine, crop_size, supersample=2)

    plain, mirrored = photograph(pose), photograph(poses.mirror(pose))
    shown = plain.any(-1) | mirrored[:, ::-1].any(-1)
    assert shown.sum() > 500
    # Borders of colours and shadows may be one pixel apart.
    difference = np.abs(plain - mirrored[:, ::-1]).max(-1)[shown]
    assert np.median(difference) < 1
    assert difference.mean() < 2
    assert np.abs(plain - mirrored).max(-1)[shown].mean() > 5


def test_outside_of_the_whole_image_is_black():
    person = samples.sample_person(np.random.default_rng(5), CONFIG, 'train')
    crop_size = (CONFIG.width, CONFIG.height)
    image = picture(person, crops.box_affine(np.array([0.0, 500.0]), 400.0, crop_size))
    assert (image[:, : crop_size[0] // 2 - 1] == 0).all()
    assert image[:, crop_size[0] // 2 + 2 :].mean() > 20


@pytest.mark.parametrize('middle', [(500.0, -400.0), (500.0, 1400.0)])
def test_a_crop_of_the_wall_or_the_floor_alone_can_be_drawn(middle):
    person = samples.sample_person(np.random.default_rng(5), CONFIG, 'train')
    crop_size = (192, 256)
    affine = crops.box_affine(np.array(middle), 100.0, crop_size)
    assert (picture(person, affine, crop_size) == 0).all()
