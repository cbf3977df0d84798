"""The sizes that Context-Aware PoseFormer was published in, and the names of their weight files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from capf_jax.models.lifter import Lifter

# `_comparable` leaves out these fields, or reads them in its own way.
FREE = ('levels', 'drop_path', 'ablation_step')


@dataclasses.dataclass(frozen=True)
class PublishedSize:
    """One published CA-PF.

    Attributes:
      name: its name in the metadata of its converted file.
      detector: its backbone, a name in detectors/catalog.py.
      skeleton: its joints, a name in pose/skeletons.py.
      lifter: fields in which it differs from `Lifter`'s defaults.
    """

    name: str
    detector: str
    skeleton: str
    lifter: Mapping[str, Any]


def _mpi_inf_3dhp(name: str, detector: str, channels: int) -> PublishedSize:
    lifter = {'deformable': False, 'channels': channels}
    return PublishedSize(name, detector, 'mpi_inf_3dhp17', lifter)


CA_PF = (
    PublishedSize('ca_pf_hrnet_32', 'hrnet_w32', 'h36m17', {}),
    PublishedSize('ca_pf_hrnet_48', 'hrnet_w48', 'h36m17', {}),
    PublishedSize('ca_pf_cpn', 'cpn50', 'h36m17', {}),
    _mpi_inf_3dhp('ca_pf_3dhp_hrnet_32', 'hrnet_w32', 64),
    _mpi_inf_3dhp('ca_pf_3dhp_hrnet_48', 'hrnet_w48', 96),
)
OWN_SIZE = 'ca_pf'  # the name of all others


def ca_pf_name(detector: str, skeleton: str, lifter: Any) -> str:
    """The name of a CA-PF: a published size's, or 'ca_pf'.

    Args:
      detector: `config.model.detector`.
      skeleton: `config.skeleton`.
      lifter: all fields of `config.model.lifter`, as a mapping or as the ConfigDict itself, which
        is none.
    """
    if tuple(lifter['levels']) not in ((), Lifter().levels):
        return OWN_SIZE
    for size in CA_PF:
        fields = {name: getattr(Lifter(**size.lifter), name) for name in lifter}
        same_data = (size.detector, size.skeleton) == (detector, skeleton)
        if same_data and _comparable(fields) == _comparable(lifter):
            return size.name
    return OWN_SIZE


def _comparable(lifter: Any) -> dict[str, Any]:
    """The fields that decide a size, with one spelling for lifters of the same modules."""
    fields = {name: value for name, value in lifter.items() if name not in FREE}
    step = lifter['ablation_step']
    fields['step'] = min(step, 2)
    fields['robust'] = tuple(lifter.get('robust', ()))  # files of before this field have none
    fields['deformable'] = lifter['deformable'] and step >= 3
    if not fields['deformable']:
        del fields['deformable_heads'], fields['sampling_points']
    return fields
