"""Good people have nothing wrong, and each kind of wrong label is in the finding about it."""

import dataclasses

import numpy as np
import pytest

from capf_jax.pose import crops
from capf_jax.pose.skeletons import COCO17, H36M17, MPI_INF_3DHP17
from data_pipeline.checks import anatomy, contact_sheet, dataset, findings, pixels
from data_pipeline.checks.people import People
from tests.data_pipeline.datasets.mpi_inf_3dhp import raw_tree

CAMERA = np.array([1500.0, 1500, 1024, 1024])
COUNT = 80


@pytest.fixture(scope='module')
def good():
    joints3d = raw_tree.poses(COUNT)
    joints2d = raw_tree.project(joints3d, CAMERA)
    affine = np.array(
        [crops.box_affine(*crops.root_box(pose[14], CAMERA), (48, 64)) for pose in joints3d]
    )
    noise = np.random.default_rng(0).normal(0, 4, joints2d.shape)
    labels = {name: ['S1'] * COUNT for name in ('subject', 'action', 'sequence', 'camera')}
    return People(
        images=np.full((COUNT, 64, 48, 3), 90, np.uint8),
        joints2d_detected=joints2d + noise,
        joints2d_truth=joints2d,
        confidence=np.ones((COUNT, 17)),
        joints3d=joints3d / 1000,
        intrinsics=np.tile(CAMERA, (COUNT, 1)),
        affine=affine,
        labels=labels | {'frame': list(range(COUNT))},
    )


def wrong(people, skeleton=MPI_INF_3DHP17, **options):
    """The names of the findings that are wrong."""
    judgements = dataset.judge(people, skeleton, **options)
    return [finding.what for finding in judgements if finding.verdict == findings.WRONG]


def changed(people, **arrays):
    return dataclasses.replace(people, **arrays)


def test_good_people_have_nothing_wrong(good):
    assert wrong(good) == []


def test_a_joint_that_is_no_number(good):
    joints3d = good.joints3d.copy()
    joints3d[3, 5, 0] = np.nan
    assert wrong(changed(good, joints3d=joints3d)) == ['numbers']


def test_millimetres(good):
    assert 'unit' in wrong(changed(good, joints3d=1000 * good.joints3d))


def test_joints_relative_to_the_root(good):
    assert 'unit' in wrong(changed(good, joints3d=good.joints3d - good.joints3d[:, 14:15]))


def test_one_odd_bone_among_many_is_only_noted(good):
    many = np.tile(good.joints3d, (3, 1, 1))
    many[0, 9] += 1
    judgements = {finding.what: finding for finding in anatomy.judge(many, MPI_INF_3DHP17)}
    assert judgements['bone lengths'].verdict == findings.NOTE
    assert 'right_hip to right_knee is' in judgements['bone lengths'].says


def test_two_joints_exchanged(good):
    order = list(range(17))
    order[9], order[10] = 10, 9  # These are the right knee and ankle.
    names = wrong(changed(good, joints3d=good.joints3d[:, order]))
    assert 'bone lengths' in names
    assert 'reprojection' in names


def test_another_joint_set(good):
    assert 'bone lengths' in wrong(good, H36M17)


def test_left_and_right_exchanged(good):
    flip = list(MPI_INF_3DHP17.flip)
    names = wrong(
        changed(
            good,
            joints3d=good.joints3d[:, flip],
            joints2d_truth=good.joints2d_truth[:, flip],
            joints2d_detected=good.joints2d_detected[:, flip],
        )
    )
    assert names == ['front and back']


def test_legs_exchanged(good):
    order = list(range(17))
    order[8:11], order[11:14] = range(11, 14), range(8, 11)
    names = wrong(changed(good, joints3d=good.joints3d[:, order]))
    assert 'hips and shoulders' in names


def test_detections_with_sides_exchanged(good):
    flipped = good.joints2d_detected[:, list(MPI_INF_3DHP17.flip)]
    assert wrong(changed(good, joints2d_detected=flipped)) == ['sides of detections']


def test_detections_of_other_people(good):
    elsewhere = good.joints2d_detected + 900
    assert 'detected 2D joints' in wrong(changed(good, joints2d_detected=elsewhere))


def test_a_wrong_camera(good):
    assert wrong(changed(good, intrinsics=good.intrinsics * [1.2, 1.2, 1, 1])) == ['reprojection']


def test_crops_beside_the_people(good):
    assert wrong(changed(good, affine=good.affine + np.array([[0, 0, 60], [0, 0, 0]]))) == ['crops']


def test_black_pictures(good):
    assert wrong(changed(good, images=0 * good.images)) == ['pictures']


def test_scaled_people_fit_once_they_are_moved(good):
    root = good.joints3d[:, 14:15]
    scaled = changed(good, joints3d=root + 0.9 * (good.joints3d - root))
    assert wrong(scaled, scaled='univ_annot3') == []
    placed = pixels.place(scaled.joints3d, good.joints2d_truth, good.intrinsics)
    np.testing.assert_allclose(placed, 0.9 * good.joints3d, atol=1e-6)
    mixed = changed(scaled, joints2d_truth=np.roll(good.joints2d_truth, 1, axis=0))
    assert 'reprojection' in wrong(mixed, scaled='univ_annot3')


def test_people_without_cameras_are_not_reprojected(good):
    first = next(pixels.judge(changed(good, intrinsics=0 * good.intrinsics), MPI_INF_3DHP17))
    assert (first.verdict, first.what) == (findings.NOTE, 'reprojection')


def test_a_joint_set_whose_limbs_hang_elsewhere():
    """In COCO, the parents of the shoulders are the ears, and those of the hips the shoulders."""
    pose = raw_tree.poses(COUNT)[:, [16, 16, 16, 16, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]]
    head = np.array([[0, 0, 0], [30, -30, 0], [-30, -30, 0], [70, 0, 60], [-70, 0, 60]])
    pose = pose.copy()
    pose[:, :5] += head
    judgements = anatomy.judge(pose / 1000, COCO17)
    assert [finding.what for finding in judgements if finding.verdict == findings.WRONG] == []


def test_a_page_shows_as_many_crops_as_it_holds(good):
    page = contact_sheet.figure(good, MPI_INF_3DHP17, 'title')
    assert sum(bool(axes.images) for axes in page.axes) == 24
    few = contact_sheet.figure(good.take(np.arange(7)), MPI_INF_3DHP17, 'title')
    assert sum(bool(axes.images) for axes in few.axes) == 7


@pytest.mark.parametrize(
    ('subject', 'sequence', 'line'),
    [
        ('S9', 'act_02_subact_01', 'S9 act_02_subact_01'),
        ('S1', 'S1_Seq2', 'S1_Seq2'),
        ('anna', '', 'anna'),
        ('', 'walk', 'walk'),
    ],
)
def test_a_caption_names_the_subject_once(subject, sequence, line):
    labels = {'subject': subject, 'sequence': sequence, 'camera': '', 'frame': 3, 'action': ''}
    assert contact_sheet.caption(labels).splitlines() == [line, 'frame 3']
