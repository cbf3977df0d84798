"""Each metric equals what a plain formula or a case done by hand gives."""

import pathlib

import numpy as np
import pytest

from capf_jax.pose import metrics

GOLDEN = pathlib.Path(__file__).parents[1] / 'goldens' / 'metrics.npz'
HEXAGON = np.array([[[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3], [1, 1, 0], [0, 1, 1.0]]])


@pytest.fixture(scope='module')
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@pytest.fixture
def poses():
    random = np.random.default_rng(0)
    return random.normal(size=(8, 17, 3)), random.normal(size=(8, 17, 3))


def random_rotations(count):
    q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(count, 3, 3)))
    return q * np.sign(np.linalg.det(q))[:, None, None]


@pytest.mark.parity
@pytest.mark.parametrize(
    ('name', 'key'), [('mpjpe', 'mpjpe'), ('pa_mpjpe', 'p_mpjpe'), ('n_mpjpe', 'n_mpjpe')]
)
def test_position_errors_equal_the_published_ones(golden, name, key):
    value = getattr(metrics, name)(golden['pred'], golden['gt']).mean()
    np.testing.assert_allclose(value, golden[key], atol=1e-5)


@pytest.mark.parity
def test_mpjve_across_borders_equals_the_published_one(golden):
    value = metrics.mpjve_across_borders(golden['pred'], golden['gt']).mean()
    np.testing.assert_allclose(value, golden['mpjve'], atol=1e-5)


@pytest.mark.parity
def test_mpjve_of_one_sequence_equals_the_published_one(golden):
    value = metrics.mpjve(golden['pred'], golden['gt'], np.zeros(64), np.arange(64))
    np.testing.assert_allclose(np.nanmean(value), golden['mpjve'], atol=1e-5)


@pytest.mark.parity
def test_pck_equals_the_published_one(golden):
    value = metrics.pck(golden['pred'][:, :14], golden['gt'][:, :14], 0.15).mean()
    np.testing.assert_allclose(value, golden['pck150'], atol=1e-5)


@pytest.mark.parity
def test_auc_equals_the_published_one(golden):
    millimetres = 1000 * golden['pred'][:, :14], 1000 * golden['gt'][:, :14]
    value = metrics.auc(*millimetres, metrics.AUC_THRESHOLDS_MM).mean()
    np.testing.assert_allclose(value, golden['auc'], atol=1e-5)


def test_mpjpe_is_the_mean_distance_of_each_pose():
    target = np.zeros((2, 2, 3))
    pred = np.array([[[3, 4, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1.0]]])
    np.testing.assert_array_equal(metrics.mpjpe(pred, target), [2.5, 0.5])


def test_n_mpjpe_ignores_scale(poses):
    np.testing.assert_allclose(metrics.n_mpjpe(3 * poses[0], poses[0]), 0, atol=1e-12)


def test_n_mpjpe_counts_translation():
    # The best scale of (1, 0, 0) onto (0, 1, 0) is 0, so that the whole target is left as error.
    assert metrics.n_mpjpe([[[1, 0, 0.0]]], [[[0, 1, 0.0]]]) == pytest.approx(1.0)


def test_pa_mpjpe_ignores_a_similarity_of_the_prediction(poses):
    pred, target = poses
    moved = 0.3 * pred @ random_rotations(len(pred)) + np.array([5, -7, 1000.0])
    np.testing.assert_allclose(
        metrics.pa_mpjpe(moved, target), metrics.pa_mpjpe(pred, target), atol=1e-9
    )


def test_pa_mpjpe_follows_the_scale_of_the_target(poses):
    pred, target = poses
    moved = 2 * target @ random_rotations(len(pred)) + 4
    np.testing.assert_allclose(
        metrics.pa_mpjpe(pred, moved), 2 * metrics.pa_mpjpe(pred, target), atol=1e-9
    )


def test_pa_mpjpe_does_not_align_a_mirrored_pose():
    assert metrics.pa_mpjpe(HEXAGON * [-1, 1, 1], HEXAGON)[0] > 0.1


def test_pa_mpjpe_aligns_a_flat_pose_mirrored_in_its_plane():
    # A turn about the axis does what the mirror did.
    flat = HEXAGON * [1, 1, 0]
    np.testing.assert_allclose(metrics.pa_mpjpe(flat * [-1, 1, 1], flat), 0, atol=1e-12)


