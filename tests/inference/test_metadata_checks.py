"""What a weight file says of itself is checked when it is opened, whoever wrote it."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from capf_jax.errors import UserError
from capf_jax.inference import weight_files


def written(folder, **metadata):
    path = folder / 'weights.safetensors'
    text = {name: json.dumps(value) for name, value in metadata.items()}
    save_file({'params/kernel': np.zeros(2, np.float32)}, path, metadata=text)
    return path


@pytest.mark.parametrize(
    ('metadata', 'told'),
    [
        ({'kind': ['ca_pf']}, 'kind is'),
        ({'skeleton': {}}, 'skeleton is'),
        ({'kind': 'ca_pf', 'model': 3}, 'model is 3'),
        ({'kind': 'ca_pf', 'model': {'lifter': {'layers': 10**6}}}, 'lifter.layers is 1000000'),
        ({'kind': 'detector', 'model': {'hrnet': {'width': 'wide'}}}, 'hrnet.width is'),
        ({'kind': 'poseformer', 'model': {'layers': 10**6}}, 'layers is 1000000'),
        ({'kind': 'detector', 'crop': [256]}, 'crop is'),
        ({'kind': 'detector', 'config': {'data': {'builder': {'width': -1}}}}, 'width is -1'),
        ({'dropped': 3}, 'dropped is 3'),
        ({'kind': 'ca_pf_s', 'frames': 10**6}, 'frames is 1000000'),
        ({'kind': 'ca_pf_s', 'frame_step': 0}, 'frame_step is 0'),
        ({'kind': 'ca_pf_s', 'causal': 'yes'}, 'causal is'),
        ({'name': 7}, 'name is 7'),
    ],
)
def test_what_cannot_be_is_told(metadata, told, tmp_path):
    with pytest.raises(UserError, match=r'weights\.safetensors says of itself what cannot be') as e:
        weight_files.load_weights(written(tmp_path, **metadata))
    assert told in str(e.value)


def test_metadata_of_another_program_are_no_fault(tmp_path):
    _, metadata = weight_files.load_weights(written(tmp_path, format='pt'))
    assert metadata == {'format': 'pt'}
