"""Networks run once ahead, in threads of their own."""

import threading

import pytest

from capf_jax.inference import ahead
from capf_jax.inference.photograph_models import Models
from tests.inference import dotted_people
from tests.inference.dotted_people import DotEstimator

PATIENCE = 60  # seconds until a thread counts as lost


@pytest.mark.parametrize('is_broken', [False, True])
def test_what_comes_afterwards_comes_whether_the_lifter_works_or_not(is_broken):
    estimator, is_ready = DotEstimator([dotted_people.pose()]), threading.Event()
    if is_broken:
        estimator.lift_crops = None
    ahead.compile_lifter(Models.of(estimator), is_ready.set)
    assert is_ready.wait(PATIENCE)
    assert [crops.shape for crops in estimator.crops] == [(1, 256, 256, 3)] * (not is_broken)


def test_a_lifter_of_joints_of_others_waits_until_it_is_needed():
    estimator, other = DotEstimator([dotted_people.pose()]), DotEstimator([dotted_people.pose()])
    is_ready = threading.Event()
    ahead.compile_lifter(Models.of(estimator, other), is_ready.set)
    assert is_ready.is_set()
    assert estimator.crops == []


def test_a_finder_runs_once_on_a_small_picture():
    pictures, is_ready = [], threading.Event()

    class Finder:
        def find(self, image):
            pictures.append(image.shape)
            is_ready.set()

    ahead.compile_finder(Finder())
    assert is_ready.wait(PATIENCE)
    assert pictures == [(256, 256, 3)]
