"""Every configuration: a training and an evaluation step, traced without computing."""

import dataclasses
import functools
import importlib
import pathlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from capf_jax import assembly
from capf_jax.inference import model_settings
from capf_jax.models import ca_pf
from capf_jax.models.lifter import Lifter
from capf_jax.models.poseformer import PoseFormer
from capf_jax.pose import skeletons
from capf_jax.pose.batch import AXIS, Batch
from capf_jax.runtime import configuration
from capf_jax.scoring import protocols
from data_pipeline.datasets.synthetic import poses

TRACED = {}  # (detector module, shapes) -> its traced outputs

FOLDER = pathlib.Path(__file__).resolve().parents[2] / 'configs'
NAMES = sorted(
    p.stem for p in FOLDER.glob('*.py') if p.stem not in ('__init__', 'arguments', 'base')
)
SEQUENCES = [name for name in NAMES if name.endswith(('_ca_pf_s', '_poseformer'))]
OF_DETECTORS = ['synthetic_detector', 'synthetic_classifier']
PUBLISHED = [
    name
    for name in NAMES
    if name.startswith(('human36m', 'mpi_inf_3dhp'))
    and name not in SEQUENCES
    and not name.endswith('_robust')
]


def get_config(name, arg=''):
    config = importlib.import_module(f'configs.{name}').get_config(arg)
    config.model.detector_weights = ''  # the tests have no weight files
    return config


def abstract_batch(config, size=1):  # models start with one person
    """Shapes and types of a batch of the dataset that the configuration names."""
    joints = len(skeletons.get(config.skeleton))
    height, width = (config.data.builder.get(n, d) for n, d in (('height', 256), ('width', 192)))
    stored, channels = {}, 3 if config.data.pictures and not config.data.features else 0
    if config.data.features:
        entry, projected = (
            model_settings.detector_entry(config.model),
            config.model.projection_channels,
        )
        numbers = projected * len(entry.channels) or sum(entry.channels)
        shape = (size, 2, joints, numbers)
        stored['contexts'] = jax.ShapeDtypeStruct(shape, jnp.float16)
        stored['context_joints'] = jax.ShapeDtypeStruct((size, 2, joints, 2), jnp.float32)

    def floats(*shape):
        return jax.ShapeDtypeStruct((size, *shape), jnp.float32)

    return Batch(
        images=jax.ShapeDtypeStruct((size, height, width, channels), jnp.uint8),
        joints2d=floats(joints, 2),
        joints2d_crop=floats(joints, 2),
        joints2d_crop_truth=floats(joints, 2),
        image_size=floats(2),
        affine=floats(2, 3),
        joints3d=floats(joints, 3),
        valid=jax.ShapeDtypeStruct((size,), bool),
        label=jax.ShapeDtypeStruct((size,), jnp.int32) if config.data.classes else None,
        index=jax.ShapeDtypeStruct((size,), jnp.int32),
        **stored,
    )


def batch_of_task(config):
    """`abstract_batch`, with the frames of a window where the task is a sequence."""
    batch = abstract_batch(config)
    if config.task != 'sequence':
        return batch
    return batch._replace(frames=abstract_batch(config, config.data.frames))


def check_steps(config):
    """Traces both steps; their outputs have the shapes that they should have.

    Two layers stand for more, which are alike; the second may drop paths.
    """
    configuration.check_values(config)
    config.model.lifter.layers = min(config.model.lifter.layers, 2)
    config.model.temporal_layers = min(config.model.temporal_layers, 2)
    task, batch = assembly.make_task(config), batch_of_task(config)
    state = jax.eval_shape(task.init, jax.random.PRNGKey(0), batch)

    one_shard = jax.vmap(task.train_step, in_axes=(None, 0), out_axes=None, axis_name=AXIS)
    sharded = jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype), batch)
    after, metrics = jax.eval_shape(one_shard, state, sharded)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == jax.tree.map(
        lambda x: (x.shape, x.dtype), state
    )
    assert metrics['loss'].shape == ()

    outputs = jax.eval_shape(task.eval_step, state, batch)
    beside = {'valid', 'index', 'input_error_px'}  # the last where the detector's joints go in
    predicted = {name: outputs[name].shape for name in outputs.keys() - beside}
    assert (
        predicted
        == {
            'lifter': {'pose': batch.joints3d.shape},
            'sequence': {'pose': batch.joints3d.shape},
            'detector': {'joints2d_crop': batch.joints2d_crop.shape},
            'classifier': {'logits': (1, len(config.data.classes))},
        }[task.name]
    )


@pytest.fixture
def detectors_traced_once(monkeypatch):
    """What a detector gives is traced once for all configurations that use it: seconds each.

    It comes without gradients, which is enough of a detector that is frozen.
    """
    apply, start = nn.Module.apply, ca_pf.random_variables

    def shapes_of(key, function, *arrays):
        key = (*key, str(jax.tree.map(lambda x: (x.shape, x.dtype), arrays)))
        if key not in TRACED:
            plain = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arrays)
            TRACED[key] = jax.eval_shape(function, *plain)
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), TRACED[key])

    def apply_once(module, variables, *inputs, **options):
        if 'rngs' in options or isinstance(module, Lifter | PoseFormer):
            return apply(module, variables, *inputs, **options)
        once = functools.partial(apply, module, **options)
        return shapes_of(('apply', module, str(options)), once, variables, *inputs)

    def start_once(module, key, crop):
        return shapes_of(('start', module), functools.partial(start, module, crop=crop), key)

    monkeypatch.setattr(nn.Module, 'apply', apply_once)
    monkeypatch.setattr(ca_pf, 'random_variables', start_once)


