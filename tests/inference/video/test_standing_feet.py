"""Feet that stand do not slide, the floor lies under them, and bones keep their lengths."""

import dataclasses

import numpy as np
import pytest

from capf_jax.inference import tracks
from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video import (
    constant_bones,
    floor,
    planted_feet,
    standing_feet,
    video_tracks,
)
from capf_jax.inference.video.smoothing import Smoothing, stretches
from capf_jax.inference.video.video_tracks import Finish
from capf_jax.pose import cameras, skeletons
from tests.inference.video import walking_people

SKELETON = skeletons.H36M17
FPS = 25.0


def tracks_of(joints, flat=None):
    """Tracks of joints [P, T, 17, 3] in the camera frame, whose 2D joints are those of `flat`."""
    joints2d = cameras.project(joints if flat is None else flat, walking_people.CAMERA.intrinsics)
    first, last = joints2d.min(axis=2), joints2d.max(axis=2)
    number, length = joints.shape[:2]
    return Tracks(
        fps=FPS, times=np.arange(length) / FPS, frames=np.arange(length), ids=np.arange(number),
        joints3d=joints, joints2d=joints2d, confidence=np.full((number, length, 17), 0.9),
        root=joints[:, :, 0], valid=np.ones((number, length), bool),
        boxes=np.concatenate([first, last - first], axis=-1), skeleton='h36m17',
        camera=walking_people.CAMERA, camera_assumed=False, camera_origin='test',
        image_size=walking_people.SIZE, source='walk.mp4',
    )  # fmt: skip


@pytest.fixture(scope='module')
def walk():
    """Someone who walks past the camera, four seconds, true joints [1, T, 17, 3]."""
    times = np.arange(100) / FPS
    return walking_people.walk(times, (-2, 5), (2, 5))[None]


@pytest.fixture(scope='module')
def truly_stands(walk):
    """Whether each foot truly stands, [T, 2]."""
    feet = walk[0][:, list(standing_feet.ankles('h36m17'))]
    return np.linalg.norm(np.gradient(feet, 1 / FPS, axis=0), axis=-1) < 0.05


@pytest.fixture(scope='module')
def sliding(walk):
    """Tracks of a person who sways by ten centimetres and swims in depth."""
    times = np.arange(walk.shape[1]) / FPS
    sway = np.stack(
        [0.05 * np.sin(5 * times), 0.01 * np.sin(4 * times), 0.1 * np.sin(3 * times)], axis=-1
    )
    return tracks_of(walk + sway[:, None], walk)


def speeds(one, stands):
    """Speeds, mm/s, of feet that truly stand."""
    feet = one.joints3d[0][:, list(standing_feet.ankles('h36m17'))]
    moved = 1000 * np.linalg.norm(np.diff(feet, axis=0), axis=-1) * FPS
    return moved[stands[1:] & stands[:-1]]


def test_standing_is_told_from_the_image(walk, truly_stands):
    stands = standing_feet.standing(tracks_of(walk))[0]
    assert (stands == truly_stands).mean() > 0.85
    assert stands[truly_stands].mean() > 0.9


def test_short_steps_are_seen_before_smoothing():
    # At 2.2 m/s and 15 frames a second a foot stands for six frames, which smoothing blurs.
    times = np.arange(45) / 15
    joints = walking_people.walk(times, (-3.3, 5), (3.3, 5))[None]
    sharp = dataclasses.replace(tracks_of(joints), times=times, fps=15.0)
    blurred = video_tracks.smooth(sharp, Smoothing())
    feet = joints[0][:, list(standing_feet.ankles('h36m17'))]
    truly = np.linalg.norm(np.gradient(feet, 1 / 15, axis=0), axis=-1) < 0.05
    alone, both = (standing_feet.standing(blurred, one)[0] for one in (None, sharp))
    assert both[truly].mean() > 0.9 > 0.7 > alone[truly].mean()


def test_a_jump_of_the_joint_ends_no_rest(walk):
    """One wrong frame of a detector, 30 cm aside, in the longest rest of the left foot."""
    seen = standing_feet.standing(tracks_of(walk))[0, :, 0]
    rest = max(stretches(seen), key=lambda one: one.stop - one.start)
    jump = (rest.start + rest.stop) // 2
    flat = np.array(walk)
    flat[0, jump, standing_feet.ankles('h36m17')[0], 0] += 0.3
    assert standing_feet.standing(tracks_of(walk, flat))[0, rest, 0].all()


def test_standing_feet_do_not_slide(sliding, truly_stands):
    assert speeds(sliding, truly_stands).mean() > 150
    still = planted_feet.without_sliding(sliding, standing_feet.standing(sliding))
    assert speeds(still, truly_stands).mean() < 15


