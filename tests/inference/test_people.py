"""`People`: arrays that agree, and 3D coordinates along the axes that they say."""

import dataclasses

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import people as people_module
from capf_jax.inference.people import AXES
from tests.inference.people_samples import CAMERA, people


def test_joints_are_the_pose_at_the_root():
    two = people(2)
    np.testing.assert_allclose(two.joints3d[1, 5], two.pose[1, 5] + two.root[1])


def test_nobody_is_possible():
    nobody = people_module.empty(
        joints2d_skeleton='coco17', skeleton='h36m17', camera=CAMERA, camera_assumed=True,
        camera_origin='assumed', image_size=(640, 480), source='empty.jpg',
    )  # fmt: skip
    assert len(nobody) == 0
    assert nobody.joints3d.shape == (0, 17, 3)
    assert nobody.joints2d.shape == (0, 17, 2)


def test_a_wrong_shape_is_told_with_the_right_one():
    with pytest.raises(UserError, match=r'confidence .* \[2, 16\]; it must be numbers \[2, 17\]'):
        people(confidence=np.zeros((2, 16)))


def test_a_valid_person_has_numbers_everywhere():
    with pytest.raises(UserError, match=r'root of a valid person .* holds NaN'):
        people(root=np.full((2, 3), np.nan))


def test_a_person_without_a_pose_may_have_none():
    nan = np.full((2, 3), np.nan)
    assert not people(root=nan, valid=np.zeros(2, bool)).valid.any()


@pytest.mark.parametrize(('field', 'nearest'), [('skeleton', 'h36m17'), ('axes', 'y_up')])
def test_unknown_words_name_the_nearest(field, nearest):
    with pytest.raises(UserError, match=nearest):
        people(**{field: nearest + '_'})


@pytest.mark.parametrize('chosen', [[1], np.array([False, True])])
def test_some_people_are_chosen(chosen):
    two = people(2)
    one = two.select(chosen)
    assert one.ids.tolist() == [1]
    np.testing.assert_array_equal(one.pose[0], two.pose[1])


def test_none_may_be_chosen():
    assert len(people(2).select([])) == 0


@pytest.mark.parametrize(
    ('axes', 'up', 'away'), [('y_up', (0, 1, 0), (0, 0, -1)), ('z_up', (0, 0, 1), (0, 1, 0))]
)
def test_axes_point_where_their_names_say(axes, up, away):
    # The root stands 2 m above and 5 m away from the camera, in whose frame y points down.
    one = people(1, root=[[1.0, -2.0, 5.0]]).along(axes)
    expected = np.array([1.0, 0, 0]) + 2 * np.array(up) + 5 * np.array(away)
    np.testing.assert_allclose(one.root[0], expected, atol=1e-12)


def test_a_tilted_camera_is_set_upright():
    # The camera looks 30 degrees down, so that a point on its optical axis lies below the horizon.
    angle = np.radians(30)
    upright = np.array(
        [[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]]
    )
    one = people(1, root=[[0.0, 0.0, 2.0]]).along('y_up', upright)
    np.testing.assert_allclose(one.root[0], [0, -1, -np.sqrt(3)], atol=1e-12)


@pytest.mark.parametrize('axes', AXES)
def test_other_axes_keep_the_place_in_the_camera_frame(axes):
    two = people(2)
    turned = two.along('z_up').along(axes)
    np.testing.assert_allclose(turned.joints3d_camera, two.joints3d, atol=1e-12)


def test_other_axes_need_the_rotation_of_the_camera():
    with pytest.raises(UserError, match='no rotation'):
        dataclasses.replace(people(), axes='y_up')
