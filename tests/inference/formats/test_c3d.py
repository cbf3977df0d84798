"""C3D files, which the library c3d writes, read by ezc3d."""

import ezc3d
import numpy as np

from capf_jax.inference.formats import c3d
from capf_jax.inference.formats.markers import marker_names
from capf_jax.pose import skeletons
from tests.inference.formats.moving import moving, with_gap


def test_ezc3d_reads_the_joints_and_the_gap(tmp_path):
    one = with_gap(moving(), 5, 7)
    c3d.write(tmp_path / 'a.c3d', one, None)
    content = ezc3d.c3d(str(tmp_path / 'a.c3d'))
    points = content['data']['points'][:3].transpose(2, 1, 0)  # [T, markers, 3]
    x, y, z = np.moveaxis(1000 * one.joints3d[0], -1, 0)
    # Floats of 32 bits hold some micrometres at ten metres; NaN stands at the same places.
    np.testing.assert_allclose(points, np.stack([x, z, -y], axis=-1), atol=1e-3)
    parameters = content['parameters']['POINT']
    assert parameters['LABELS']['value'] == list(marker_names(skeletons.H36M17))
    assert parameters['UNITS']['value'] == ['mm']
    assert parameters['RATE']['value'] == [10]


def test_a_photograph_is_one_frame(tmp_path):
    c3d.write(tmp_path / 'a.c3d', moving(length=1), None)
    assert ezc3d.c3d(str(tmp_path / 'a.c3d'))['data']['points'].shape == (4, 17, 1)
