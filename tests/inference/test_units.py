"""The unit of a weight file's poses, and weights that change to another one."""

import numpy as np
import pytest

from capf_jax.inference import units

OF_3DHP = {'kind': 'ca_pf', 'skeleton': 'mpi_inf_3dhp17'}
OF_HUMAN36M = {'kind': 'ca_pf', 'skeleton': 'h36m17'}


@pytest.mark.parametrize(
    ('metadata', 'unit'),
    [
        (OF_3DHP | {'unit': 'm'}, 'm'),
        (OF_HUMAN36M | {'unit': 'mm'}, 'mm'),
        # Files of before the field: converted ones of 3DHP give millimetres, runs never did.
        (OF_3DHP | {'converter': '0.1.0'}, 'mm'),
        (OF_3DHP, 'm'),
        (OF_HUMAN36M | {'converter': '0.1.0'}, 'm'),
        ({'kind': 'detector', 'skeleton': 'mpi_inf_3dhp17', 'converter': '0.1.0'}, 'm'),
    ],
)
def test_the_unit_of_a_file(metadata, unit):
    assert units.unit_of(metadata) == unit


def test_another_unit_is_an_error():
    with pytest.raises(ValueError, match="poses are in 'inch'; known are m and mm"):
        units.unit_of({'unit': 'inch'})


def test_the_head_alone_changes_with_the_unit():
    other = np.ones(2, np.float32)
    head = {'kernel': np.full((2, 3), 0.5, np.float32), 'bias': np.ones(3, np.float32)}
    lifter = {'params': {'norm': other, 'head': head}}
    in_mm = units.in_unit(lifter, 'm', 'mm')['params']
    np.testing.assert_array_equal(in_mm['head']['kernel'], np.full((2, 3), 500, np.float32))
    np.testing.assert_array_equal(in_mm['head']['bias'], np.full(3, 1000, np.float32))
    assert in_mm['norm'] is other
    assert in_mm['head']['kernel'].dtype == np.float32
    assert units.in_unit(lifter, 'mm', 'mm') is lifter
