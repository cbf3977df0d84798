"""Pictures of people and their poses show the joints where they are."""

import numpy as np
import pytest
from PIL import Image

from capf_jax.figures import curves, drawing, people, sampling_points
from capf_jax.pose.skeletons import COCO17, H36M17

TITLES = {'mpjpe': 'MPJPE', 'pa_mpjpe': 'PA-MPJPE'}


def person(seed=0, title='Walking'):
    random = np.random.default_rng(seed)
    pose = random.normal(size=(17, 3)) * 0.3
    image = random.integers(0, 256, (64, 48, 3), dtype=np.uint8)
    return people.Person(image, random.uniform(0, 48, (17, 2)), pose, pose + 0.03, title)


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, 'get_text'))]


def test_the_title_is_the_mpjpe_in_millimetres():
    one = person()
    expected = 30 * np.sqrt(3)
    assert one.mpjpe_mm == pytest.approx(expected)
    assert f'MPJPE {expected:.1f} mm' in texts(people.people_figure([one], H36M17))


def test_representative_people_are_neither_best_nor_worst():
    errors = np.random.default_rng(0).permutation(100).astype(float)
    chosen, percentiles = people.representative(errors, 4)
    np.testing.assert_array_equal(errors[chosen], [12, 37, 62, 87])
    np.testing.assert_array_equal(percentiles, [12.5, 37.5, 62.5, 87.5])


def test_no_more_people_are_chosen_than_there_are():
    chosen, _ = people.representative(np.array([2.0, 1.0]), 4)
    np.testing.assert_array_equal(chosen, [1, 0])


@pytest.mark.parametrize(
    ('numbers', 'words'),
    [([50], '50th'), ([25, 75], '25th and 75th'), ([10, 50, 90], '10th, 50th and 90th')],
)
def test_ordinals_read_as_words(numbers, words):
    assert people.ordinals(numbers) == words


def test_sides_come_from_the_joint_names():
    assert [drawing.side_of(COCO17, j) for j in (0, 1, 2)] == ['centre', 'left', 'right']


def test_colours_differ_in_lightness_too():
    # so that left and right can be told apart in print without colour
    def lightness(side):
        red, green, blue = drawing.colors.to_rgb(drawing.COLOURS[side])
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    values = sorted(map(lightness, ('left', 'right', 'centre')))
    assert min(np.diff(values)) > 0.02


@pytest.mark.parametrize('number', [1, 3, 4])
def test_every_person_gets_a_crop_and_two_views(number):
    figure = people.people_figure([person(i) for i in range(number)], H36M17)
    assert len(figure.axes) == 3 * number


def test_both_views_of_all_people_have_one_scale():
    tall = person(1)
    figure = people.people_figure([person(0), tall], H36M17)
    views = [axes for axes in figure.axes if not axes.images]
    inches = [
        axes.get_position().width * figure.get_figwidth() / np.ptp(axes.get_xlim())
        for axes in views
    ] + [
        axes.get_position().height * figure.get_figheight() / np.ptp(axes.get_ylim())
        for axes in views
    ]
    np.testing.assert_allclose(inches, inches[0])


def test_the_scale_bar_has_the_views_scale():
    figure = people.people_figure([person()], H36M17)
    figure.draw_without_rendering()
    legend, view = figure.legends[0], figure.axes[1]
    bar = legend.legend_handles[-1]
    assert bar.get_label() == '0.5 m'
    pixels = np.ptp(bar.get_transform().transform(bar.get_xydata())[:, 0])
    metre = np.ptp(view.transData.transform([(0, 0), (1, 0)])[:, 0])
    assert pixels == pytest.approx(metre / 2)


@pytest.mark.parametrize('number', [1, 4])
def test_scale_bar_and_legend_lie_on_nobody(number):
    figure = people.people_figure([person(i) for i in range(number)], H36M17)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][-1] == '0.5 m'
    drawn = [axes.get_tightbbox() for axes in figure.axes]  # with the names below
    assert legend.get_window_extent().count_overlaps(drawn) == 0


def test_no_joint_is_cut_off():
    several = [person(i) for i in range(4)]
    figure = people.people_figure(several, H36M17)
    views = [axes for axes in figure.axes if not axes.images]
    for i, one in enumerate(several):
        for axes, plane in zip(views[2 * i : 2 * i + 2], ([0, 1], [2, 1]), strict=True):
            low = [min(axes.get_xlim()), min(axes.get_ylim())]
            high = [max(axes.get_xlim()), max(axes.get_ylim())]
            both = np.concatenate([one.target, one.prediction])[:, plane]
            assert np.all(both >= low)
            assert np.all(both <= high)


def test_the_picture_of_people_is_written(tmp_path):
    figure = people.people_figure([person()], H36M17, 'caption')
    path = drawing.save(figure, tmp_path / 'new' / 'people.png')
    with Image.open(path) as image:
        assert image.width == pytest.approx(drawing.DPI * drawing.PAGE_WIDTH / 2, abs=2)
    assert [file.name for file in path.parent.iterdir()] == ['people.png']


def test_sampling_points_get_one_panel_a_level(tmp_path):
    points = np.zeros((3, 17, 4, 2, 2))
    weights = np.full((3, 17, 4, 2), 0.5)
    one = person()
    figure = sampling_points.sampling_figure(one.image, one.joints2d_crop, points, weights, H36M17)
    drawing.save(figure, tmp_path / 'points.png')
    assert len(figure.axes) == 3


def test_a_sampling_point_at_the_joint_is_drawn_there():
    one = person()
    points = np.broadcast_to(
        (one.joints2d_crop / [24, 32] - 1)[None, :, None, None], (1, 17, 1, 1, 2)
    )
    figure = sampling_points.sampling_figure(
        one.image, one.joints2d_crop, points, np.ones((1, 17, 1, 1)), H36M17, joints=[10]
    )
    (dots,) = figure.axes[0].collections
    np.testing.assert_allclose(dots.get_offsets(), one.joints2d_crop[[10]])


def test_error_curves_are_in_millimetres(tmp_path):
    lines = [
        {'step': 10, 'part': 'train', 'loss': 0.2},
        {'step': 20, 'part': 'train', 'loss': 0.1},
        {'step': 20, 'part': 'test', 'mpjpe': 90.0, 'pa_mpjpe': 70.0},
    ]
    figure = curves.run_figure(lines, TITLES)
    drawing.save(figure, tmp_path / 'curves.png')
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [200, 100])
    assert 'MPJPE, test (best 90.0)' in texts(figure)


def test_error_curves_need_no_training_line():
    figure = curves.run_figure([{'step': 20, 'part': 'test', 'mpjpe': 90.0}], TITLES)
    assert 'MPJPE, test (best 90.0)' in texts(figure)


def test_a_run_without_an_evaluation_has_no_error_curves():
    assert curves.run_figure([{'step': 20, 'part': 'train', 'loss': 0.1}], TITLES) is None
