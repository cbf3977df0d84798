"""Recordings for Rerun, checked by its own command; the library is large and not everywhere."""

import subprocess
import sys

import numpy as np
import pytest

from capf_jax.inference.formats import rrd
from tests.inference.formats.moving import moving, with_gap

pytest.importorskip('rerun', reason='Rerun is an extra: pip install rerun-sdk')
IMAGES = [np.full((48, 64, 3), 90, np.uint8)] * 12


@pytest.mark.parametrize(
    ('tracks', 'has_pictures'),
    [(with_gap(moving(number=2), 5, 7), True), (moving(length=1), True),
     (moving().select(people=[]), False)],
    ids=['video', 'photograph', 'nobody'],
)  # fmt: skip
def test_rerun_verifies_the_recording(tmp_path, tracks, has_pictures):
    rrd.write(tmp_path / 'a.rrd', tracks, (lambda: IMAGES) if has_pictures else None)
    command = [sys.executable, '-m', 'rerun', 'rrd', 'verify', str(tmp_path / 'a.rrd')]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
