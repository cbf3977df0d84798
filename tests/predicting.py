"""What the tests of the command predict share: a tiny model, three pictures, and the command."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from capf_jax import predict
from capf_jax.inference.weight_files import save_weights
from tests import tiny

SIZE = (160, 120)
BOX = '40,20,60,80'


@pytest.fixture(name='weights', scope='module')
def tiny_weights(tmp_path_factory):
    """A file of random weights in the published frame, whose detector finds the lifter's joints."""
    config = tiny.config()
    shapes = jax.eval_shape(tiny.ca_pf(config).init, jax.random.key(0), tiny.batch(1))
    random = np.random.default_rng(0)

    def fill(path, leaf):
        values = random.normal(0, 0.1, leaf.shape)
        return np.float32(1 + values if path[-1].key in ('var', 'scale') else values)

    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    metadata = {
        'kind': 'ca_pf',
        'name': 'tiny',
        'skeleton': config.skeleton,
        'model': config.model.to_dict(),
        'config': config.to_dict(),
    }
    save_weights(path, jax.tree_util.tree_map_with_path(fill, shapes), metadata)
    return path


@pytest.fixture(name='folder')
def folder_of_pictures(tmp_path):
    """Three pictures."""
    source = tmp_path / 'pictures'
    source.mkdir()
    random = np.random.default_rng(0)
    for name in 'abc':
        pixels = random.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
        Image.fromarray(pixels).save(source / f'{name}.png')
    return source


@pytest.fixture(name='run')
def run_predict(weights, tmp_path):
    """Runs the command with the tiny model, without figures."""

    def command(source, *arguments):
        paths = source if isinstance(source, list) else [source]
        always = (f'--weights={weights}', f'--output={tmp_path / "out"}', '--nopicture')
        return predict.main(['predict', *map(str, paths), *always, *arguments])

    return command


def written(tmp_path):
    return sorted(path.name for path in (tmp_path / 'out').iterdir())


def coco(tmp_path, *names):
    """A file with one person of COCO's joints in each of the pictures."""
    places = np.random.default_rng(1).uniform(30, 100, (17, 2)).round(2)
    keypoints = np.concatenate([places, np.ones((17, 1))], axis=1).ravel().tolist()
    path = tmp_path / 'joints.json'
    path.write_text(json.dumps([{'image_id': name, 'keypoints': keypoints} for name in names]))
    return path
