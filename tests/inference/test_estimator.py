"""The Estimator on tiny models: the numbers of the model, any batch size, and clear refusals."""

import subprocess
import sys

import jax
import numpy as np
import pytest

import capf_jax
from capf_jax.inference import network_programs
from capf_jax.inference.weight_files import load_weights, save_weights
from capf_jax.models.poseformer import PoseFormer
from capf_jax.pose import skeletons
from capf_jax.pose.flip import flip_batch, flip_pose
from capf_jax.pose.normalise import normalise_by_image
from tests import tiny

FRAMES = 3


@pytest.fixture(scope='module')
def config():
    return tiny.config()


def filled(start, *args):
    """Variables of the shapes that `start` gives, without compiling it."""
    random = np.random.default_rng(0)

    def fill(path, leaf):
        if path[-1].key in ('var', 'scale'):
            return random.uniform(0.6, 1.4, leaf.shape).astype(np.float32)
        return random.normal(0, 0.3, leaf.shape).astype(np.float32)

    shapes = jax.eval_shape(lambda: start(jax.random.key(0), *args))
    return jax.tree_util.tree_map_with_path(fill, shapes)


@pytest.fixture(scope='module')
def variables(config):
    return filled(tiny.ca_pf(config).init, tiny.batch(1))


def save(path, holds, tensors, config, **changes):
    """A weight file with the metadata that training writes."""
    metadata = {
        'kind': holds,
        'name': holds,
        'skeleton': config.skeleton,
        'model': config.model.to_dict(),
        'config': config.to_dict(),
        **changes,
    }
    save_weights(path, tensors, metadata)
    return path


