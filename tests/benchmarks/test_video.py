"""The benchmark of videos says which videos are too short for it."""

import pytest

from benchmarks import video
from capf_jax.errors import UserError


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        ({'frames': '3'}, r"--frames is '3': .* at least 4 frames$"),
        ({'frames': 'few'}, r"--frames is 'few': .* at least 4 frames$"),
        ({'many': '9'}, r"--many is '9': .* at least 10 frames, or 0 for none$"),
    ],
)
def test_a_video_that_is_too_short_is_one_sentence(flags, message):
    with pytest.raises(UserError, match=message):
        next(video.rows(**flags))


@pytest.mark.parametrize('flags', [{'frames': '4'}, {'many': '0'}, {'many': '10'}])
def test_the_shortest_videos_are_measured(flags, monkeypatch):
    class Reached(Exception):
        pass

    def load(*_, **__):
        raise Reached

    monkeypatch.setattr(video.Estimator, 'load', load)
    with pytest.raises(Reached):
        next(video.rows(**flags))
