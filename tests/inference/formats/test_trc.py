"""TRC files and their calibration, read by the library trc-data-reader and by OpenCV."""

import dataclasses
import tomllib

import cv2
import numpy as np
import pytest
from trc import TRCData

from capf_jax.inference.calibration_files import Calibration
from capf_jax.inference.formats import calibration, trc
from capf_jax.inference.formats.axes import turn_between
from capf_jax.inference.formats.markers import marker_names
from capf_jax.pose import cameras, skeletons
from tests.inference.formats.moving import Y_UP, moving, with_gap


def read(path):
    content = TRCData()
    content.load(str(path))
    return content


def places(content):
    """[T, markers, 3] in the file's unit."""
    return np.stack([content[name] for name in content['Markers']], axis=1)


@pytest.mark.parametrize(('unit', 'in_a_metre', 'error'), [('mm', 1000, 6e-4), ('m', 1, 6e-7)])
def test_the_markers_are_the_joints(tmp_path, unit, in_a_metre, error):
    one = moving()
    trc.write(tmp_path / 'a.trc', one, None, unit=unit)
    content = read(tmp_path / 'a.trc')
    expected = in_a_metre * one.joints3d[0] * Y_UP
    np.testing.assert_allclose(places(content), expected, atol=error)
    assert (content['Units'], content['DataRate'], content['NumFrames']) == (unit, 10, 12)
    np.testing.assert_allclose(content['Time'], one.times, atol=1e-6)


def test_a_gap_is_nan_and_the_file_begins_with_the_first_pose(tmp_path):
    one = with_gap(with_gap(moving(), 0, 2), 5, 7)
    trc.write(tmp_path / 'a.trc', one, None)
    content = read(tmp_path / 'a.trc')
    assert content['Frame#'] == list(range(3, 13))
    assert np.isnan(places(content)).all(axis=(1, 2)).tolist() == [n in (3, 4) for n in range(10)]


def header(path):
    """The header's fields by name, as text."""
    lines = path.read_text().splitlines()
    return dict(zip(lines[1].split('\t'), lines[2].split('\t'), strict=True))


@pytest.mark.parametrize(
    ('taken', 'first', 'rate'),
    [(slice(4, None), 5, '10'), (slice(0, None, 2), 1, '5'), (slice(4, None, 2), 3, '5')],
)
def test_rows_are_counted_one_by_one_from_the_first_of_the_header(tmp_path, taken, first, rate):
    one = moving().select(frames=taken)
    path, count = tmp_path / 'a.trc', len(one.times)
    trc.write(path, one, None)
    assert read(path)['Frame#'] == list(range(first, first + count))
    fields = header(path)
    assert (fields['OrigDataStartFrame'], fields['NumFrames']) == (str(first), str(count))
    assert (fields['DataRate'], fields['OrigDataRate']) == (rate, rate)


def test_people_of_one_moment_have_one_number(tmp_path):
    late = with_gap(moving(), 0, 6).select(frames=slice(0, None, 2))
    trc.write(tmp_path / 'a.trc', late, None)
    assert read(tmp_path / 'a.trc')['Frame#'] == [4, 5, 6]
    assert header(tmp_path / 'a.trc')['OrigDataStartFrame'] == '4'


def test_a_photograph_has_one_row(tmp_path):
    trc.write(tmp_path / 'a.trc', moving(length=1), None)
    assert len(read(tmp_path / 'a.trc')['Time']) == 1


def test_strict_readers_count_columns(tmp_path):
    # Pose2Sim's add-on for Blender cuts the names out of the fourth line, and reads the numbers
    # behind five lines with NumPy.
    trc.write(tmp_path / 'a.trc', moving(), None)
    with (tmp_path / 'a.trc').open() as file:
        names = file.readlines()[3][12:-3].split('\t\t\t')
    assert names == list(marker_names(skeletons.H36M17))
    numbers = np.genfromtxt(tmp_path / 'a.trc', skip_header=5, delimiter='\t')
    assert numbers.shape == (12, 2 + 3 * 17)


@pytest.mark.parametrize('skeleton', skeletons.SKELETONS.values(), ids=lambda one: one.name)
def test_marker_names_differ(skeleton):
    assert len({*marker_names(skeleton)}) == len(skeleton)


@pytest.mark.parametrize('axes', ['camera', 'y_up', 'z_up'])
def test_the_calibration_projects_the_markers_onto_the_picture(tmp_path, axes):
    one = moving()
    if axes != 'camera':
        upright = cameras.upright_rotation(20, 5).T @ turn_between(axes, 'camera')
        place = np.array([0.3, 1.5, -0.2])
        world = dataclasses.replace(one.camera, rotation=upright, position=place)
        joints = one.joints3d @ upright + place
        one = dataclasses.replace(one, joints3d=joints, axes=axes, camera=world)
    trc.write(tmp_path / 'a.trc', one, None)
    calibration.write(tmp_path / 'a.toml', one, None)
    markers = places(read(tmp_path / 'a.trc')) / 1000
    # Pose2Sim's world has z up, and its TRC files hold (y, z, x).
    points = markers[..., [2, 0, 1]].reshape(-1, 3)
    camera = tomllib.loads((tmp_path / 'a.toml').read_text())['cam_01']
    numbers = [np.array(camera[name]) for name in ('rotation', 'translation', 'matrix')]
    pixels, _ = cv2.projectPoints(points, *numbers, np.array(camera['distortions']))
    np.testing.assert_allclose(pixels.reshape(12, 17, 2), one.joints2d[0], atol=1e-2)


def test_the_calibration_is_one_that_predict_reads(tmp_path):
    one = moving()
    calibration.write(tmp_path / 'a.toml', one, None)
    camera = Calibration.read(tmp_path / 'a.toml').camera((640, 480)).camera
    np.testing.assert_allclose(camera.intrinsics, one.camera.intrinsics)
    np.testing.assert_allclose(camera.distortion, one.camera.distortion)


def test_the_calibration_says_what_is_up(tmp_path):
    one = moving()
    rotation = cameras.upright_rotation(20, 5).T @ turn_between('y_up', 'camera')
    standing = dataclasses.replace(one.camera, rotation=rotation)
    calibration.write(
        tmp_path / 'a.toml', dataclasses.replace(one, axes='y_up', camera=standing), None
    )
    np.testing.assert_allclose(Calibration.read(tmp_path / 'a.toml').up(), rotation[:, 1])
