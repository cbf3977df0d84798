"""Networks run once ahead, in threads of their own."""

import threading

import pytest

from capf_jax.inference import ahead
from capf_jax.inference.photograph_models import Models
from tests.inference import dotted_people
from tests.inference.dotted_people import DotEstimator

PATIENCE = 60  # seconds until a thread counts as lost


@pytest.mark.parametrize('is_broken', [False, True])
def test_what_comes_afterwards_comes_whether_the_finder_works_or_not(is_broken):
    pictures, is_ready = [], threading.Event()

    class Finder:
        def find(self, image):
            pictures.append(image.shape)
            if is_broken:
                raise RuntimeError

    ahead.compile_finder(Finder(), is_ready.set)
    assert is_ready.wait(PATIENCE)
    assert pictures == [(256, 256, 3)]


def test_a_lifter_of_its_own_joints_runs_once():
    estimator, is_ready = DotEstimator([dotted_people.pose()]), threading.Event()
    lift = estimator.lift_crops

    def lift_and_tell(crops, **options):
        result = lift(crops, **options)
        is_ready.set()
        return result

    estimator.lift_crops = lift_and_tell
    ahead.compile_lifter(Models.of(estimator))
    assert is_ready.wait(PATIENCE)
    assert [crops.shape for crops in estimator.crops] == [(1, 256, 256, 3)]


def test_a_lifter_of_joints_of_others_waits_until_it_is_needed():
    estimator, other = DotEstimator([dotted_people.pose()]), DotEstimator([dotted_people.pose()])
    ahead.compile_lifter(Models.of(estimator, other))
    assert estimator.crops == []
