"""The whole command on a picture with published weights, rebuilt from the recipe."""

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from capf_jax import predict
from capf_jax.inference import people_files
from capf_jax.inference.estimator import Estimator
from capf_jax.pose import crops
from capf_jax.pose.normalise import normalise_by_image
from converters import conversion
from tests.goldens import manifests, recipe
from tests.parity import published

SIZE = (320, 240)
BOX = np.array([90.0, 30.0, 120.0, 180.0])


def converted(folder, name, state_dict):
    """A converted weight file of the recipe's numbers under the keys of a published file."""
    source, target = folder / 'published.safetensors', folder / f'{name}.safetensors'
    save_file(state_dict, source)
    conversion.convert(source, target, name)
    source.unlink()
    return target


def test_the_command_runs_the_published_model(tmp_path):
    """The pose in the file is what the published networks say of the crop and the joints."""
    lifter = converted(tmp_path, 'ca_pf_hrnet_32', published.state_dict('hrnet_32'))
    detector = converted(tmp_path, 'hrnet_w32', recipe.state_dict(manifests.read('hrnet_w32_coco')))
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'picture.png')

    code = predict.main(
        [
            'predict', str(tmp_path / 'picture.png'), f'--weights={lifter}',
            f'--detector_weights={detector}', f'--output={tmp_path}/out', '--nopicture',
            f'--box={",".join(map(str, BOX))}', '--noflip_test', '--least_confidence=-100',
        ]
    )  # fmt: skip
    assert code == 0
    people = people_files.read(tmp_path / 'out' / 'picture.npz')
    assert people.skeleton == 'h36m17'

    # The crop lies around the joints that are sure; the recipe's weights may find none.
    sure = people.confidence[0] >= aiming.SURE
    corners = BOX[:2] + np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * BOX[2:]
    around = people.joints2d[0][sure] if sure.sum() >= aiming.FEWEST_SURE else corners
    view = crops.around_points(around, (192, 256))
    joints_crop = view.to_crop(people.joints2d[0])[None]
    by_image = normalise_by_image(people.joints2d, np.array([SIZE], np.float64))
    expected = Estimator.load(lifter).lift(view.crop(pixels)[None], by_image, joints_crop)
    np.testing.assert_allclose(people.pose, expected, atol=1e-4)