def test_still_feet_change_no_length_and_move_nobody_far(sliding):
    still = planted_feet.without_sliding(sliding, standing_feet.standing(sliding))
    parents = list(SKELETON.parents)
    before, after = (
        np.linalg.norm(one.joints3d - one.joints3d[:, :, parents], axis=-1)
        for one in (sliding, still)
    )
    np.testing.assert_allclose(after, before, atol=0.005)
    assert np.abs(still.joints3d - sliding.joints3d).max() < 0.4
    np.testing.assert_allclose(still.root, still.joints3d[:, :, 0], atol=1e-9)


def test_no_foot_jumps(sliding):
    still = planted_feet.without_sliding(sliding, standing_feet.standing(sliding))
    feet = still.joints3d[0][:, list(standing_feet.ankles('h36m17'))]
    assert np.linalg.norm(np.diff(feet, axis=0), axis=-1).max() < 0.25


def test_nobody_stands_where_nobody_is(walk):
    nobody = tracks_of(walk).select([])
    assert standing_feet.standing(nobody).shape == (0, 100, 2)


def test_a_video_of_nobody_is_along_the_axes_that_the_user_says(walk):
    up = -cameras.upright_rotation(15, 5)[1]
    world = video_tracks.in_world(tracks_of(walk).select([]), Finish(axes='z_up', up=up))
    np.testing.assert_allclose(world.camera.rotation @ [0, 0, 1], up, atol=1e-12)


@pytest.mark.parametrize(('pitch', 'tilt'), [(0, 0), (15, 0), (20, -12)])
def test_the_floor_lies_under_the_feet(pitch, tilt):
    # Three people stand on a floor that the camera sees from 1.5 m, looking down and tilted.
    turn = cameras.upright_rotation(pitch, tilt).T
    times = np.arange(100) / FPS
    joints = np.stack([
        walking_people.walk(times, (-2, 6), (2, 4.5)), walking_people.walk(times, (2, 9), (-2, 9)),
        walking_people.walk(times, (0, 5), (1, 10)),
    ]) @ turn.T  # fmt: skip
    people = tracks_of(joints)
    plane = floor.find(people, standing_feet.standing(people))
    up = turn @ [0, -1, 0]
    assert np.degrees(np.arccos(plane.up @ up)) < 2
    assert plane.height == pytest.approx(1.5, abs=0.1)


@pytest.mark.parametrize(('axes', 'vertical'), [('y_up', 1), ('z_up', 2)])
def test_upright_axes_have_the_floor_at_zero(walk, axes, vertical):
    people = tracks_of(walk)
    plane = floor.find(people, standing_feet.standing(people), np.array([0.0, -1.0, 0.0]))
    world = floor.above(people, axes, plane)
    feet = world.joints3d[..., list(standing_feet.ankles('h36m17')), vertical]
    assert feet.min() == pytest.approx(floor.ANKLE_HEIGHT, abs=0.02)
    assert world.camera.position[vertical] == pytest.approx(1.5, abs=0.05)
    head = world.joints3d[..., SKELETON.index('head'), vertical]
    assert head.mean() == pytest.approx(walking_people.HIP_HEIGHT + 0.72, abs=0.05)
    np.testing.assert_allclose(world.joints3d_camera, people.joints3d, atol=1e-9)


def test_a_lying_person_does_not_turn_the_floor(walk):
    lying = np.array(walk)
    offset = lying - lying[:, :, :1]
    lying = lying[:, :, :1] + offset[..., [1, 0, 2]] + [0, 0.8, 2]
    people = tracks_of(np.concatenate([walk, lying]))
    plane = floor.find(people, standing_feet.standing(people))
    assert np.degrees(np.arccos(-plane.up[1])) < 6


def test_there_is_no_floor_without_people(walk):
    assert floor.find(tracks_of(walk).select([]), np.zeros((0, 100, 2), bool)) is None


def test_bones_keep_one_length():
    random = np.random.default_rng(0)
    pose = walking_people.STANDING + random.normal(0, 0.02, (50, 17, 3))
    pose -= pose[:, :1]
    lengths = constant_bones.bone_lengths(pose, np.ones(50, bool), SKELETON)
    fixed = constant_bones.with_bone_lengths(pose, lengths, SKELETON)
    bones = np.linalg.norm(fixed - fixed[:, list(SKELETON.parents)], axis=-1)
    np.testing.assert_allclose(bones, np.tile(lengths, (50, 1)), atol=1e-12)
    np.testing.assert_allclose(lengths, lengths[list(SKELETON.flip)])
    np.testing.assert_array_equal(fixed[:, 0], pose[:, 0])
    assert np.linalg.norm(fixed - pose, axis=-1).mean() < 0.08


def test_a_gap_ends_a_stand(walk):
    people = tracks_of(walk)
    valid = people.valid.copy()
    valid[0, 40:50] = False
    stands = standing_feet.standing(dataclasses.replace(people, valid=valid))
    assert not stands[0, 40:50].any()
    assert isinstance(people, tracks.Tracks)
