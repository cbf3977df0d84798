"""The figure of a photograph shows every person where it is, upright, and what is not sure."""

import warnings

import matplotlib.colors
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image

from capf_jax.figures import photograph, pose_views, sure_joints
from capf_jax.figures.arrangement import EDGE, WIDTH, arrange
from capf_jax.figures.drawing import COLOURS
from capf_jax.figures.photograph import DPI, MOST, PersonInPhotograph, photograph_figure
from capf_jax.pose.skeletons import COCO17, H36M17

LEFT_WRIST = COCO17.index('left_wrist')


def person(number=0, *, pose=True, confidence=0.9, **changes):
    random = np.random.default_rng(number)
    fields = {
        'number': number,
        'box': np.array([50.0 + 5 * number, 40.0, 100.0, 150.0]),
        'joints2d': random.uniform([50, 40], [150, 190], (17, 2)),
        'confidence': np.full(17, confidence),
        'pose': random.uniform([-0.5, -0.9, -0.5], [0.5, 0.9, 0.5], (17, 3)) if pose else None,
        'title': '3.0 m away',
    }
    return PersonInPhotograph(**(fields | changes))


def figure_of(*people, size=(320, 240), caption=''):
    image = np.zeros((*size[::-1], 3), np.uint8)
    return photograph_figure(image, people, COCO17, H36M17, caption)


def strokes(axes):
    """The lines of all collections of the axes."""
    collections = [artist for artist in axes.collections if isinstance(artist, LineCollection)]
    return [segment for collection in collections for segment in collection.get_segments()]


def texts(figure):
    return ' '.join(
        text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, 'get_text'))
    )


def test_the_camera_is_at_the_left_of_the_view_from_the_side():
    toward_camera, away = np.array([[0.0, 0, -1]]), np.array([[0.0, 0, 1]])
    left, right = (pose_views.project(point, 90, 0)[0][0] for point in (toward_camera, away))
    np.testing.assert_allclose([left, right], [[-1, 0], [1, 0]], atol=1e-12)


def test_the_view_of_the_camera_is_its_frame():
    points = np.random.default_rng(0).normal(size=(5, 3))
    plane, near = pose_views.project(points, 0, 0)
    np.testing.assert_allclose(plane, points[:, :2], atol=1e-12)
    np.testing.assert_allclose(near, -points[:, 2])


def test_from_above_the_far_end_of_the_floor_is_higher():
    plane, _ = pose_views.project(np.array([[0.0, 0, 1]]), 0, 20)
    assert plane[0, 1] < 0  # y points down


