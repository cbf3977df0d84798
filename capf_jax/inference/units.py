"""The unit of the poses that a lifter's weights give, and how the weights change to another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from capf_jax.errors import UserError

IN_A_METRE = {'m': 1.0, 'mm': 1000.0}
# What published CA-PF files of these joints give; all others give metres.
PUBLISHED = {'mpi_inf_3dhp17': 'mm'}


def published(skeleton: str) -> str:
    """The unit of the poses that a published CA-PF of these joints gives."""
    return PUBLISHED.get(skeleton, 'm')


def unit_of(metadata: Mapping[str, Any]) -> str:
    """'m' or 'mm': the unit of the poses of a weight file.

    A file of before the field `unit` existed gives millimetres if it was converted from a published
    one that does.

    Raises:
      UserError: the file names another unit.
    """
    before = 'm'
    if 'converter' in metadata and metadata.get('kind') == 'ca_pf':
        before = published(str(metadata.get('skeleton')))
    unit = metadata.get('unit', before)
    if unit not in IN_A_METRE:
        raise UserError(
            f'it says that its poses are in {unit!r}; known are {" and ".join(IN_A_METRE)}: '
            'convert or train it again'
        )
    return unit


def in_unit(lifter: Mapping[str, Any], unit: str, target_unit: str) -> Mapping[str, Any]:
    """A lifter's variables, giving poses in another unit; the same where both units are one.

    The last layer alone changes, since a pose is linear in it.

    Args:
      lifter: {'params': ...} of NumPy arrays.
      unit: of the poses that it gives, a key of `IN_A_METRE`.
      target_unit: of the poses that it is to give.
    """
    if unit == target_unit:
        return lifter
    factor = IN_A_METRE[target_unit] / IN_A_METRE[unit]
    head = {
        name: (factor * np.asarray(value, np.float64)).astype(np.asarray(value).dtype)
        for name, value in lifter['params']['head'].items()
    }
    return {**lifter, 'params': {**lifter['params'], 'head': head}}
