"""The command predict on a tiny model: what it writes, and where it goes on."""

import errno
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from capf_jax.errors import UserError
from capf_jax.inference import people_files, predictor, result_origin
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.people import TO_UPRIGHT_CAMERA
from capf_jax.pose import cameras
from tests.predicting import BOX, SIZE, coco, written
from tests.predicting import folder_of_pictures as folder_of_pictures
from tests.predicting import run_predict as run_predict
from tests.predicting import tiny_weights as tiny_weights


def test_weights_may_be_in_a_store_but_not_pictures_and_results(
    run, weights, folder, tmp_path, memory_store
):
    memory_store().pipe_file('gs://bucket/w.safetensors', weights.read_bytes())
    argument = '--weights=gs://bucket/w.safetensors'
    assert run(folder / 'a.png', f'--box={BOX}', '--least_confidence=0', argument) == 0
    assert written(tmp_path) == ['a.json', 'a.npz']
    with pytest.raises(UserError, match=r'gs://bucket/a\.png is in a store: name a path on this'):
        run('gs://bucket/a.png', f'--box={BOX}')
    with pytest.raises(UserError, match='gs://bucket/out is in a store'):
        run(folder / 'b.png', f'--box={BOX}', '--output=gs://bucket/out')


def test_a_picture_becomes_files(run, folder, tmp_path, capsys):
    assert run(folder / 'a.png', f'--box={BOX}', '--least_confidence=0', '--csv') == 0
    assert written(tmp_path) == ['a.csv', 'a.json', 'a.npz']
    people = people_files.read(tmp_path / 'out' / 'a.npz')
    assert (len(people), people.source, people.image_size) == (1, 'a.png', SIZE)
    np.testing.assert_allclose(people.boxes, [[40, 20, 60, 80]])
    assert people.camera_assumed
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('a.png: camera fx 153.7')
    assert 'assumed field of view of 55 degrees' in lines[0]
    assert lines[1] == f'1 person in 1 picture: {tmp_path / "out"}'


def test_python_gives_what_the_command_writes(run, folder, weights, tmp_path):
    run(folder / 'a.png', f'--box={BOX}', '--least_confidence=0')
    stored = people_files.read(tmp_path / 'out' / 'a.npz')
    people = Estimator.load(weights).predict(folder / 'a.png', boxes=[[40, 20, 60, 80]])
    np.testing.assert_allclose(people.pose, stored.pose, atol=1e-6)
    several = Estimator.load(weights).predict([folder / 'a.png'], joints2d=coco(tmp_path, 'a.png'))
    assert [len(each) for each in several] == [1]
    (folder / 'b.png').write_text('no picture')
    with pytest.warns(UserWarning, match=r'b\.png is no picture .* its result is None'):
        one, none = Estimator.load(weights).predict(
            [folder / 'a.png', folder / 'b.png'], joints2d=coco(tmp_path, 'a.png', 'b.png')
        )
    assert (len(one), none) == (1, None)


def test_a_picture_of_the_figure_is_drawn(run, folder, tmp_path):
    run(folder / 'a.png', f'--box={BOX}', '--least_confidence=0', '--picture')
    assert written(tmp_path) == ['a.json', 'a.npz', 'a.png']
    with Image.open(tmp_path / 'out' / 'a.png') as figure:
        assert min(figure.size) > 300


def test_own_data_brings_its_cameras_and_joints(run, folder, tmp_path):
    places = np.random.default_rng(1).uniform(30, 100, (17, 2)).round(2).tolist()
    content = {
        'skeleton': 'h36m17',
        'cameras': {'left': {'fx': 200, 'fy': 200, 'cx': 80, 'cy': 60}},
        'entries': [{'image': 'b.png', 'joints2d': places, 'camera': 'left'}],
    }
    (folder / 'annotations.json').write_text(json.dumps(content))
    assert run(folder) == 0
    people = people_files.read(tmp_path / 'out' / 'b.npz')
    np.testing.assert_allclose(people.camera.intrinsics, [200, 200, 80, 60])
    np.testing.assert_allclose(people.joints2d, [places])


