"""Converts a published weight file to a safetensors file of this project.

    python -m converters.convert ca_pf_hrnet_32.bin pretrained/ca_pf_hrnet_32.safetensors
    python -m converters.convert ~/Downloads/pose_hrnet_w32.pth hrnet.safetensors --model=hrnet_w32
    python -m converters.convert movenet-thunder.json movenet_thunder.safetensors

The source is a .pth, .pth.tar, .bin, .pt or .safetensors file of PyTorch, the .json file of a graph
model of TensorFlow.js, or an npm package (.tgz) that holds one. The model is recognised by its keys
and shapes. Every key is used or knowingly dropped, every parameter is filled and every shape is
checked, or nothing is written. The target says in its metadata what it holds, so that loading it
needs nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from capf_jax.runtime import commands
from converters.conversion import convert


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('converters.convert', __doc__)
    parser.add_argument('source', help='.pth, .pth.tar, .bin, .pt, .safetensors, .json or .tgz')
    parser.add_argument('target', help='file to write, *.safetensors')
    parser.add_argument('--model', help='the model that it must be; recognised by default')
    values = parser.parse(argv)
    print(convert(values.source, values.target, values.model))
    return 0


if __name__ == '__main__':
    commands.run(main)
