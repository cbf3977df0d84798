"""Cameras of photographs: numbers, angles, EXIF and calibration files give the same intrinsics."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from capf_jax.errors import UserError
from capf_jax.inference import photograph_camera
from capf_jax.inference.calibration_files import Calibration
from capf_jax.inference.people import TO_UPRIGHT_CAMERA
from capf_jax.pose import cameras
from data_pipeline import images

SIZE = (1200, 800)
TOML = """
[cam_01]
name = "cam_01"
size = [ 1200.0, 800.0]
matrix = [ [ 1000.0, 0.0, 590.0], [ 0.0, 1010.0, 410.0], [ 0.0, 0.0, 1.0]]
distortions = [ -0.1, 0.02, 0.0, 0.0]
fisheye = false

[cam_02]
name = "cam_02"
size = [ 1200.0, 800.0]
matrix = [ [ 900.0, 0.0, 600.0], [ 0.0, 900.0, 400.0], [ 0.0, 0.0, 1.0]]
distortions = [ 0.0, 0.0, 0.0, 0.0]

[metadata]
error = 0.0
"""


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / 'Calib.toml'
    path.write_text(TOML)
    return path


def test_the_field_of_view_spans_the_longer_side():
    camera = photograph_camera.from_field_of_view(90, (600, 800))
    np.testing.assert_allclose(camera.camera.intrinsics, [400, 400, 299.5, 399.5])
    assert not camera.assumed
    assert 'field of view of 90' in camera.words()


@pytest.mark.parametrize('degrees', [0, 180, -5, float('nan')])
def test_impossible_angles_are_refused(degrees):
    with pytest.raises(UserError, match='field of view'):
        photograph_camera.from_field_of_view(degrees, SIZE)


@pytest.mark.parametrize('numbers', [[1, 2, 3], [0, 1, 2, 3], [1, 1, np.nan, 0]])
def test_wrong_intrinsics_are_refused(numbers):
    with pytest.raises(UserError, match='four numbers'):
        photograph_camera.from_intrinsics(numbers, SIZE)


def test_six_coefficients_are_refused():
    with pytest.raises(UserError, match='6 distortion coefficients'):
        photograph_camera.from_intrinsics([1, 1, 0, 0], SIZE, [0.1] * 6)


def jpeg(tags, size=SIZE, orientation=1):
    """A picture with EXIF tags of the camera."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update(tags)
    file = io.BytesIO()
    Image.new('RGB', size).save(file, 'jpeg', exif=exif)
    return file.getvalue()


def test_exif_of_an_equivalent_focal_length():
    tags = images.lens_tags(jpeg({0xA405: 26, 0x920A: 5.1}))
    camera = photograph_camera.from_exif(tags, SIZE)
    expected = 26 / np.hypot(36, 24) * np.hypot(*SIZE)
    np.testing.assert_allclose(camera.camera.intrinsics[:2], expected)
    assert not camera.assumed
    assert '26 mm on 35 mm film' in camera.origin


def test_exif_of_a_sensor_and_a_picture_made_smaller():
    """4000 pixels at 4000 / 36 pixels a millimetre are 36 mm; the picture is shown upright."""
    tags = {0x920A: 50.0, 0xA20E: 4000 / 3.6, 0xA210: 3, 0xA002: 4000, 0xA003: 2667}
    camera = photograph_camera.from_exif(images.lens_tags(jpeg(tags, orientation=6)), (800, 1200))
    np.testing.assert_allclose(camera.camera.intrinsics[:2], 50 / 36 * 1200, rtol=1e-3)


@pytest.mark.parametrize('tags', [{}, {0x920A: 5.1}, {0xA405: 0}])
def test_exif_that_does_not_tell_the_angle(tags):
    assert photograph_camera.from_exif(images.lens_tags(jpeg(tags)), SIZE) is None


def test_what_is_no_picture_has_no_lens():
    assert images.lens_tags(b'not a picture') is None


