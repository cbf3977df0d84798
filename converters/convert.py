"""Converts a published weight file to a safetensors file of this project.

    python -m converters.convert ca_pf_hrnet_32.bin pretrained/ca_pf_hrnet_32.safetensors
    python -m converters.convert ~/Downloads/pose_hrnet_w32.pth hrnet.safetensors --model=hrnet_w32
    python -m converters.convert hrnet_w32_h36m_256x256.pth hrnet.safetensors --skeleton=h36m17
    python -m converters.convert movenet-thunder.json movenet_thunder.safetensors

The source is a .pth, .pth.tar, .bin, .pt, .ckpt or .safetensors file of PyTorch, the .json file of
a graph model of TensorFlow.js, or an npm package (.tgz) that holds one. The model is recognised by
its keys and shapes. Every key is used or knowingly dropped, every parameter is filled and every
shape is checked, or nothing is written. The target says in its metadata what it holds, so that
loading it needs nothing else. What neither keys nor shapes tell, such as which joints the heatmaps
are of, is assumed and said. `python -m converters.inspect FILE` says the same without converting.
"""

from __future__ import annotations

from collections.abc import Sequence

from capf_jax.errors import UserError
from capf_jax.pose import skeletons
from capf_jax.runtime import commands
from converters.conversion import convert


def _crop(text: str) -> tuple[int, int]:
    """(H, W) of '384x288'."""
    sides = text.split('x')
    if len(sides) != 2 or not all(side.isdecimal() and 0 < int(side) < 10_000 for side in sides):
        raise UserError(f'--crop is {text!r}; give height and width in pixels, such as 384x288')
    return int(sides[0]), int(sides[1])


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('converters.convert', __doc__)
    parser.add_argument(
        'source', help='.pth, .pth.tar, .bin, .pt, .ckpt, .safetensors, .json or .tgz'
    )
    parser.add_argument('target', help='file to write, *.safetensors')
    parser.add_argument('--model', help='the model that it must be; recognised by default')
    parser.add_argument(
        '--skeleton',
        help=f'whose joints it is for, of {", ".join(skeletons.SKELETONS)}; by default those that '
        f'published files of its kind are for',
    )
    parser.add_argument(
        '--crop',
        help='height and width of its crops, such as 384x288, for a lifter and its detector',
    )
    parser.add_argument(
        '--drop', default='', help='beginnings of keys to leave out, with commas between'
    )
    values = parser.parse(argv)
    crop = _crop(values.crop) if values.crop else None
    drop = [beginning for beginning in values.drop.split(',') if beginning]
    model, skeleton = values.model, values.skeleton
    print(convert(values.source, values.target, model, skeleton, crop, drop))
    return 0


if __name__ == '__main__':
    commands.run(main)
