"""The fit gives back a rule that made the joints, and is stored as the rule 'fitted' is read."""

import runpy

import numpy as np
import pytest

from benchmarks import joint_conversion
from benchmarks.joint_conversion import People
from capf_jax.pose import joint_conversions
from capf_jax.pose.skeletons import COCO17, H36M17

PRIOR = joint_conversions.get('coco17', 'h36m17', 'motionbert').weights[..., 0]


@pytest.fixture(scope='module')
def people():
    """400 people whose true joints are the detector's, moved into the face and the trunk a bit."""
    random = np.random.default_rng(0)
    detected = random.uniform(0, 256, (400, 17, 2))
    weights = PRIOR.copy()
    nose, eyes = COCO17.index('nose'), [COCO17.index('left_eye'), COCO17.index('right_eye')]
    weights[H36M17.index('head'), nose], weights[H36M17.index('head'), eyes] = -0.6, 0.8
    return People(detected, np.einsum('ts,nsc->ntc', weights, detected)), weights


def test_the_fit_gives_back_the_weights_that_made_the_joints(people):
    fitted = joint_conversion.fit(people[0], COCO17, H36M17, PRIOR)
    np.testing.assert_allclose(fitted, people[1], atol=2e-3)


def test_a_few_gross_errors_of_the_detector_change_little(people):
    detected = people[0].detected.copy()
    detected[:20] = detected[:20, ::-1]
    fitted = joint_conversion.fit(People(detected, people[0].truth), COCO17, H36M17, PRIOR)
    np.testing.assert_allclose(fitted, people[1], atol=0.05)


def test_the_fit_commutes_with_the_mirror_and_its_rows_sum_to_one(people):
    noisy = People(
        people[0].detected, people[0].truth + np.random.default_rng(1).normal(0, 9, (2,))
    )
    fitted = joint_conversion.fit(noisy, COCO17, H36M17, PRIOR)
    mirrored = fitted[np.ix_(list(H36M17.flip), list(COCO17.flip))]
    np.testing.assert_allclose(fitted, mirrored, atol=1e-12)
    np.testing.assert_allclose(fitted.sum(axis=1), 1, atol=1e-9)


def test_the_table_has_every_rule_and_no_error_for_the_right_one(people):
    text = joint_conversion.table(people[0], COCO17, H36M17, people[1])
    header, *rows = text.splitlines()
    assert all(rule in header for rule in ('fitted', 'motionbert', 'mmpose', 'gast', 'fitted now'))
    assert len([row for row in rows if row.strip('- ')]) == 18
    assert rows[-1].split()[-1] == '0.0'


def test_what_is_written_is_read_as_the_rule(people, tmp_path):
    path = tmp_path / 'fitted.py'
    joint_conversion.write(path, people[1], COCO17, H36M17, '400 people of a test.')
    weights = np.array(runpy.run_path(str(path))['WEIGHTS'])
    np.testing.assert_allclose(weights, people[1], atol=1e-5)


def test_rounded_weights_still_sum_to_one_and_commute_with_the_mirror():
    noise = np.random.default_rng(0).normal(0, 0.1, PRIOR.shape)
    weights = PRIOR + noise + noise[np.ix_(list(H36M17.flip), list(COCO17.flip))]
    weights /= weights.sum(axis=1, keepdims=True)
    digits = joint_conversion.rounded(weights, COCO17, H36M17)
    np.testing.assert_allclose(digits, weights, atol=1e-3)
    np.testing.assert_allclose(digits.sum(axis=1), 1, atol=1e-12)
    mirrored = digits[np.ix_(list(H36M17.flip), list(COCO17.flip))]
    np.testing.assert_array_equal(digits, mirrored)