def test_pa_mpjpe_is_never_above_the_aligned_squares(poses):
    # The alignment is the least-squares one: no small further turn or scale lowers the squares.
    pred, target = poses
    aligned = metrics.align(pred, target)
    best = np.sum((aligned - target) ** 2, (1, 2))
    centre = target.mean(1, keepdims=True)
    for scale in (0.99, 1.01):
        assert np.all(np.sum((scale * (aligned - centre) + centre - target) ** 2, (1, 2)) > best)
    turn = np.array([[np.cos(0.01), -np.sin(0.01), 0], [np.sin(0.01), np.cos(0.01), 0], [0, 0, 1]])
    for rotation in (turn, turn.T):
        assert np.all(np.sum(((aligned - centre) @ rotation + centre - target) ** 2, (1, 2)) > best)


def test_pa_mpjpe_of_one_joint_is_zero():
    assert metrics.pa_mpjpe([[[1, 2, 3.0]]], [[[9, 9, 9.0]]]) == 0


def test_a_nan_pose_leaves_the_others_alone(poses):
    pred, target = poses
    broken = pred.copy()
    broken[3, 0, 0] = np.nan
    expected = metrics.pa_mpjpe(pred, target)
    expected[3] = np.nan
    np.testing.assert_allclose(metrics.pa_mpjpe(broken, target), expected)


def test_mpjve_of_a_constant_offset_is_zero(poses):
    target = poses[0]
    values = metrics.mpjve(target + 5, target, ['a'] * 8, np.arange(8))
    np.testing.assert_allclose(values[1:], 0, atol=1e-12)


def test_mpjve_counts_no_border_and_no_gap():
    # These are x positions, the target is at rest; frames 1, 2, 4 are of 'a' and frame 5 of 'b'.
    pred = np.array([0, 3, 100, 200.0])[:, None, None] * [1, 0, 0]
    values = metrics.mpjve(pred, np.zeros((4, 1, 3)), ['a', 'a', 'a', 'b'], [1, 2, 4, 5])
    np.testing.assert_array_equal(values, [np.nan, 3, np.nan, np.nan])


def test_mpjve_does_not_depend_on_the_order_of_samples(poses):
    sequences, frames = np.repeat(['a', 'b'], 4), np.tile(np.arange(4), 2)
    order = np.random.default_rng(2).permutation(8)
    values = metrics.mpjve(*poses, sequences, frames)
    shuffled = metrics.mpjve(poses[0][order], poses[1][order], sequences[order], frames[order])
    np.testing.assert_array_equal(shuffled, values[order])


@pytest.mark.parametrize(
    ('arguments', 'meant'),
    [((), (['a'] * 8, range(8))), ((['a', 'b'] * 4,), (['a', 'b'] * 4, [0, 0, 1, 1, 2, 2, 3, 3]))],
)
def test_mpjve_takes_consecutive_frames_of_one_sequence_by_default(poses, arguments, meant):
    np.testing.assert_array_equal(metrics.mpjve(*poses, *arguments), metrics.mpjve(*poses, *meant))


def test_mpjve_names_a_frame_that_comes_twice():
    with pytest.raises(ValueError, match='sequence walk holds frame 7 twice'):
        metrics.mpjve(np.zeros((2, 1, 3)), np.zeros((2, 1, 3)), ['walk', 'walk'], [7, 7])


def test_pck_is_strict():
    pred = np.array([[[0.15, 0, 0], [0.1, 0, 0]]])
    assert metrics.pck(pred, np.zeros((1, 2, 3)), 0.15) == 50


@pytest.mark.parametrize('name', ['mpjpe', 'pa_mpjpe', 'n_mpjpe', 'mpjve_across_borders'])
def test_shapes_that_do_not_fit_are_named(name):
    with pytest.raises(ValueError, match=r'\(2, 17, 3\).*\(2, 16, 3\)'):
        getattr(metrics, name)(np.zeros((2, 17, 3)), np.zeros((2, 16, 3)))


def test_metrics_need_no_jax():
    import subprocess
    import sys

    code = "import capf_jax.pose.metrics, sys; assert 'jax' not in sys.modules"
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
