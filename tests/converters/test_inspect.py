"""What `converters.inspect` tells of weight files that come with the repository."""

import pathlib

from converters.inspect import inspect


def test_a_lifter_on_a_detector_without_pytorch_files_tells_its_parts():
    weights = pathlib.Path(__file__).parents[2] / 'pretrained' / 'photographs.safetensors'
    text = inspect(weights)
    assert 'lifter: 2,627,779 parameters, 0.102 GFLOP' in text
    assert 'detector: 6,226,046 parameters, 2.334 GFLOP' in text
    assert 'joints: h36m17' in text
    assert 'poses: metres' in text
    assert 'crops of 256x256' in text