def test_a_camera_is_chosen_by_the_name_of_the_picture(toml):
    camera = Calibration.read(toml).camera(SIZE, 'videos/cam01_000.png')
    np.testing.assert_allclose(camera.camera.intrinsics, [1000, 1010, 590, 410])
    np.testing.assert_allclose(camera.camera.distortion, [-0.1, 0.02, 0, 0])
    assert camera.origin == 'Calib.toml, camera cam_01'


def test_a_camera_is_chosen_by_name(toml):
    camera = Calibration.read(toml).camera(SIZE, 'a.png', 'cam_02')
    np.testing.assert_allclose(camera.camera.intrinsics, [900, 900, 600, 400])
    assert camera.camera.distortion is None


def test_an_unclear_camera_is_asked_for(toml):
    with pytest.raises(UserError, match='--camera=NAME'):
        Calibration.read(toml).camera(SIZE, 'a.png')
    with pytest.raises(UserError, match='it has cam_01, cam_02'):
        Calibration.read(toml).camera(SIZE, 'a.png', 'cam_03')


def test_intrinsics_follow_the_size_of_the_picture(toml):
    camera = Calibration.read(toml).camera((600, 400), 'a.png', 'cam_02')
    np.testing.assert_allclose(camera.camera.intrinsics, [450, 450, 299.75, 199.75])


def test_a_few_more_pixels_are_padding(toml):
    camera = Calibration.read(toml).camera((1192, 800), 'a.png', 'cam_02')
    np.testing.assert_allclose(camera.camera.intrinsics, [900, 900, 600, 400])


def test_a_picture_of_another_shape_is_refused(toml):
    with pytest.raises(UserError, match='another shape'):
        Calibration.read(toml).camera((800, 1200), 'a.png', 'cam_02')


@pytest.mark.parametrize('ending', ['yml', 'xml', 'json'])
def test_files_of_opencv_are_read(tmp_path, ending):
    path = tmp_path / f'camera.{ending}'
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write('image_width', 1200)
    storage.write('image_height', 800)
    storage.write('camera_matrix', np.array([[1000.0, 0, 590], [0, 1010, 410], [0, 0, 1]]))
    storage.write('distortion_coefficients', np.array([[-0.1, 0.02, 0.0, 0.0, 0.001]]))
    storage.release()
    camera = Calibration.read(path).camera(SIZE)
    np.testing.assert_allclose(camera.camera.intrinsics, [1000, 1010, 590, 410])
    np.testing.assert_allclose(camera.camera.distortion, [-0.1, 0.02, 0, 0, 0.001])


@pytest.mark.parametrize(
    ('name', 'text', 'sentence'),
    [
        ('a.toml', 'x = ', 'no TOML file'),
        ('a.toml', 'x = 1', 'holds no camera'),
        ('a.toml', '[a]\nmatrix = [1, 2]', 'needs a matrix'),
        ('a.toml', f'[a]\nfisheye = true\nmatrix = {np.eye(3).tolist()}', 'fisheye'),
        ('a.yml', 'hello', 'no file of OpenCV'),
        ('a.yml', '%YAML:1.0\n---\nx: 1\n', 'holds no camera matrix'),
        ('a.npz', 'x', 'no calibration file that is known'),
    ],
)
def test_other_files_are_refused(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=sentence):
        Calibration.read(tmp_path / name)


def test_a_calibration_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match='no calibration file'):
        Calibration.read(tmp_path / 'a.toml')


def test_points_go_through_the_lens_and_back(toml):
    camera = Calibration.read(toml).camera(SIZE, 'cam_01.png').camera
    points = np.random.default_rng(0).uniform([0, 0], SIZE, (5, 17, 2))
    flat = photograph_camera.undistort_points(points, camera)
    assert np.abs(flat - points).max() > 5
    np.testing.assert_allclose(photograph_camera.distort_points(flat, camera), points, atol=1e-5)


