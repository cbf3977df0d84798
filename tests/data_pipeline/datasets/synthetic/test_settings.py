"""The fields of a synthetic dataset: named, checked, and told apart on disk."""

import dataclasses

import pytest

from data_pipeline.building import from_fields
from data_pipeline.datasets.synthetic.settings import Settings


def test_different_data_have_different_names():
    names = {
        dataclasses.replace(Settings(), **change).name
        for change in ({}, {'seed': 1}, {'light': 'random'}, {'jpeg_quality': 90}, {'height': 64})
    }
    assert len(names) == 5


def test_names_are_those_of_datasets_built_before():
    assert Settings().name == '128x96-20000-2000-overhead-noise8-seed0-2d1246'
    assert Settings(surface=True, light='random', processes=9).name == (
        '128x96-20000-2000-random-noise8-seed0-13c829'
    )


def test_unknown_field_is_named():
    with pytest.raises(ValueError, match=r"no field 'hieght'.*nearest is 'height'"):
        from_fields(Settings, {'hieght': 64}, 'synthetic')


@pytest.mark.parametrize(
    'fields',
    [
        {'train_size': 0},
        {'light': 'dark'},
        {'noise_sigma': -1.0},
        {'jpeg_quality': 0},
        {'processes': 0},
        {'seed': -1},
    ],
)
def test_senseless_fields_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        from_fields(Settings, fields, 'synthetic')