@pytest.fixture(scope='module')
def ca_pf(config, variables, tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'ca_pf.safetensors'
    return capf_jax.Estimator.load(save(path, 'ca_pf', variables, config), largest_batch=4)


@pytest.fixture(scope='module')
def poseformer(config, tmp_path_factory):
    fields = {'frames': FRAMES, 'channels': 8, 'layers': 1, 'heads': 2}
    shape = (1, FRAMES, tiny.JOINTS, 2)
    tensors = filled(PoseFormer(**fields).init, np.zeros(shape, np.float32))
    path = tmp_path_factory.mktemp('weights') / 'poseformer.safetensors'
    return capf_jax.Estimator.load(save(path, 'poseformer', tensors, config, model=fields))


def inputs(size, seed=0):
    """What `lift` takes, and the same people as a Batch."""
    batch = tiny.batch(size, seed)
    joints2d = normalise_by_image(batch.joints2d, batch.image_size)
    return (batch.images, joints2d, batch.joints2d_crop), batch


def test_importing_the_package_imports_no_jax():
    code = 'import capf_jax, sys; sys.exit("jax" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0


def test_lifting_gives_the_pose_of_the_model_with_and_without_flip_test(ca_pf, config, variables):
    people, batch = inputs(4)
    model = tiny.ca_pf(config)
    apply = jax.jit(lambda batch: model.apply(variables, batch)[0])
    plain = apply(batch)
    np.testing.assert_allclose(ca_pf.lift(*people), plain, rtol=0, atol=1e-5)
    mirrored = apply(flip_batch(batch, np.ones(4, bool), skeletons.H36M17))
    expected = (plain + flip_pose(mirrored, skeletons.H36M17)) / 2
    np.testing.assert_allclose(ca_pf.lift(*people, flip_test=True), expected, rtol=0, atol=1e-5)


def test_flip_test_of_a_mirrored_person_is_the_mirrored_pose(ca_pf):
    (crops, joints2d, joints2d_crop), _ = inputs(4)
    swap = list(skeletons.H36M17.flip)
    mirror = np.array([-1, 1], np.float32)
    mirrored = (
        crops[:, :, ::-1],
        joints2d[:, swap] * mirror,
        joints2d_crop[:, swap] * mirror + np.float32([tiny.WIDTH - 1, 0]),
    )
    pose = ca_pf.lift(crops, joints2d, joints2d_crop, flip_test=True)
    other = ca_pf.lift(*mirrored, flip_test=True)
    np.testing.assert_allclose(other[:, swap] * np.float32([-1, 1, 1]), pose, rtol=0, atol=1e-5)


def test_what_the_detector_sees_has_its_shapes(ca_pf):
    crops = tiny.batch(3).images
    maps, heatmaps = ca_pf.feature_maps(crops), ca_pf.heatmaps(crops)
    sizes = [(3, tiny.HEIGHT >> k, tiny.WIDTH >> k, 4 << k - 2) for k in (2, 3, 4, 5)]
    assert [one.shape for one in maps] == sizes
    assert {one.dtype for one in maps} == {np.dtype(np.float32)}
    assert heatmaps.shape == (3, tiny.HEIGHT // 4, tiny.WIDTH // 4, tiny.JOINTS)


def test_joints_are_within_half_a_heatmap_pixel_of_the_peaks(ca_pf):
    crops = tiny.batch(4).images
    heatmaps = ca_pf.heatmaps(crops)
    joints, confidence = ca_pf.joints(crops)
    flat = heatmaps.reshape(4, -1, tiny.JOINTS)
    y, x = np.divmod(flat.argmax(axis=1), tiny.WIDTH // 4)
    assert np.abs(joints - 4 * np.stack([x, y], axis=-1)).max() <= 2
    np.testing.assert_array_equal(confidence, flat.max(axis=1))


def test_flip_test_of_heatmaps_is_the_mean_with_the_mirrored_crops_moved_by_a_pixel(ca_pf):
    crops = tiny.batch(4).images
    mirrored = ca_pf.heatmaps(crops[:, :, ::-1])
    back = mirrored[:, :, ::-1][..., list(skeletons.H36M17.flip)]
    expected = (ca_pf.heatmaps(crops)[:, :, 1:] + back[:, :, :-1]) / 2
    flipped = ca_pf.heatmaps(crops, flip_test=True)
    np.testing.assert_allclose(flipped[:, :, 1:], expected, rtol=0, atol=1e-7)
    assert ca_pf.joints(crops, flip_test=True)[0].shape == (4, tiny.JOINTS, 2)


def test_any_number_of_people_runs_in_few_shapes(ca_pf):
    people, _ = inputs(11)
    whole = ca_pf.lift(*people)
    compiled = network_programs._lift.jitted()._cache_size()
    for size in (4, 3, 8, 11):
        part = ca_pf.lift(*(array[:size] for array in people))
        np.testing.assert_allclose(part, whole[:size], rtol=0, atol=1e-5)
    assert network_programs._lift.jitted()._cache_size() == compiled  # all in batches of 4


@pytest.mark.parametrize(
    ('number', 'size'), [(0, 1), (1, 1), (2, 2), (3, 4), (33, 64), (64, 64), (40, 48)]
)
def test_batches_are_padded_to_powers_of_two(number, size):
    largest = 48 if size == 48 else 64
    assert network_programs.padded_size(number, largest) == size


def test_a_detector_file_gives_what_the_whole_model_gives(ca_pf, config, variables, tmp_path):
    path = save(tmp_path / 'd.safetensors', 'detector', variables['detector'], config)
    detector = capf_jax.Estimator.load(path, largest_batch=4)
    crops = tiny.batch(4).images
    np.testing.assert_array_equal(detector.heatmaps(crops), ca_pf.heatmaps(crops))
    with pytest.raises(ValueError, match='holds detector, which has no lift; those are in files'):
        detector.lift(*inputs(4)[0])


def trained_with(tmp_path, detector_skeleton):
    """A whole model whose detector finds other joints than the lifter lifts, and its tensors."""
    settings = tiny.config()
    settings.model.detector_skeleton = detector_skeleton
    tensors = filled(tiny.ca_pf(settings).init, tiny.batch(1))
    path = save(tmp_path / 'w.safetensors', 'ca_pf', tensors, settings)
    return capf_jax.Estimator.load(path), tensors


def test_a_detector_of_more_joints_gives_those_of_the_lifter(tmp_path):
    loaded, tensors = trained_with(tmp_path, 'h36m17_surface')
    assert loaded.detector.joints == loaded.skeleton == skeletons.H36M17
    images = jax.ShapeDtypeStruct((1, tiny.HEIGHT, tiny.WIDTH, 3), np.float32)
    detector = loaded.detector
    detection = jax.eval_shape(detector.module.apply, detector.variables, images)
    assert detection.heatmaps.shape[-1] == tiny.JOINTS
    places = [skeletons.H36M17_SURFACE.index(name) for name in skeletons.H36M17.joints]
    stored = tensors['detector']['params']['head']['kernel'][..., places]
    np.testing.assert_array_equal(detector.variables['params']['head']['kernel'], stored)


def test_a_detector_that_lacks_joints_of_the_lifter_gives_its_own(tmp_path):
    loaded, _ = trained_with(tmp_path, 'coco17')
    assert (loaded.skeleton, loaded.detector.joints) == (skeletons.H36M17, skeletons.COCO17)


def test_a_sequence_gives_one_pose(poseformer):
    joints2d = np.random.default_rng(0).uniform(-1, 1, (4, FRAMES, tiny.JOINTS, 2))
    pose = poseformer.lift_sequence(joints2d)
    assert pose.shape == (4, tiny.JOINTS, 3)
    assert pose.dtype == np.float32
    np.testing.assert_allclose(poseformer.lift_sequence(joints2d[1:])[0], pose[1], atol=1e-5)
    assert poseformer.lift_sequence(joints2d[:0]).shape == (0, tiny.JOINTS, 3)


@pytest.mark.parametrize('method', ['feature_maps', 'heatmaps', 'joints'])
def test_a_file_without_a_detector_names_files_that_have_one(poseformer, method):
    with pytest.raises(ValueError, match=r'holds poseformer, which has no .*hrnet_w32'):
        getattr(poseformer, method)(tiny.batch(1).images)


def test_a_file_without_a_heatmap_head_says_so(config, variables, tmp_path):
    detector = variables['detector']
    params = {name: value for name, value in detector['params'].items() if name != 'head'}
    tensors = {**variables, 'detector': {**detector, 'params': params}}
    headless = capf_jax.Estimator.load(save(tmp_path / 'w.safetensors', 'ca_pf', tensors, config))
    with pytest.raises(ValueError, match=r'no heatmap head.*hrnet_w32, hrnet_w48'):
        headless.joints(tiny.batch(1).images)
    with pytest.raises(ValueError, match=r'which has no lift_sequence; those are in .*PoseFormer'):
        headless.lift_sequence(np.zeros((1, FRAMES, tiny.JOINTS, 2)))


def test_coordinates_alone_need_no_detector(tmp_path):
    settings = tiny.config()
    settings.model.lifter.ablation_step = 0
    model, (people, batch) = tiny.ca_pf(settings), inputs(4)
    tensors = filled(model.init, batch)
    path = save(tmp_path / 'w.safetensors', 'ca_pf', {'lifter': tensors['lifter']}, settings)
    pose = capf_jax.Estimator.load(path).lift(*people)
    np.testing.assert_array_equal(
        capf_jax.Estimator.load(path).lift(255 - people[0], *people[1:]), pose
    )


def test_the_control_experiment_is_refused(config, variables, tmp_path):
    settings = tiny.config()
    settings.model.lifter.detector_joints = True
    model = tiny.ca_pf(settings)
    path = tmp_path / 'w.safetensors'
    save(path, 'ca_pf', filled(model.init, tiny.batch(1)), settings)
    with pytest.raises(ValueError, match=r"detector's own joints.*capf_jax\.evaluate"):
        capf_jax.Estimator.load(path).lift(*inputs(1)[0])


WRONG = {
    'float crops': ({'crops': lambda x: x / 255}, r'crops is float64 \[2, 64, 32, 3\].*uint8'),
    'one crop': ({'crops': lambda x: x[0]}, r'uint8 \[64, 32, 3\]; it must be .*\[B, 64, 32, 3\]'),
    'size': ({'crops': lambda x: x[:, 8:]}, r'\[2, 56, 32, 3\].*\[B, 64, 32, 3\]'),
    'joints': ({'joints2d': lambda x: x[:, 1:]}, r'joints2d is float32 \[2, 16, 2\].*\[B, 17, 2\]'),
    'pixels': ({'joints2d': lambda x: 500 * (x + 1)}, 'looks like pixels; normalise it'),
    'not a number': ({'joints2d': lambda x: x * np.nan}, 'joints2d holds NaN.* in sample 0'),
    'normalised': ({'joints2d_crop': lambda x: x / 100}, 'joints2d_crop never leaves'),
    'whole image': ({'joints2d_crop': lambda x: x + 900}, 'not of the whole image'),
    'text': ({'joints2d_crop': lambda x: x.astype(str)}, 'must be float32'),
    'too few': ({'joints2d': lambda x: x[:1]}, '2 of crops, 1 of joints2d, 2 of joints2d_crop'),
}


@pytest.mark.parametrize(('changes', 'message'), WRONG.values(), ids=WRONG)
def test_wrong_inputs_are_one_sentence(ca_pf, changes, message):
    names = ('crops', 'joints2d', 'joints2d_crop')
    people = dict(zip(names, inputs(2)[0], strict=True))
    people |= {name: change(people[name]) for name, change in changes.items()}
    with pytest.raises(ValueError, match=message):
        ca_pf.lift(**people)


def test_a_sequence_of_another_length_is_refused(poseformer):
    with pytest.raises(ValueError, match=r'joints2d is float64 \[1, 4, 17, 2\].*\[B, 3, 17, 2\]'):
        poseformer.lift_sequence(np.zeros((1, 4, 17, 2)))


BROKEN = {
    'no kind': ({'kind': None}, 'does not say what model it holds'),
    'kind': ({'kind': 'cake'}, 'does not say what model it holds'),
    'skeleton': ({'skeleton': 'octopus'}, "skeleton is 'octopus'"),
    'detector': ({'model': {'detector': 'hrnet_w31'}}, "the nearest is 'hrnet_w32'"),
    'incomplete': ({'model': {}}, 'does not describe its ca_pf completely'),
}


@pytest.mark.parametrize(('changes', 'message'), BROKEN.values(), ids=BROKEN)
def test_a_file_that_does_not_describe_itself_is_refused(
    config, variables, tmp_path, changes, message
):
    path = save(tmp_path / 'w.safetensors', 'ca_pf', variables, config, **changes)
    with pytest.raises(ValueError, match=rf'w\.safetensors cannot be used: .*{message}'):
        capf_jax.Estimator.load(path)


def test_a_strangers_configuration_says_nothing_about_the_crops(config, variables, tmp_path):
    path = save(tmp_path / 'w.safetensors', 'ca_pf', variables, config)
    tensors, metadata = load_weights(path)
    save_weights(path, tensors, metadata | {'config': 'mine'})
    assert capf_jax.Estimator.load(path).crop_size is None


def test_other_tensors_than_described_are_named(config, variables, tmp_path):
    model = config.model.to_dict()
    model['lifter']['channels'] = 16
    path = save(tmp_path / 'w.safetensors', 'ca_pf', variables, config, model=model)
    with pytest.raises(ValueError, match=r'not those of the model.*first params/'):
        capf_jax.Estimator.load(path)