OF_LIFTERS = [  # those of the wider HRNet are like the others of their datasets, and slow
    pytest.param(name, marks=pytest.mark.slow if 'hrnet48' in name else ())
    for name in NAMES
    if name not in OF_DETECTORS
]


@pytest.mark.usefixtures('detectors_traced_once')
@pytest.mark.parametrize('name', OF_LIFTERS)
def test_a_training_and_an_evaluation_step_trace(name):
    config = get_config(name)
    assert config.task != 'detector'
    check_steps(config)


@pytest.mark.parametrize('name', OF_DETECTORS)
def test_a_training_and_an_evaluation_step_of_a_detector_trace(name):
    check_steps(get_config(name))


@pytest.mark.parametrize('network', ['vitpose', 'simplebaseline'])
def test_the_other_small_detectors_trace_and_so_do_lifters_on_them(network):
    check_steps(get_config('synthetic_detector', f'network={network}'))
    model = get_config('synthetic', f'network={network},weights=x.safetensors').model
    entry = model_settings.detector_entry(model)
    assert (model.detector, entry.joints) == (network, 'h36m17_surface')
    assert model_settings.lifter(model, skeletons.H36M17).levels == (0, 1, 2)


def test_the_classes_are_the_activities_that_are_rendered():
    assert set(get_config('synthetic_classifier').data.classes) == set(poses.ACTIVITIES)


PAPER = {  # batch, learning rate, decay an epoch, epochs, lifter's channels, deformable
    'human36m_hrnet32': ('hrnet_w32', 512, 6.4e-4, 0.99, 50, 128, True),
    'human36m_hrnet48': ('hrnet_w48', 512, 6.4e-4, 0.99, 50, 128, True),
    'human36m_cpn': ('cpn50', 256, 3.2e-4, 0.99, 50, 128, True),
    'mpi_inf_3dhp_hrnet32': ('hrnet_w32', 160, 7e-4, 0.97, 80, 64, False),
    'mpi_inf_3dhp_hrnet48': ('hrnet_w48', 160, 7e-4, 0.97, 80, 96, False),
    'mpi_inf_3dhp_hrnet32_published': ('hrnet_w32', 160, 7e-5, 0.97, 79, 64, False),
    'mpi_inf_3dhp_hrnet48_published': ('hrnet_w48', 160, 7e-5, 0.97, 79, 96, False),
}


def test_the_published_trainings_are_all_checked():
    assert sorted(PAPER) == PUBLISHED


@pytest.mark.parametrize('name', PUBLISHED)
def test_a_published_training_has_the_published_values(name):
    config = get_config(name)
    training, lifter = config.training, config.model.lifter
    rates = (training.batch_size, training.learning_rate, training.learning_rate_decay)
    assert PAPER[name] == (
        config.model.detector, *rates, training.epochs, lifter.channels, lifter.deformable,
    )  # fmt: skip
    assert training.weight_decay == 0.1
    if lifter.deformable:  # Otherwise there are no offset layers.
        assert training.offset_learning_rate_factor == 1
    assert (training.flip_probability, config.evaluation.flip_test) == (0.5, True)


@pytest.mark.parametrize('name', PUBLISHED)
def test_only_3dhp_as_published_learns_millimetres_and_moves_statistics(name):
    training = get_config(name).training
    moves = name.endswith('_published')
    expected = ('mm', 'batch') if moves else ('m', 'frozen')
    assert (training.target_unit, training.detector_statistics) == expected


@pytest.mark.parametrize('name', PUBLISHED)
def test_a_published_training_is_scored_by_its_datasets_protocol(name):
    config = get_config(name)
    assert config.evaluation.protocol == config.data.name
    protocols.get(config.evaluation.protocol).check_skeleton(skeletons.get(config.skeleton))
    assert config.data.joints2d == ('truth' if config.data.name == 'mpi_inf_3dhp' else 'detected')


def test_3dhp_poses_are_relative_to_joint_14():
    assert skeletons.get(get_config('mpi_inf_3dhp_hrnet32').skeleton).root == 14


@pytest.mark.parametrize('name', PUBLISHED)
def test_arguments_choose_step_levels_detector_and_2d_source(name):
    config = get_config(name, 'step=1,levels=0+3,detector=vitpose_b,joints2d=truth,seed=7')
    lifter = config.model.lifter
    assert (lifter.ablation_step, lifter.levels, config.seed) == (1, (0, 3), 7)
    assert (config.model.detector, config.data.joints2d) == ('vitpose_b', 'truth')


