"""Short gaps are filled with a guess that says that it is one; long ones stay."""

import numpy as np

from capf_jax.inference.video import short_gaps
from tests.inference.tracks_samples import tracks


def test_a_short_gap_is_filled_in_a_straight_line():
    # The second person is away from frames 5 to 8 of a straight walk, half a second.
    before = tracks()
    after = short_gaps.filled(before)
    assert after.valid[1].all()
    walk = before.root[1, 4] + np.linspace(0, 1, 6)[:, None] * (
        before.root[1, 9] - before.root[1, 4]
    )
    np.testing.assert_allclose(after.root[1, 4:10], walk)
    assert np.isfinite(after.joints3d).all()
    assert not after.sure[1, 5:9].any()


def test_what_was_seen_stays():
    before = tracks()
    after = short_gaps.filled(before)
    for name in ('joints3d', 'joints2d', 'boxes', 'root'):
        np.testing.assert_array_equal(
            getattr(after, name)[before.valid], getattr(before, name)[before.valid]
        )
    # In frame 12 only the pose has no meaning.
    np.testing.assert_array_equal(after.joints2d[1, 12], before.joints2d[1, 12])
    np.testing.assert_array_equal(after.confidence, before.confidence)


def test_a_long_gap_stays():
    after = short_gaps.filled(tracks(), 0.3)
    assert not after.valid[1, 5:9].any()
    assert after.valid[1, 12]


def test_nobody_is_added_before_coming_or_after_leaving():
    before = tracks()
    valid = before.valid.copy()
    valid[0, :3] = valid[0, -3:] = False
    after = short_gaps.filled(tracks(valid=valid), 10.0)
    assert not after.valid[0, [0, 1, 2, -3, -2, -1]].any()
