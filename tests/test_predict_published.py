"""The whole command on a photograph with published weights, rebuilt from the recipe."""

import pathlib

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from capf_jax import predict
from capf_jax.inference import aiming, people_files
from capf_jax.inference.estimator import Estimator
from capf_jax.pose import crops, joint_conversions
from capf_jax.pose.normalise import normalise_by_image
from converters import conversion, engine, tables
from converters.vitpose_names import vitpose_rules
from tests.converters.test_namings import transformers
from tests.goldens import manifests, recipe
from tests.models.detectors import published as detectors
from tests.parity import published
from tests.predicting import tiny_weights as tiny_weights  # a fixture

PHOTOGRAPH = pathlib.Path(__file__).parents[1] / 'examples' / 'balancing.jpg'
BOX = np.array([388.0, 388.0, 400.0, 1150.0])


def converted(folder, name, state_dict):
    """A converted weight file of the recipe's numbers under the keys of a published file."""
    source, target = folder / 'published.safetensors', folder / f'{name}.safetensors'
    save_file(state_dict, source)
    conversion.convert(source, target, name)
    source.unlink()
    return target


def predicted(folder, lifter, detector):
    """The one person whom the command gives in the photograph."""
    code = predict.main(
        [
            'predict', str(PHOTOGRAPH), f'--weights={lifter}', f'--detector_weights={detector}',
            f'--output={folder}/out', '--nopicture', f'--box={",".join(map(str, BOX))}',
            '--noflip_test', '--least_confidence=-100',
        ]
    )  # fmt: skip
    assert code == 0
    return people_files.read(folder / 'out' / f'{PHOTOGRAPH.stem}.npz')


def test_the_command_runs_the_published_model(tmp_path):
    """The pose in the file is what the published networks say of the crop and the joints."""
    lifter = converted(tmp_path, 'ca_pf_hrnet_32', published.state_dict('hrnet_32'))
    detector = converted(tmp_path, 'hrnet_w32', recipe.state_dict(manifests.read('hrnet_w32_coco')))
    people = predicted(tmp_path, lifter, detector)
    assert people.skeleton == 'h36m17'
    pixels = np.asarray(Image.open(PHOTOGRAPH))

    # The crop lies around the joints that are sure; the recipe's weights may find none.
    sure = people.confidence[0] >= aiming.LEAST_TO_AIM
    corners = BOX[:2] + np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * BOX[2:]
    around = people.joints2d[0][sure] if sure.sum() >= aiming.FEWEST_TO_AIM else corners
    view = crops.around_points(around, (192, 256))
    joints_crop = view.to_crop(people.joints2d[0])[None]
    size = np.array([pixels.shape[1::-1]], np.float64)
    by_image = normalise_by_image(people.joints2d, size)
    lifted = Estimator.load(lifter).lift(view.crop(pixels)[None], by_image, joints_crop)
    np.testing.assert_allclose(people.pose, lifted - lifted[:, :1], atol=1e-4)


def test_a_vitpose_of_hugging_face_finds_the_joints(weights, tmp_path):
    module = tables.detector('vitpose_s').detector
    shapes = engine.torch_shapes(
        vitpose_rules(module), detectors.shapes_of(module, (1, 256, 192, 3))
    )
    detector = converted(tmp_path, 'vitpose_s', transformers(recipe.state_dict(shapes)))
    people = predicted(tmp_path, weights, detector)
    pixels = np.asarray(Image.open(PHOTOGRAPH))
    corners = BOX[:2] + np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * BOX[2:]
    # The second crop lies around the joints that are found in the first, where these are sure.
    estimator, around = Estimator.load(detector), corners
    conversion_of_joints = joint_conversions.get('coco17', 'h36m17')
    for _ in range(2):
        view = crops.around_points(around, (192, 256))
        joints, sureness = estimator.joints(view.crop(pixels)[None])
        places = conversion_of_joints.joints(view.to_photograph(joints[0]))
        sure = conversion_of_joints.confidence(sureness[0]) >= aiming.LEAST_TO_AIM
        around = places[sure] if sure.sum() >= aiming.FEWEST_TO_AIM else corners
    np.testing.assert_allclose(people.joints2d[0], places, atol=0.05)