def test_axes_of_an_upright_world(run, folder, tmp_path):
    joints = coco(tmp_path, 'a.png')
    run(folder / 'a.png', f'--joints2d={joints}')
    before = people_files.read(tmp_path / 'out' / 'a.npz')
    run(folder / 'a.png', f'--joints2d={joints}', '--world=z_up', '--pitch=90', '--overwrite')
    after = people_files.read(tmp_path / 'out' / 'a.npz')
    assert after.axes == 'z_up'
    # The camera looks straight down: what is ahead of it is below.
    np.testing.assert_allclose(after.root[:, 2], -before.root[:, 2], atol=1e-6)


@pytest.mark.parametrize(('option', 'pitch'), [([], 30), (['--pitch=10'], 10)])
def test_what_is_up_comes_from_the_calibration_unless_it_is_said(
    run, folder, tmp_path, option, pitch
):
    turn = cameras.upright_rotation(30).T @ TO_UPRIGHT_CAMERA['z_up']
    calibration = tmp_path / 'Calib.toml'
    calibration.write_text(
        '[a]\nmatrix = [[150.0, 0.0, 80.0], [0.0, 150.0, 60.0], [0.0, 0.0, 1.0]]\n'
        f'rotation = {cv2.Rodrigues(turn)[0].ravel().tolist()}\n'
        'translation = [0.0, 0.0, 1.0]\n'
    )
    joints = f'--joints2d={coco(tmp_path, "a.png")}'
    run(folder / 'a.png', joints, f'--calibration={calibration}', '--world=z_up', *option)
    people = people_files.read(tmp_path / 'out' / 'a.npz')
    expected = cameras.upright_rotation(pitch).T @ TO_UPRIGHT_CAMERA['z_up']
    np.testing.assert_allclose(people.camera.rotation, expected, atol=1e-9)


def test_a_damaged_picture_leaves_the_others(run, folder, tmp_path, capsys):
    (folder / 'b.png').write_text('no picture')
    assert run(folder, f'--joints2d={coco(tmp_path, "a.png", "c.png")}') == 1
    assert written(tmp_path) == ['a.json', 'a.npz', 'c.json', 'c.npz']
    captured = capsys.readouterr()
    assert 'error: ' in captured.err
    assert 'b.png is no picture that can be read' in captured.err
    assert '2 people in 2 pictures' in captured.out


def test_running_again_goes_on(run, folder, tmp_path, capsys):
    joints = coco(tmp_path, 'a.png', 'b.png', 'c.png')
    run(folder, f'--joints2d={joints}')
    (tmp_path / 'out' / 'b.json').unlink()
    before = (tmp_path / 'out' / 'a.npz').stat().st_mtime_ns
    capsys.readouterr()
    assert run(folder, f'--joints2d={joints}') == 0
    assert '2 of 3 pictures are finished already' in capsys.readouterr().out
    assert len(written(tmp_path)) == 6
    assert (tmp_path / 'out' / 'a.npz').stat().st_mtime_ns == before
    assert run(folder, f'--joints2d={joints}', '--overwrite') == 0
    assert (tmp_path / 'out' / 'a.npz').stat().st_mtime_ns > before


def test_another_picture_of_the_same_name_is_done_and_other_options_are_told(
    run, folder, tmp_path, capsys
):
    picture, result = folder / 'a.png', tmp_path / 'out' / 'a.json'
    run(picture, f'--box={BOX}')
    first = result.read_bytes()
    capsys.readouterr()
    assert run(picture, f'--box={BOX}', '--height=1.75') == 0
    printed = capsys.readouterr().out
    assert '1 of 1 pictures are finished already' in printed
    assert 'were made with another --height, and stay so without --overwrite' in printed
    assert result.read_bytes() == first
    picture.write_bytes((folder / 'b.png').read_bytes() + b' ')
    assert run(picture, f'--box={BOX}') == 0
    assert 'a.png is not the picture that' in capsys.readouterr().out
    assert result.read_bytes() != first


