"""The section `model` of a configuration describes modules, or says what is wrong with it."""

import importlib

import pytest

from capf_jax.inference import model_settings
from capf_jax.pose import skeletons
from configs import base
from tests import tiny


@pytest.mark.parametrize(
    ('name', 'detector', 'joints'),
    [
        ('synthetic', None, 'h36m17_surface'),
        ('synthetic', 'vitpose_b', 'coco17'),
        ('synthetic', 'cpn50', 'coco17'),
        ('own_data', 'hrnet_w48', 'coco17'),
        ('human36m_hrnet32', None, 'coco17'),
        ('human36m_hrnet32', 'hrnet', 'h36m17'),
    ],
)
def test_naming_a_detector_is_enough(name, detector, joints):
    config = importlib.import_module(f'configs.{name}').get_config()
    config.model.detector = detector or config.model.detector
    model = tiny.ca_pf(config)
    joint_set = skeletons.get(config.skeleton)
    assert model_settings.detector_joints(config.model, joint_set).name == joints
    assert model.detector.num_joints == len(skeletons.get(joints))


def test_unknown_detector_is_an_error():
    config = tiny.config()
    config.model.detector = 'hrnet_w23'
    with pytest.raises(ValueError, match=r"'hrnet_w23'.* nearest is 'hrnet_w32'"):
        tiny.ca_pf(config)


@pytest.mark.parametrize(('detector', 'step'), [('movenet_thunder', 0), ('hrnet_w32', 3)])
def test_crops_of_any_size_suit_detectors_that_learn_here_and_lifters_without_one(detector, step):
    model = base.get_config().model
    model.detector, model.lifter.ablation_step = detector, step
    model_settings.check_crop(model, 128, 96)


def test_crops_of_another_size_than_the_published_detectors_are_an_error():
    model = base.get_config().model
    model.detector = 'movenet_thunder'
    model_settings.check_crop(model, 256, 256)
    with pytest.raises(ValueError, match=r'takes crops of 256x256 .* makes 256x192'):
        model_settings.check_crop(model, 256, 192)


def test_crops_of_another_size_than_ones_own_vitpose_are_an_error():
    model = base.get_config().model
    model.detector, model.vitpose.crop = 'vitpose', (128, 96)
    model_settings.check_crop(model, 128, 96)
    with pytest.raises(ValueError, match=r'128x96 .* makes 256x192: .* model\.vitpose\.crop'):
        model_settings.check_crop(model, 256, 192)


def test_joints_of_a_detector_without_heatmaps_are_an_error():
    config = tiny.config()
    config.model.hrnet.skeleton = 'coco17'
    config.model.joints2d = 'detector'
    config.model.detector_head = False
    with pytest.raises(ValueError, match=r'model.joints2d asks .* model.detector_head is False'):
        tiny.ca_pf(config)
