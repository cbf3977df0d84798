"""What a user of Python may ask of videos, and what is said where it means nothing."""

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference.video import video_options


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'time_range': (0, 1, 2)}, r'time_range is \(0, 1, 2\); it must be two numbers'),
        ({'time_range': '0:1'}, "time_range is '0:1'; it must be two numbers"),
        ({'time_range': 2}, 'time_range is 2; it must be two numbers'),
        ({'time_range': ('0', '1')}, 'it must be two numbers of seconds'),
        ({'time_range': (0, np.nan)}, 'the time range 0:nan is none'),
        ({'stride': 1.5}, 'stride is 1.5; it must be a whole number'),
        ({'stride': '2'}, "stride is '2'; it must be a whole number"),
        ({'stride': True}, 'stride is True; it must be a whole number'),
        ({'cutoff': '3'}, "cutoff is '3'; it must be a finite number: hertz"),
        ({'pitch': '10'}, "pitch is '10'; it must be a finite number: degrees"),
        ({'tilt': np.nan}, 'tilt is nan; it must be a finite number: degrees'),
        (
            {'fill_gaps': None},
            'fill_gaps is None; it must be a finite number: seconds, 0 to fill none',
        ),
        ({'fill_gaps': -1}, 'gaps of -1.0 s cannot be filled'),
        ({'axes': None}, "axes is None; the nearest is 'camera' of camera, y_up, z_up"),
        ({'smoothing': None}, "smoothing is None; the nearest is 'none'"),
        ({'constant_bones': None}, 'constant_bones is None; it must be True or False'),
        ({'still_feet': 'no'}, "still_feet is 'no'; it must be True or False"),
    ],
)
def test_values_of_another_type_are_told(options, words):
    with pytest.raises(UserError, match=words):
        video_options.plan_of(**options)


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ((None, 0.2), (0.0, 0.2)),
        ([2, None], (2.0, None)),
        (np.array([1.0, np.inf]), (1.0, None)),
    ],
)
def test_a_range_may_be_open_at_both_ends(given, expected):
    choice, _ = video_options.plan_of(time_range=given, stride=np.int64(3))
    assert (choice.start, choice.stop, choice.stride) == (*expected, 3)
    assert type(choice.stride) is int  # which JSON can write


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('strid', "argument of predict is 'strid'; the nearest is 'stride' of boxes, time_range"),
        ('box', "the nearest is 'boxes'"),
        ('world', "'world' is an option of the command alone; in Python it is 'axes'"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name, words):
    video_options.check_names(['stride'], ['boxes'])
    with pytest.raises(UserError, match=words):
        video_options.check_names(['stride', name], ['boxes'])
