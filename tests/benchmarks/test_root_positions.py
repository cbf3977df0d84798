"""Where people stand, tried on people of dots whose places are known."""

import dataclasses

import numpy as np
import pytest

from benchmarks import real_samples, root_positions
from benchmarks.root_positions import Places
from benchmarks.sample_boxes import Boxes
from capf_jax.inference.photograph_models import Models
from tests.benchmarks.test_photographs import joints as joints
from tests.benchmarks.test_photographs import models as models  # fixtures
from tests.benchmarks.test_photographs import samples as samples
from tests.inference.dotted_people import DotEstimator


def test_errors_are_along_the_line_of_sight_and_across_it():
    truth = np.array([[0.0, 3.0, 4.0], [0.0, 0.0, 10.0]])
    predicted = np.array([[0.0, 3.3, 4.4], [0.2, 0.0, 9.8]])
    numbers = root_positions.row('true', 'true', Places(predicted, truth))
    assert numbers == ['true', 'true', pytest.approx(6), pytest.approx(9.2), pytest.approx(4),
                       pytest.approx(1), 2]  # fmt: skip


def test_true_pose_and_camera_give_the_true_place(samples, models):
    # The dots are those of a giant, whose picture is that of half a giant at half the distance.
    samples = [dataclasses.replace(one, joints3d=one.joints3d / 2) for one in samples]
    models = Models.of(DotEstimator(models.lifter.poses / 2))
    rows = root_positions.of_samples(samples, models, Boxes(None), True, False)
    table = {tuple(row[:2]): row[2:] for row in rows}
    assert len(table) == 4
    share, _, signed, across, people = table['true', 'true']
    assert (people, share < 1, across < 1) == (1, True, True)
    # 640 px span 56 degrees with the true focal length, and 55 are assumed.
    assert 0 < table['assumed', 'true'][2] - signed < 5
    assert real_samples.SETS.keys() >= set(root_positions.ONE_PERSON)
