"""The command predict on a tiny model: what it refuses."""

import pytest

from capf_jax import predict
from capf_jax.errors import UserError
from tests.predicting import BOX
from tests.predicting import folder_of_pictures as folder_of_pictures
from tests.predicting import run_predict as run_predict
from tests.predicting import tiny_weights as tiny_weights


def test_a_finder_that_is_not_there_is_told_at_once(run, folder):
    with pytest.raises(FileNotFoundError, match='no weight file'):
        run(folder, '--finder_weights=nothing.safetensors')


def test_boxes_are_of_one_picture(run, folder):
    with pytest.raises(UserError, match='--box is for one picture'):
        run(folder, f'--box={BOX}')


def test_one_picture_that_is_none_is_an_error(run, folder):
    (folder / 'b.png').write_text('no picture')
    with pytest.raises(UserError, match='no picture that can be read'):
        run(folder / 'b.png')


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['--box=20,20,60'], 'must be 4 numbers x,y,width,height'),
        (['--box=1,1,20,20', '--joints2d=a.json'], 'both say where the people are'),
        (['--fov=50', '--intrinsics=1,1,1,1'], 'both say what the camera is'),
        (['--fov=500', f'--box={BOX}'], 'a field of view of 500 degrees'),
        (['--camera=left'], 'give --calibration too'),
        (['--world=x_up'], "invalid choice: 'x_up'"),
        (['--pitch=5'], '--world=y_up or z_up'),
        (['--least_confidence=nan'], 'a confidence is 0 to 1'),
        (['--least_confidence=2'], 'a confidence is 0 to 1'),
        (['--world=y_up', '--pitch=nan'], 'degrees'),
        (['--height=-3', f'--box={BOX}'], 'standing height'),
        (['--calibration=a.npz'], 'no calibration file'),
        (['--formats=bvh'], 'unknown argument'),
        (['--joints2d_skeleton=coco17'], 'give --joints2d too'),
        (['--joints2d=a', '--joints2d_skeleton=coco'], "the nearest is 'coco17'"),
        (['--conversion=gasp'], "--conversion is 'gasp'; the nearest is 'gast' of fitted"),
        (['--conversion=gast', f'--box={BOX}'], 'takes as they are: leave the conversion'),
        (['--detector=rtmpose'], 'give --detector=rtmpose --detector_files='),
        (['--detector_files=a.onnx'], 'go together'),
        (['--detector=rtmpose', '--detector_weights=a'], 'both say what finds joints'),
        (['--format=bhv'], "--format is 'bhv'; the nearest is 'bvh'"),
    ],
)
def test_arguments_that_fit_nothing_are_refused(run, folder, arguments, sentence):
    with pytest.raises((UserError, FileNotFoundError), match=sentence):
        run(folder / 'a.png', *arguments)


def test_results_never_overwrite_the_pictures(run, folder):
    with pytest.raises(UserError, match='would be overwritten'):
        run(folder, f'--output={folder}', '--picture')


def test_weights_that_lift_nothing_are_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match='no weight file'):
        predict.main(['predict', str(folder), '--weights=nothing.safetensors'])
    path = tmp_path / 'other.safetensors'
    path.write_text('no weights')
    with pytest.raises(UserError, match='not a whole safetensors file'):
        predict.main(['predict', str(folder), f'--weights={path}'])
