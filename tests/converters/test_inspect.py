"""What `converters.inspect` tells of weight files that come with the repository."""

import pathlib

from converters.inspect import inspect


def test_a_lifter_on_a_detector_without_pytorch_files_tells_its_parts():
    weights = pathlib.Path(__file__).parents[2] / 'pretrained' / 'photographs.safetensors'
    text = inspect(weights)
    assert 'lifter: 2,627,779 parameters' in text
    assert 'joints: h36m17' in text
    assert 'poses: m' in text
