"""Published weight files, rebuilt from the recipe, scored by one command on small real layouts.

The scores are those of a loop over the same people through `Estimator`, to 1e-4 mm.
"""

import functools

import jax
import numpy as np
import pytest
import torch

import capf_jax
from capf_jax import data_assembly, evaluate
from capf_jax.pose import metrics
from capf_jax.pose.normalise import normalise_by_image
from capf_jax.scoring import noise_sweep
from configs import human36m_cpn, human36m_hrnet32, mpi_inf_3dhp_hrnet32
from converters import engine, tables
from converters.conversion import convert
from converters.export import form_of
from data_pipeline import datasets
from tests.data_pipeline.datasets.human36m import raw_tree
from tests.data_pipeline.datasets.mpi_inf_3dhp import raw_tree as raw_3dhp
from tests.goldens import recipe

MM = 1000.0


def published_file(path, name):
    """A file as the authors' code writes it, with the recipe's weights under its keys."""
    size = next(one for one in tables.CA_PF if one.name == name)
    settings = tables.settings(size.detector, lifter=size.lifter)
    has_head = not size.detector.startswith('hrnet')
    model = tables.Model('ca_pf', name, size.skeleton, settings, head=has_head)
    tree = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), model.expected())
    keys = engine.to_torch(tree, model.rules, consume=True)
    state = recipe.state_dict({key: array.shape for key, array in keys.items()})
    around = form_of(model, {}, 'published')
    held = {around.prefix + key: torch.from_numpy(array) for key, array in state.items()}
    for wrapper in reversed(around.wrappers):
        held = {wrapper: held, 'epoch': 49}
    torch.save(held, path)
    return path


@functools.cache
def human36m(folder):
    """The fields of config.data for seven frames of S9's Walking."""
    raw_tree.write(folder / 'source', 'npz')
    chosen = {'subjects': ('S9',), 'actions': ('Walking',), 'cameras': ('54138969',)}
    return built(folder, human36m_hrnet32.get_config(), chosen)


@functools.cache
def mpi_inf_3dhp(folder):
    """The fields of config.data for the valid frames of TS1."""
    raw_3dhp.TS1.write(folder / 'source')
    return built(folder, mpi_inf_3dhp_hrnet32.get_config(), {'subjects': ('TS1',)})


def built(folder, config, chosen):
    config.data.dir = str(folder / 'data')
    config.data.builder.update(source=str(folder / 'source'), processes=1, **chosen)
    datasets.open_or_build(config.data, build=True)
    return config.data.to_dict()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('published')


CASES = {
    'ca_pf_hrnet_32': (human36m_hrnet32, human36m),
    'ca_pf_3dhp_hrnet_32': (mpi_inf_3dhp_hrnet32, mpi_inf_3dhp),
    'ca_pf_cpn': (human36m_cpn, human36m),
}


# The smallest stands for the others in the usual run of the tests.
USUAL = 'ca_pf_3dhp_hrnet_32'
PARAMS = [pytest.param(name, marks=() if name == USUAL else pytest.mark.slow) for name in CASES]


@pytest.fixture(scope='module', params=PARAMS)
def scored(request, folder):
    """A configuration, what convert says, and the weights for evaluate and for `Estimator`.

    All tests of a file share its Estimator, which is compiled once.
    """
    module, dataset = CASES[request.param]
    (place := folder / dataset.__wrapped__.__name__).mkdir(exist_ok=True)
    config = module.get_config()
    with config.unlocked():
        config.data = dataset(place)
    config.data.threads = 1
    config.evaluation.batch_size = 4  # The last batch is padded.
    source = published_file(folder / f'{request.param}.bin', request.param)
    weights = folder / f'{request.param}.safetensors'
    said = convert(source, weights)
    source.unlink()
    run = evaluate.open_weights(weights, config)
    return config, said, run, capf_jax.Estimator.load(weights, largest_batch=4)


def through_estimator(config, estimator, sigma=None):
    """MPJPE [N] in mm of every person of the test split, one call of Estimator.lift."""
    builder = datasets.open_or_build(config.data, build=False)
    split = data_assembly.open_split(builder, config)
    people = split.read(np.arange(len(split.labels['frame'])))
    if sigma is not None:
        people = jax.device_get(noise_sweep.add_noise(people, sigma))
    pose = estimator.lift(
        people.images,
        normalise_by_image(people.joints2d, people.image_size),
        people.joints2d_crop,
        flip_test=True,
    )
    return MM * metrics.mpjpe(pose, people.joints3d)


def assert_equal(result, expected):
    """The score to 1e-4 mm; the errors [N] of single people to the rounding of float32."""
    assert result.scores['mpjpe'] == pytest.approx(expected.mean(), abs=1e-4, rel=0)
    np.testing.assert_allclose(result.errors['mpjpe'], expected, rtol=1e-6)


@pytest.mark.parity
def test_the_score_is_that_of_a_loop_through_estimator(scored, request):
    config, _, run, estimator = scored
    result = run.evaluate()
    assert_equal(result, through_estimator(config, estimator))
    assert result.conditions['model'] == request.node.callspec.params['scored']


@pytest.mark.parity
@pytest.mark.slow
@pytest.mark.parametrize('scored', [USUAL], indirect=True)
def test_noise_is_swept_as_through_estimator(scored):
    config, _, run, estimator = scored
    (swept,) = run.sweep_noise([2.0]).values()
    assert_equal(swept, through_estimator(config, estimator, sigma=2.0))


def test_a_converted_file_says_its_unit(scored):
    config, said, _, estimator = scored
    unit = estimator.metadata['unit']
    in_mm = config.skeleton == 'mpi_inf_3dhp17'
    assert unit == ('mm' if in_mm else 'm')
    assert ('its poses are in mm' in said) == in_mm
