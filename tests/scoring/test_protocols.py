"""Each protocol takes its averages over the right joints and frames."""

import pathlib

import numpy as np
import pytest

from capf_jax.pose import metrics, skeletons
from capf_jax.scoring import poses, protocols

GOLDEN = pathlib.Path(__file__).parents[1] / 'goldens' / 'metrics.npz'


def labels(number, **changes):
    """One video of consecutive frames, but for the changes."""
    words = {name: np.repeat('x', number) for name in ('subject', 'action', 'sequence', 'camera')}
    return words | {'frame': np.arange(number)} | changes


def score(pred, target, name, joint_set, **changes):
    """The result of poses in metres under a protocol."""
    return poses.pose_result(
        pred,
        target,
        labels(len(pred), **changes),
        {},
        protocol=protocols.get(name),
        skeleton=skeletons.get(joint_set),
    )


@pytest.fixture(scope='module')
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@pytest.mark.parity
@pytest.mark.parametrize(('name', 'key'), [('mpjpe', 'mpjpe'), ('pck', 'pck150'), ('auc', 'auc')])
def test_3dhp_equals_the_published_figures(golden, name, key):
    outcome = score(golden['pred'], golden['gt'], 'mpi_inf_3dhp', 'mpi_inf_3dhp17')
    unit = 1000 if name == 'mpjpe' else 1
    np.testing.assert_allclose(outcome.scores[name] / unit, golden[key], atol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize(
    ('name', 'key'),
    [
        ('mpjpe', 'mpjpe'),
        ('pa_mpjpe', 'p_mpjpe'),
        ('n_mpjpe', 'n_mpjpe'),
        ('mpjve_across_borders', 'mpjve'),
    ],
)
def test_human36m_equals_the_published_figures(golden, name, key):
    two_videos = np.repeat(['1', '2'], 32)
    outcome = score(golden['pred'], golden['gt'], 'human36m', 'h36m17', camera=two_videos)
    np.testing.assert_allclose(outcome.mean_over_frames[name] / 1000, golden[key], atol=1e-5)


def shifted(millimetres, joints=17):
    """Predictions that are off by so much in every joint, and the truth."""
    target = np.random.default_rng(0).normal(size=(len(millimetres), joints, 3))
    off = np.array(millimetres)[:, None, None] / 1000 * [1, 0, 0]
    return target + off, target


def test_human36m_is_the_mean_of_actions_with_their_trials_pooled():
    # three frames of one trial and one of another: 'a' is (10+20+30+100)/4, 'b' is 60
    outcome = score(
        *shifted([10, 20, 30, 100, 60]),
        'human36m',
        'h36m17',
        action=np.array(list('aaaab')),
        sequence=np.array(['a 1', 'a 1', 'a 1', 'a 2', 'b 1']),
    )
    assert outcome.score == pytest.approx((40 + 60) / 2)
    assert outcome.mean_over_frames['mpjpe'] == pytest.approx(44)


def test_human36m_says_how_many_of_its_15_actions_there_are():
    outcome = score(*shifted([1, 2]), 'human36m', 'h36m17', action=np.array(['a', 'b']))
    assert outcome.conditions['actions'] == '2 of 15'


def test_mpjve_across_borders_follows_the_frames_and_not_the_order_of_storage():
    # videos 'a' with errors 0, 1, 3 and 'b' with 103, 103; stored in another order
    outcome = score(
        *shifted([103, 3, 0, 103, 1]),
        'human36m',
        'h36m17',
        camera=np.array(list('baaba')),
        frame=np.array([1, 2, 0, 0, 1]),
    )
    means = outcome.mean_over_frames
    assert means['mpjve'] == pytest.approx((1 + 2 + 0) / 3)
    assert means['mpjve_across_borders'] == pytest.approx((1 + 2 + 100 + 0) / 4)


def test_what_a_title_does_not_tell_is_in_the_conditions():
    of_human36m = protocols.HUMAN36M.describe(skeletons.H36M17)['definitions']
    assert 'MPJVE: inside videos only' in of_human36m
    assert 'MPJVE across borders: all videos in a row as if they were one' in of_human36m
    of_3dhp = protocols.MPI_INF_3DHP.describe(skeletons.MPI_INF_3DHP17)['definitions']
    assert of_3dhp == (
        'MPJPE root 0: as published, the predicted root set to 0; '
        'in MPJPE the predicted root counts'
    )


def test_velocities_of_single_frames_are_left_out():
    outcome = score(*shifted([1, 2]), 'human36m', 'h36m17', frame=np.array([0, 64]))
    assert outcome.errors.keys() == {'mpjpe', 'pa_mpjpe', 'n_mpjpe'}


def test_3dhp_takes_pck_and_auc_over_14_joints_and_mpjpe_over_17():
    target = np.zeros((1, 17, 3))
    pred = target.copy()
    pred[0, 0, 0] = 0.15  # not below 150 mm
    pred[0, 1, 0] = 0.1  # below 105, 110, ..., 150 mm: 10 of 31 thresholds
    pred[0, 14:, 0] = 1.7  # pelvis, spine and head
    scores = score(pred, target, 'mpi_inf_3dhp', 'mpi_inf_3dhp17').scores
    assert scores['mpjpe'] == pytest.approx((150 + 100 + 3 * 1700) / 17)
    assert scores['mpjpe_root_0'] == pytest.approx((150 + 100 + 2 * 1700) / 17)
    assert scores['pck'] == pytest.approx(100 * 13 / 14)
    # an exact joint is below all thresholds but 0
    assert scores['auc'] == pytest.approx(100 * (12 * 30 + 10) / (14 * 31))


def test_3dhp_totals_weigh_every_frame_alike():
    pred, target = shifted([100, 100, 400])
    outcome = score(
        pred, target, 'mpi_inf_3dhp', 'mpi_inf_3dhp17', sequence=np.array(['TS1', 'TS1', 'TS2'])
    )
    assert outcome.scores['pck'] == pytest.approx(200 / 3)


def test_the_subset_of_joints_is_said():
    words = score(*shifted([1]), 'mpi_inf_3dhp', 'mpi_inf_3dhp17').conditions['joint_subset']
    assert words == (
        'MPJPE and MPJPE root 0 over all 17; PCK@150 and AUC over 14 without pelvis, spine, head'
    )


@pytest.mark.parametrize(
    ('name', 'joint_set'), [('human36m', 'mpi_inf_3dhp17'), ('mpi_inf_3dhp', 'h36m17')]
)
def test_a_protocol_refuses_the_joints_of_another(name, joint_set):
    with pytest.raises(ValueError, match=f'{name!r} is for the joints of'):
        score(*shifted([1]), name, joint_set)


def test_a_mirrored_pose_does_not_align_under_any_protocol():
    target = np.random.default_rng(0).normal(size=(4, 17, 3))
    outcome = score(target * [-1, 1, 1], target, 'human36m', 'h36m17')
    assert outcome.errors['pa_mpjpe'].min() > 100
    assert metrics.pa_mpjpe(target * [-1, -1, 1], target).max() < 1e-9  # half a turn does


def test_an_unknown_protocol_lists_the_known():
    with pytest.raises(
        ValueError, match="'h36m'; the nearest is 'human36m' of plain, human36m, mpi_inf_3dhp"
    ):
        protocols.get('h36m')
