"""The correlation of 2D errors over time is that of the process that made them."""

import numpy as np
import pytest

from benchmarks import noise_over_time
from capf_jax.errors import UserError


def lasting_errors(seconds, frames=4000):
    """Errors [1, F, 12, 2] at 60 frames a second, whose correlation falls to 1/e in `seconds`."""
    rng, decay = np.random.default_rng(0), np.exp(-1 / (60 * seconds))
    errors = rng.normal(size=(1, frames, 12, 2))
    for frame in range(1, frames):
        errors[:, frame] *= np.sqrt(1 - decay**2)
        errors[:, frame] += decay * errors[:, frame - 1]
    return errors


@pytest.mark.parametrize('seconds', [0.05, 0.2])
def test_the_time_of_an_exponential_is_found(seconds):
    values = noise_over_time.correlation(lasting_errors(seconds), centred=True)
    assert noise_over_time.lasting(values, 60) == pytest.approx(seconds, rel=0.1)


def test_what_stays_of_an_error_is_taken_away_or_not():
    errors = lasting_errors(0.05) + 1.5
    whole, centred = (noise_over_time.correlation(errors, way) for way in (False, True))
    assert noise_over_time.lasting(whole, 60) == np.inf
    assert noise_over_time.lasting(centred, 60) == pytest.approx(0.05, rel=0.1)


def test_missing_joints_and_one_far_away_change_little():
    errors = lasting_errors(0.2)
    plain = noise_over_time.correlation(errors, centred=True)
    errors[0, ::7, 3] = np.nan
    errors[0, 50, 5] = 1000.0
    np.testing.assert_allclose(
        noise_over_time.correlation(errors, True)[:20], plain[:20], atol=0.03
    )


def test_real_errors_are_those_of_joints_that_were_found(tmp_path):
    found = np.zeros((1, 4, 25, 3))
    found[..., 2] = 0.9
    found[0, :, noise_over_time.BODY_25B['left_wrist']] = [3.0, 4.0, 0.9]
    found[0, 2, noise_over_time.BODY_25B['left_wrist'], 2] = 0.1
    folder = tmp_path / 'pose2sim-balancing'
    folder.mkdir()
    truth = np.ones((1, 4, 17, 2))
    np.savez(folder / 'sample.npz', joints_2d_reprojected=truth, openpose_body25b_xyc=found)
    ((name, errors),) = noise_over_time.real_errors(tmp_path)
    assert (name, errors.shape) == ('OpenPose, camera 1', (1, 4, 12, 2))
    wrist = list(noise_over_time.BODY_25B).index('left_wrist')
    np.testing.assert_allclose(errors[0, [0, 1, 3], wrist], [[2, 3]] * 3)
    assert np.isnan(errors[0, 2, wrist]).all()


def test_a_folder_without_the_real_samples_is_named(tmp_path):
    with pytest.raises(UserError, match=r'has no pose2sim-balancing/sample\.npz'):
        list(noise_over_time.rows(tmp_path, clips=1))


def test_rendered_errors_last_as_long_as_asked():
    errors = noise_over_time.rendered_errors(8, 0.05)
    assert errors.shape == (8, noise_over_time.FRAMES, 12, 2)
    values = noise_over_time.correlation(errors, centred=True)
    assert noise_over_time.lasting(values, 60) == pytest.approx(0.05, rel=0.3)