def test_a_picture_that_cannot_be_opened_leaves_the_others(
    run, folder, tmp_path, monkeypatch, capsys
):
    fingerprint = result_origin.fingerprint

    def denied(path):
        if path.name == 'b.png':
            raise PermissionError(errno.EACCES, 'Permission denied', str(path))
        return fingerprint(path)

    monkeypatch.setattr(result_origin, 'fingerprint', denied)
    joints = coco(tmp_path, 'a.png', 'b.png', 'c.png')
    (folder / 'b.png').write_bytes(b'no picture')
    assert run(folder, f'--joints2d={joints}') == 1
    assert 'b.png' in capsys.readouterr().err
    assert written(tmp_path) == ['a.json', 'a.npz', 'c.json', 'c.npz']


def test_a_full_disk_keeps_what_is_finished(run, folder, tmp_path, monkeypatch):
    joints = coco(tmp_path, 'a.png', 'b.png', 'c.png')
    write = people_files.write

    def full(path, people, beside=None):
        if path.name == 'b.json':
            raise OSError(errno.ENOSPC, 'No space left on device', str(path))
        return write(path, people, beside)

    monkeypatch.setattr(people_files, 'write', full)
    with pytest.raises(UserError, match='full at b, after 1 of 3 pictures: make room'):
        run(folder, f'--joints2d={joints}')
    assert written(tmp_path) == ['a.json', 'a.npz', 'b.npz']
    monkeypatch.undo()
    assert run(folder, f'--joints2d={joints}') == 0
    assert len(written(tmp_path)) == 6


@pytest.mark.skipif(not predictor.FINDER.is_file(), reason='pretrained/ has no finder')
def test_nobody_in_the_picture_is_an_empty_result(run, tmp_path, capsys):
    Image.new('RGB', (300, 200), (120, 130, 140)).save(tmp_path / 'wall.jpg')
    arguments = ('--csv', '--picture', '--format=bvh,html')
    assert run(tmp_path / 'wall.jpg', *arguments) == 0
    assert written(tmp_path) == ['wall.csv', 'wall.html', 'wall.json', 'wall.npz', 'wall.png']
    assert len(people_files.read(tmp_path / 'out' / 'wall.json')) == 0
    shown = capsys.readouterr().out
    assert '0 people in 1 picture' in shown
    assert 'wall.jpg: nobody has a pose, so that there is no .bvh' in shown
    assert run(tmp_path / 'wall.jpg', *arguments) == 0
    assert '1 of 1 pictures are finished already' in capsys.readouterr().out


def test_files_of_other_programs_belong_to_the_result(run, folder, tmp_path, capsys):
    arguments = (folder / 'a.png', f'--box={BOX}', '--least_confidence=0', '--format=trc,html,csv')
    files = ['a.calib.toml', 'a.csv', 'a.html', 'a.json', 'a.npz', 'a.person0.trc']
    assert run(*arguments) == 0
    assert written(tmp_path) == files
    capsys.readouterr()
    assert run(*arguments) == 0
    assert '1 of 1 pictures are finished already' in capsys.readouterr().out
    (tmp_path / 'out' / 'a.person0.trc').unlink()
    assert run(*arguments) == 0
    assert written(tmp_path) == files


def test_joints_of_onnx_files(run, folder, tmp_path):
    pytest.importorskip('onnxruntime')
    onnx_models = pytest.importorskip('tests.inference.onnx_models')
    boxes = np.array([[10, 8, 30, 40, 0.9]])  # of a square of 64 pixels; the picture has 160
    files = [
        onnx_models.rtmpose(tmp_path / 'rtmpose.onnx'),
        onnx_models.yolox_without_duplicates(tmp_path / 'yolox.onnx', boxes, [0]),
    ]
    option = f'--detector_files={",".join(map(str, files))}'
    assert run(folder / 'a.png', '--detector=rtmpose', option, '--least_confidence=0') == 0
    people = people_files.read(tmp_path / 'out' / 'a.json')
    np.testing.assert_allclose(people.boxes, [[24.5, 19.5, 50, 80]], atol=1e-3)
    assert np.ptp(people.joints2d[0], axis=0).max() < 1  # they all are in one place
