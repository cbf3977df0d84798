"""What a weight file says of itself goes into a configuration that it is scored by."""

import pytest

from capf_jax.errors import UserError
from capf_jax.inference import start_weights, weight_files
from capf_jax.inference.start_weights import StartWeights
from configs import photographs


def of_photographs(**parameters):
    """The content of a lifter's file as training writes it, with these parts of the detector."""
    config = photographs.get_config()
    metadata = {'kind': 'ca_pf', 'skeleton': config.skeleton, 'model': config.model.to_dict()}
    return config, StartWeights('a.safetensors', metadata, {'detector': {'params': parameters}})


def test_the_heatmaps_of_movenet_are_a_head():
    config, weights = of_photographs(heatmaps={}, backbone={})
    assert start_weights.described(config, weights).model.detector_head


def test_a_file_of_before_the_frame_is_in_that_of_the_camera():
    config, weights = of_photographs(heatmaps={}, backbone={})
    for field in ('frame', 'joints2d', 'joint_conversion'):
        del weights.metadata['model'][field]
    model = start_weights.described(config, weights).model
    assert (model.frame, model.joints2d) == ('camera', 'dataset')


def test_a_person_finder_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / 'finder.safetensors'
    weight_files.save_weights(path, {'params': {}}, {'kind': 'person_finder'})
    with pytest.raises(UserError, match='finds the people of whole pictures'):
        start_weights.read(str(path))


def test_a_file_of_before_a_field_has_what_such_files_had():
    config, weights = of_photographs()
    del weights.metadata['model']['lifter']['robust']
    config.model.lifter.robust = ('noise',)
    assert start_weights.described(config, weights).model.lifter.robust == ()
