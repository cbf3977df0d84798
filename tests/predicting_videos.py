"""What the tests of the command predict on videos share: a tiny model, two videos, the command."""

import numpy as np
import pytest

from capf_jax import predict
from capf_jax.inference import predictor
from tests.inference.dotted_people import Boxes
from tests.inference.video import video_samples

SIZE = (128, 96)
FRAMES = 4
FINDER = Boxes([[30, 10, 60, 80]], [0.9], SIZE)  # one person in every frame


@pytest.fixture(name='videos', scope='module')
def two_videos(tmp_path_factory):
    """A folder with two videos of noise."""
    folder = tmp_path_factory.mktemp('videos')
    random = np.random.default_rng(0)
    for name in ('one', 'two'):
        frames = random.integers(0, 256, (FRAMES, 96, 128, 3), np.uint8)
        video_samples.write(folder / f'{name}.mkv', list(frames))
    return folder


@pytest.fixture(autouse=True)
def finder_of_one(monkeypatch):
    """Without a finder to be compiled, the command takes fractions of a second."""
    monkeypatch.setattr(predictor, 'default_finder', lambda path=None: FINDER)


@pytest.fixture(name='run')
def run_on_videos(weights, tmp_path):
    """Runs the command with a tiny model, which finds everyone likely."""

    def command(*arguments):
        always = (f'--weights={weights}', f'--output={tmp_path / "out"}', '--noflip_test',
                  '--least_confidence=0')  # fmt: skip
        return predict.main(['predict', *map(str, arguments), *always])

    return command


def written(tmp_path):
    return sorted(path.name for path in (tmp_path / 'out').iterdir())
