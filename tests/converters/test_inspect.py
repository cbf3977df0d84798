"""What `converters.inspect` tells of weight files that come with the repository."""

import pathlib

import numpy as np

from capf_jax.inference.weight_files import save_weights
from converters import reading
from converters.inspect import inspect


def test_a_lifter_on_a_detector_without_pytorch_files_tells_its_parts():
    weights = pathlib.Path(__file__).parents[2] / 'pretrained' / 'photographs.safetensors'
    text = inspect(weights)
    assert 'lifter: 2,627,779 parameters, 0.102 GFLOP' in text
    assert 'detector: 6,226,046 parameters, 2.334 GFLOP' in text
    assert 'joints: h36m17' in text
    assert 'poses: metres' in text
    assert 'crops of 256x256' in text


def test_a_classifier_tells_its_classes_and_how_a_lifter_takes_it(tmp_path):
    parts = {
        'detector': {'params': {'stem': np.zeros((3, 4), np.float32)}},
        'classifier': {'params': {'dense': np.zeros((4, 2), np.float32)}},
    }
    metadata = {'kind': 'classifier', 'name': 'hrnet', 'classes': ['walking', 'sitting']}
    metadata |= dict.fromkeys(reading.OURS - metadata.keys())
    save_weights(tmp_path / 'classifier.safetensors', parts, metadata)
    text = inspect(tmp_path / 'classifier.safetensors')
    assert 'detector: 12 parameters\n  classifier: 8 parameters' in text
    assert "tells classes apart: ['walking', 'sitting']" in text
    assert '--noconfig.model.detector_head' in text
