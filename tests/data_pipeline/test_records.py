"""A Record comes back from a built dataset as it went in."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data_pipeline import records
from tests.data_pipeline import tiny_people


@pytest.fixture(scope='module')
def stored(tmp_path_factory):
    builder = tiny_people.build(tmp_path_factory.mktemp('data'), train=3, test=1)
    source = builder.as_data_source('train', decoders={'image': tfds.decode.SkipDecoding()})
    return {example['frame']: example for example in source}


@pytest.mark.parametrize('i', range(3))
def test_every_field_comes_back(stored, i):
    for name, expected in records.to_example(tiny_people.person(i)).items():
        actual = stored[i][name].decode() if isinstance(expected, str) else stored[i][name]
        np.testing.assert_array_equal(actual, expected, err_msg=name)


def test_features_name_the_fields_of_record():
    fields = records.to_example(tiny_people.person(0))
    assert set(records.features(17, 16, 12)) == set(fields)
