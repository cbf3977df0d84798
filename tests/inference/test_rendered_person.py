"""A rendered person at the border of a picture is lifted as well as one in the middle."""

import numpy as np
import pytest

from benchmarks import picture_border
from capf_jax.errors import UserError
from capf_jax.inference import predictor
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.photograph_models import Models

# Of one person alone; `python -m benchmarks.picture_border` has the mean over many people.
MOST_DIFFERENCE = 8.0  # mm


@pytest.fixture(scope='module')
def person():
    return picture_border.person_of(3)


@pytest.mark.parametrize('degrees', [0, -25, 25])
def test_a_turned_camera_sees_the_person_aside(person, degrees):
    camera = picture_border.turned(person, degrees)
    across, down, ahead = camera.to_camera(picture_border.world_joints(person))[0]
    assert np.rad2deg(np.arctan2(across, ahead)) == pytest.approx(degrees, abs=1e-6)
    assert down == pytest.approx(0, abs=1e-6)


def test_rows_count_those_alone_who_are_in_the_picture():
    errors = np.array([[50.0, 60.0, np.nan], [70.0, 60.0, 71.0]])
    (first, second) = picture_border.rows(errors, [0, 10, 30])
    assert first == [10, 2, 60, 60, 0, pytest.approx(10 / 2**0.5), 50]
    assert second == [30, 1, 71, 70, 1, 0, 100]


def test_an_angle_at_which_nobody_is_in_the_picture_has_no_numbers():
    assert picture_border.rows(np.array([[50.0, np.nan]]), [0, 39]) == [[39, 0]]


@pytest.mark.parametrize('argument', ['--people=1', '--angles=40', '--angles=nan', '--angles=left'])
def test_a_benchmark_that_cannot_be_run_is_one_sentence(argument):
    with pytest.raises(UserError, match=argument):
        picture_border.main(['picture_border', argument])


@pytest.mark.skipif(not predictor.LIFTER.is_file(), reason='the default lifter is not here')
def test_a_person_at_the_border_is_no_worse_than_one_in_the_middle(person):
    models = Models.of(Estimator.load(predictor.LIFTER, largest_batch=1))
    middle, *others = (
        picture_border.error_of(person, picture_border.turned(person, degrees), models)
        for degrees in (0, -25, 25)
    )
    assert middle < 150
    assert max(others) < middle + MOST_DIFFERENCE
