"""Chips that programs are compiled for, what their makers publish of them, and topologies of them.

Peaks are of one chip, dense, without sparsity. No maker of a TPU publishes a peak for float32: a
matrix product in float32 is made of products of bfloat16, one at JAX's precision 'default' and six
at 'highest'.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import re
from typing import Any

import jax

from capf_jax.errors import UserError, unknown

REQUIREMENTS = 'requirements-accelerators.txt'
# Products of bfloat16 that stand for one of float32 on a TPU, by JAX's name of the precision.
PASSES = {
    'default': 1, 'fastest': 1, 'bfloat16': 1, 'high': 3, 'tensorfloat32': 3, 'highest': 6,
    'float32': 6,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Chip:
    """A kind of chip, by its published figures.

    Attributes:
      name: such as 'v5e'.
      flops: a second, at most, of products of bfloat16.
      memory: bytes of its large memory.
      bandwidth: bytes a second of that memory.
      source: where its maker publishes them.
      options: what makes one device of libtpu's topologies one chip.
    """

    name: str
    flops: float
    memory: float
    bandwidth: float
    source: str
    options: tuple[tuple[str, str], ...] = ()


_GOOGLE = 'https://docs.cloud.google.com/tpu/docs/'
# As read on 27 November 2026. The H100 is compiled for nowhere here: it is for estimates alone.
CHIPS = {
    chip.name: chip
    for chip in (
        # Both cores of a v4 are one device of JAX, as those of a v5p are; libtpu has to be told.
        Chip('v4', 275e12, 32 * 2**30, 1200e9, f'{_GOOGLE}v4', (('chip_config_name', 'megacore'),)),
        Chip('v5e', 197e12, 16e9, 819e9, f'{_GOOGLE}v5e'),
        Chip('v5p', 459e12, 95e9, 2765e9, f'{_GOOGLE}v5p-training'),
        Chip('v6e', 918e12, 32e9, 1600e9, f'{_GOOGLE}v6e'),
    )
}
H100 = Chip(
    'H100', 989.4e12, 80e9, 3350e9,
    'NVIDIA H100 SXM data sheet: 1,979 TFLOP/s in bfloat16 with sparsity, half of it without',
)  # fmt: skip
_H100_PCIE = Chip(
    'H100 PCIe', 756.5e12, 80e9, 2000e9,
    'NVIDIA H100 PCIe data sheet: 1,513 TFLOP/s in bfloat16 with sparsity, half of it without',
)  # fmt: skip
_H200 = Chip(
    'H200', 989.4e12, 141e9, 4800e9, 'NVIDIA H200 SXM data sheet: products as the H100 SXM'
)
_A100 = Chip('A100', 312e12, 80e9, 2039e9, 'NVIDIA A100 data sheet, 80 GB SXM')
# GPUs by the whole name that JAX and PyTorch give them. A name that is not here has no peak: boards
# of one chip differ in it.
GPUS = {
    'NVIDIA H100 80GB HBM3': H100,
    'NVIDIA H100 PCIe': _H100_PCIE,
    'NVIDIA H200': _H200,
    'NVIDIA A100-SXM4-80GB': _A100,
}
TOPOLOGIES = ('v5e:2x2', 'v6e:2x2', 'v4:2x2x4', 'v5p:2x2x1')  # what is compiled for unasked
_TOPOLOGY = re.compile(r'(\w+):(\d+x\d+(?:x\d+)?)')


def chip_of(topology: str) -> Chip:
    """The chip of a topology such as 'v5e:2x2'.

    Raises:
      UserError: there is no such chip, or no topology is written like that.
    """
    match = _TOPOLOGY.fullmatch(topology)
    if not match or match[1] not in CHIPS:
        raise unknown('--topology', topology, TOPOLOGIES)
    return CHIPS[match[1]]


def devices_of(topology: str) -> list[jax.Device]:
    """Devices to compile for, one a chip; none of them is at hand.

    Raises:
      UserError: there is no such topology, or libtpu is not installed.
    """
    chip = chip_of(topology)
    if importlib.util.find_spec('libtpu') is None:
        raise UserError(
            'programs for TPUs are compiled by libtpu, which is not installed: '
            f'pip install -r {REQUIREMENTS}'
        )
    # Without these libtpu asks the network which TPU this machine is, and complains at length.
    os.environ.setdefault('TPU_SKIP_MDS_QUERY', '1')
    os.environ.setdefault('TPU_ACCELERATOR_TYPE', 'v5litepod-4')
    os.environ.setdefault('TPU_WORKER_HOSTNAMES', 'localhost')
    # It lets one process at a time have the machine's TPU, and here nobody touches any.
    os.environ.setdefault('ALLOW_MULTIPLE_LIBTPU_LOAD', '1')
    from jax.experimental import topologies  # it starts libtpu

    options: dict[str, Any] = dict(chip.options)
    try:
        description = topologies.get_topology_desc(
            platform='tpu', topology_name=topology, **options
        )
    except jax.errors.JaxRuntimeError as error:
        raise UserError(
            f'libtpu refuses --topology {topology!r} ({str(error).splitlines()[0]}): '
            f'name one that it builds, such as {", ".join(TOPOLOGIES)}'
        ) from error
    return list(description.devices)


def hosts_of(devices: list[jax.Device]) -> int:
    """How many machines these devices are in."""
    return len({device.process_index for device in devices})