@pytest.mark.parametrize('name', PUBLISHED)
def test_a_detectors_weights_have_its_name_if_none_are_given(name):
    module = importlib.import_module(f'configs.{name}')
    plain = module.get_config('detector=vitpose_s').model.detector_weights
    own = module.get_config('weights=mine.safetensors').model.detector_weights
    assert (plain, own) == ('pretrained/vitpose_s.safetensors', 'mine.safetensors')


@pytest.mark.parametrize('name', PUBLISHED)
def test_the_datasets_builder_takes_its_fields(name, tmp_path):
    data = get_config(name).data
    builder = importlib.import_module(f'data_pipeline.datasets.{data.name}')
    data.dir = str(tmp_path)
    assert builder.builder_from_config(data).name == data.name


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_field_of_the_builder_is_in_the_config_with_its_default(name):
    data = get_config(name).data
    settings = importlib.import_module(f'data_pipeline.datasets.{data.name}').Settings
    defaults = {field.name: field.default for field in dataclasses.fields(settings)}
    assert data.builder.to_dict() == defaults


@pytest.mark.parametrize(
    ('override', 'value'),
    [
        ('source=/data/raw', '/data/raw'),
        ("subjects=('S9', 'S11')", ('S9', 'S11')),
        ("cameras=('54138969',)", ('54138969',)),
        ('frame_stride=5', 5),
        ('missing=skip', 'skip'),
        ('height=128', 128),
    ],
)
def test_a_builders_field_is_overridden_on_the_command_line(override, value):
    path = FOLDER / 'human36m_hrnet32.py'
    argv = ['build', f'--config={path}', f'--config.data.builder.{override}']
    builder = configuration.parse(argv, required=('config',)).config.data.builder
    assert builder[override.partition('=')[0]] == value


@pytest.mark.parametrize('name', PUBLISHED)
def test_the_docstring_marks_the_papers_score_and_says_that_nothing_was_run(name):
    text = importlib.import_module(f'configs.{name}').__doc__
    for words in (f'--config=configs/{name}.py', "paper's score, not ours", 'estimated', 'Not run'):
        assert words in text


def test_the_published_sizes_of_sequences():
    ca_pf_s, poseformer = (get_config(f'human36m_{name}') for name in ('ca_pf_s', 'poseformer'))
    lifter = ca_pf_s.model.lifter
    assert (ca_pf_s.data.frames, lifter.channels, lifter.deformable) == (27, 32, False)
    assert (lifter.layers, ca_pf_s.model.temporal_layers, lifter.drop_path) == (4, 4, 0.2)
    assert not ca_pf_s.model.temporal_position
    lifter, training = poseformer.model.lifter, poseformer.training
    assert (poseformer.data.frames, lifter.channels, lifter.drop_path) == (81, 32, 0.1)
    assert (training.batch_size, training.epochs, training.weight_decay) == (512, 200, 0.1)
    # An epoch of the published code has every window twice: two of ours.
    assert training.learning_rate_decay**2 == pytest.approx(0.99)


@pytest.mark.parametrize('name', SEQUENCES)
def test_the_docstring_of_a_sequence_has_the_papers_score(name):
    text = ' '.join(importlib.import_module(f'configs.{name}').__doc__.split())
    scores = '44.7, 44.2, 43.4, 40.2 mm' if 'ca_pf' in name else '53.2, 51.0, 49.9 and 44.3 mm'
    assert f'--config=configs/{name}.py' in text
    assert "The paper's score, not ours" in text or "the paper's score, not ours" in text
    assert scores in text


def test_a_kept_projection_and_the_whole_lifter_are_arguments():
    kept = get_config('human36m_ca_pf_s', 'frames=9,projection=single.safetensors')
    assert (kept.data.frames, kept.model.projection_channels) == (9, 32)
    whole = get_config('human36m_ca_pf_s', 'deformable=true')
    assert (whole.model.lifter.channels, whole.data.features) == (128, False)
    assert whole.training.batch_size == 512


@pytest.mark.usefixtures('detectors_traced_once')
@pytest.mark.parametrize('arg', ['deformable=true,frames=3', 'frames=1', 'maps=false'])
def test_other_lifters_of_windows_trace(arg):
    check_steps(get_config('synthetic_ca_pf_s', arg))


@pytest.mark.usefixtures('detectors_traced_once')
@pytest.mark.parametrize(
    ('name', 'arg'),
    [
        ('human36m_ca_pf_s', 'frames=1'),
        ('human36m_poseformer', 'frames=1'),
        *(  # they differ in sizes alone from those above, or from the synthetic ones
            pytest.param(name, arg, marks=pytest.mark.slow)
            for name, arg in (
                ('human36m_ca_pf_s', 'frames=3,projection=single.safetensors'),
                ('human36m_ca_pf_s', 'frames=9,causal=true'),
                ('human36m_ca_pf_s', 'frames=3,deformable=true'),
                ('human36m_poseformer', 'frames=3'),
                ('human36m_poseformer', 'frames=9'),
                ('human36m_poseformer', 'frames=27'),
            )
        ),
    ],
)
def test_human36m_with_other_windows_traces(name, arg):
    check_steps(get_config(name, arg))
