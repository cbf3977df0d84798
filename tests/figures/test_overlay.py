"""People on their image: sides and people by colour, what is not sure hollow, nothing outside."""

import numpy as np
import pytest
from matplotlib import colors

from capf_jax.figures import overlay
from capf_jax.figures.drawing import COLOURS, hue
from capf_jax.pose.skeletons import H36M17
from tests.inference.tracks_samples import STANDING

IMAGE = np.full((400, 300, 3), 128, np.uint8)
JOINTS = 150 + 170 * STANDING[:, :2]
BOX = np.array([100.0, 20, 100, 300])


def rgb(colour):
    return np.rint(255 * np.array(colors.to_rgb(colour))).astype(int)


def drawn(joints=JOINTS, sure=None, number=0, box=BOX, **changes):
    sure = np.ones(17, bool) if sure is None else sure
    return overlay.draw(
        IMAGE, [overlay.PersonInImage(number, box, joints, sure, **changes)], H36M17
    )


def at(image, place):
    x, y = np.rint(place).astype(int)
    return image[y, x].astype(int)


def middle(image, *names):
    """The colours along the bone between two joints."""
    start, end = (JOINTS[H36M17.index(name)] for name in names)
    return np.stack([at(image, start + share * (end - start)) for share in np.linspace(0.35, 0.65)])


@pytest.mark.parametrize('side', ['left', 'right'])
def test_a_sure_limb_has_the_colour_of_its_side(side):
    image = drawn()
    assert (middle(image, f'{side}_hip', f'{side}_knee') == rgb(COLOURS[side])).all()
    knee = JOINTS[H36M17.index(f'{side}_knee')]
    np.testing.assert_array_equal(at(image, knee), rgb(COLOURS[side]))


def test_an_unsure_joint_is_hollow_and_its_bones_are_dashed():
    sure = np.ones(17, bool)
    sure[H36M17.index('left_knee')] = False
    image = drawn(sure=sure)
    np.testing.assert_array_equal(at(image, JOINTS[H36M17.index('left_knee')]), 255)
    along = middle(image, 'left_hip', 'left_knee')
    is_blue = (along == rgb(COLOURS['left'])).all(axis=1)
    assert is_blue.any()
    assert (along[~is_blue] == 255).all(axis=1).any()


@pytest.mark.parametrize('height', [60, 300, 1000])
def test_a_sure_joint_is_solid_and_an_unsure_one_hollow_at_every_size(height):
    knee, box = JOINTS[H36M17.index('left_knee')], np.array([0.0, 0, 10, height])
    sure = np.ones(17, bool)
    solid = drawn(box=box)
    sure[H36M17.index('left_knee')] = False
    hollow = drawn(box=box, sure=sure)
    # From the joint along its bone, and straight aside until the image itself shows.
    up = JOINTS[H36M17.index('left_hip')] - knee
    steps = np.arange(15) * (1.0 if height == 1000 else 0.3)
    along = [at(solid, knee + step * up / np.linalg.norm(up)) for step in steps]
    assert (along == rgb(COLOURS['left'])).all()
    places = [knee + np.array([step, 0]) for step in np.arange(1.5 * len(steps))]
    aside = np.stack([at(hollow, place) for place in places])
    is_white = (aside > 250).all(axis=1)
    is_blue = aside[:, 2] - aside[:, 0] > 100
    assert is_white[0]
    assert is_blue[np.argmin(is_white) :][:3].any()


@pytest.mark.parametrize('number', [0, 1])
def test_people_have_boxes_of_their_own_hue(number):
    side = drawn(number=number)[60:300, 100].astype(int)
    assert (side == rgb(hue(number))).all()


def test_the_image_itself_is_not_drawn_on():
    drawn()
    assert (IMAGE == 128).all()


def test_what_is_not_finite_or_far_outside_is_left_out():
    joints = JOINTS.copy()
    joints[H36M17.index('left_ankle')] = np.nan
    joints[H36M17.index('right_ankle')] = 1e12
    image = drawn(joints, box=np.array([-1e9, -50, 3e9, 200]))
    assert image.shape == IMAGE.shape
    assert (middle(image, 'left_hip', 'left_knee') == rgb(COLOURS['left'])).all()


def test_a_person_without_a_pose_has_a_dotted_box():
    def share(**changes):
        column = drawn(**changes)[60:300, 100].astype(int)
        return (column == rgb(hue(0))).all(axis=1).mean()

    assert share() == 1
    assert 0.2 < share(has_pose=False) < 0.8


def test_nobody_leaves_the_image_as_it_is():
    np.testing.assert_array_equal(overlay.draw(IMAGE, [], H36M17), IMAGE)