def test_views_keep_lengths_and_directions_apart():
    # The three directions of a view are perpendicular and of length 1.
    plane, near = pose_views.project(np.eye(3), 30, 12)
    directions = np.column_stack([plane, near])
    np.testing.assert_allclose(directions @ directions.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize('number', [1, 5])
@pytest.mark.parametrize('size', [(320, 240), (4000, 100), (60, 3000)])
def test_every_person_gets_two_views(number, size):
    figure = figure_of(*map(person, range(number)), size=size)
    assert len(figure.axes) == 1 + 2 * number


def test_of_many_people_the_largest_are_drawn_in_3d():
    small = person(MOST, box=np.array([0.0, 0.0, 5.0, 5.0]))
    figure = figure_of(*map(person, range(MOST)), small)
    assert len(figure.axes) == 1 + 2 * MOST
    assert f'{MOST} largest of {MOST + 1} people' in texts(figure)


@pytest.mark.parametrize('number', [1, 3, 7, MOST])
@pytest.mark.parametrize('aspect', [0.1, 9 / 16, 1, 3 / 2, 8])
def test_no_two_parts_lie_on_each_other(number, aspect):
    place = arrange(aspect, number, np.array([1.2, 1.9]))
    left, top, width, height = place.photograph
    boxes = [(left, top, left + width, top + height)]
    for x, y in place.corners(number):
        across, down = (1, 2) if place.is_stacked else (2, 1)
        right = x + EDGE + across * place.view[0]
        boxes.append((x, y, right, y + down * place.view[1]))
    for n, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0
        assert right <= WIDTH + 1e-9
        assert bottom <= place.height + 1e-9
        for other in boxes[n + 1 :]:
            apart = max(left - other[2], other[0] - right, top - other[3], other[1] - bottom)
            assert apart > -1e-9


def test_axes_of_views_are_equal_and_of_one_scale():
    figure = figure_of(person(0), person(1))
    inches = [
        share * total / np.ptp(limits)
        for axes in figure.axes[1:]
        for share, total, limits in (
            (axes.get_position().width, figure.get_figwidth(), axes.get_xlim()),
            (axes.get_position().height, figure.get_figheight(), axes.get_ylim()),
        )
    ]
    np.testing.assert_allclose(inches, inches[0])


def test_no_joint_is_cut_off():
    one = person()
    for axes, turn in zip(figure_of(one).axes[1:], pose_views.VIEWS, strict=True):
        joints, _ = pose_views.project(one.pose, *turn)
        low = [min(axes.get_xlim()), min(axes.get_ylim())]
        high = [max(axes.get_xlim()), max(axes.get_ylim())]
        assert np.all((joints > low) & (joints < high))


def test_2d_joints_are_drawn_in_pixels_of_a_photograph_of_any_size():
    one = person()
    axes = figure_of(one, size=(6000, 4000)).axes[0]
    points = np.concatenate(strokes(axes))
    distances = np.linalg.norm(points[:, None] - one.joints2d, axis=-1)
    np.testing.assert_allclose(distances.min(axis=0), 0, atol=1e-3)
    assert axes.get_xlim() == (-0.5, 5999.5)
    assert axes.images[0].get_array().shape[1] <= DPI * WIDTH  # it has been made smaller


def test_joints_that_are_no_numbers_are_left_out():
    joints = person().joints2d.copy()
    joints[LEFT_WRIST] = np.nan
    fewer = strokes(figure_of(person(joints2d=joints)).axes[0])
    assert np.isfinite(fewer).all()
    # A joint has two strokes, and so has its bone.
    assert len(strokes(figure_of(person()).axes[0])) - len(fewer) == 4


def test_left_and_right_have_their_colours():
    (collection,) = figure_of(person()).axes[0].collections
    colours = {matplotlib.colors.to_hex(colour) for colour in collection.get_colors()}
    assert {COLOURS['left'].lower(), COLOURS['right'].lower()} <= colours


def test_bones_of_unsure_joints_are_dashed():
    def dashed(confidence):
        (collection,) = figure_of(person(confidence=confidence)).axes[0].collections
        return sum(bool(dashes) for _, dashes in collection.get_linestyles())

    assert dashed(np.full(17, 0.9)) == 0
    unsure = np.full(17, 0.9)
    unsure[LEFT_WRIST] = 0.1
    assert dashed(unsure) == 1


@pytest.mark.parametrize(
    ('unsure', 'expected'),
    [
        (['left_wrist'], {'left_wrist'}),
        (['left_hip'], {'left_hip'}),  # The pelvis has the other hip.
        (['left_hip', 'right_hip'], {'left_hip', 'right_hip', 'pelvis'}),
        (['nose'], {'nose', 'head'}),  # The head hangs on the nose alone.
    ],
)
def test_joints_that_only_the_pose_has_are_as_sure_as_their_neighbours(unsure, expected):
    confidence = np.ones(17)
    confidence[[COCO17.index(name) for name in unsure]] = 0.1
    sure = sure_joints.as_sure(H36M17, COCO17, confidence)
    assert {H36M17.joints[j] for j in np.flatnonzero(~sure)} == expected


def test_people_have_numbers_and_hues_of_their_own():
    figure = figure_of(person(0), person(1))
    numbers = [text for text in figure.axes[0].texts if text.get_text() in '01']
    hues = [text.get_bbox_patch().get_facecolor() for text in numbers]
    assert len(hues) == 2
    assert hues[0] != hues[1]


def test_a_person_without_a_pose_has_a_dotted_box_and_no_views():
    figure = figure_of(person(0), person(1, pose=False))
    assert len(figure.axes) == 3
    styles = [patch.get_linestyle() for patch in figure.axes[0].patches]
    assert sorted(styles) == ['-', ':']


def test_nobody_is_said():
    assert 'Nobody was seen.' in texts(figure_of())


@pytest.mark.parametrize('size', [(1, 1), (7, 3), (3000, 2)])
def test_tiny_photographs_are_drawn(tmp_path, size):
    path = photograph.save(figure_of(person(), size=size), tmp_path / 'tiny.png')
    with Image.open(path) as image:
        assert image.width == DPI * WIDTH


@pytest.mark.parametrize('ending', ['jpg', 'png'])
def test_names_of_files_may_hold_any_letter(tmp_path, ending):
    figure = figure_of(person(), caption='照片 $a_b$ \\frac.jpg')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        photograph.save(figure, tmp_path / f'picture.{ending}')
    assert [file.name for file in tmp_path.iterdir()] == [f'picture.{ending}']