def test_the_picture_is_undistorted_as_its_points_are(toml):
    camera = Calibration.read(toml).camera(SIZE, 'cam_01.png').camera
    image = np.zeros((800, 1200, 3), np.uint8)
    image[90:111, 190:211] = 255
    flat = photograph_camera.undistorted(image, camera)[..., 0].astype(float)
    rows, columns = np.indices(flat.shape)
    centre = np.array([(columns * flat).sum(), (rows * flat).sum()]) / flat.sum()
    expected = photograph_camera.undistort_points(np.array([[200.0, 100.0]]), camera)[0]
    np.testing.assert_allclose(centre, expected, atol=0.5)


def test_pose2sim_reads_its_own_file(real_samples):
    calibration = Calibration.read(real_samples / 'pose2sim-balancing' / 'Calib_qualisys.toml')
    camera = calibration.camera((1080, 1920), 'cam03/0001.png')
    np.testing.assert_allclose(
        camera.camera.intrinsics, [1681.598, 1681.509, 513.208, 955.005], atol=1e-3
    )


# A camera 1.5 m above the floor that looks a little down and is turned about its axis.
PLACE = np.array([3.0, -4.0, 1.5])
ROTATION = cameras.upright_rotation(12, -7).T @ TO_UPRIGHT_CAMERA['z_up']
STANDING = f"""
rotation = {cv2.Rodrigues(ROTATION)[0].ravel().tolist()}
translation = {(-ROTATION @ PLACE).tolist()}
"""


@pytest.fixture
def standing(tmp_path):
    """A calibration with the place of its first camera."""
    path = tmp_path / 'Standing.toml'
    path.write_text(TOML.replace('fisheye = false', STANDING, 1))
    return Calibration.read(path)


def test_the_rotation_and_translation_of_pose2sim_bring_the_world_into_the_camera(standing):
    camera = standing.cameras['cam_01']
    np.testing.assert_allclose(camera.rotation, ROTATION, atol=1e-12)
    np.testing.assert_allclose(camera.position, PLACE, atol=1e-12)


def test_the_rotation_tells_what_is_up(standing):
    camera = standing.camera(SIZE, name='cam_01')
    np.testing.assert_allclose(camera.upright, cameras.upright_rotation(12, -7), atol=1e-12)
    np.testing.assert_allclose(standing.up(name='cam_01'), camera.up)
    assert camera.camera.rotation is None  # which is not that of a result's axes


def test_a_calibration_without_rotations_does_not_tell_what_is_up(standing, toml):
    assert Calibration.read(toml).camera(SIZE, name='cam_01').upright is None
    assert standing.up(name='cam_02') is None


def test_zeros_stand_for_a_calibration_of_the_lens_alone(tmp_path):
    zeros = 'rotation = [0.0, 0.0, 0.0]\ntranslation = [0.0, 0.0, 0.0]'
    (tmp_path / 'a.toml').write_text(TOML.replace('fisheye = false', zeros, 1))
    assert Calibration.read(tmp_path / 'a.toml').up(name='cam_01') is None


@pytest.mark.parametrize('value', ['[1.0, 2.0]', '["x", 1.0, 2.0]', '[inf, 0.0, 0.0]', '3'])
def test_a_rotation_that_is_none_is_refused(tmp_path, value):
    (tmp_path / 'a.toml').write_text(TOML.replace('fisheye = false', f'rotation = {value}', 1))
    with pytest.raises(UserError, match='cam_01 needs a rotation and a translation of three num'):
        Calibration.read(tmp_path / 'a.toml')


def test_pose2sims_rotation_stands_people_up(real_samples):
    """Joints of the real camera are as far above each other as those of its world, z up."""
    folder = real_samples / 'pose2sim-balancing'
    camera = Calibration.read(folder / 'Calib_qualisys.toml').camera((1088, 1920), name='cam_01')
    with np.load(folder / 'sample.npz') as sample:
        in_camera = sample['joints_3d_cam_mm'][0] / 1000
        in_world = sample['joints_3d_world_mm'] / 1000
    heights = (in_camera @ (camera.upright.T @ TO_UPRIGHT_CAMERA['z_up']))[..., 2]
    expected = in_world[..., 2]
    np.testing.assert_allclose(
        heights - heights[:, :1], expected - expected[:, :1], rtol=0, atol=1e-4
    )
