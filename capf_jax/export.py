"""Exports a weight file to programs that run without this package: StableHLO and ONNX.

    python -m capf_jax.export pretrained/photographs.safetensors --out=exported
    python -m capf_jax.export ca_pf.safetensors --format=onnx --part=lifter --out=exported
    python -m capf_jax.export ca_pf.safetensors --format=onnx --onnx_types=float32,float16,int8 \\
        --out=exported
    python -m capf_jax.export --check=exported

--out gets, for the part, a file of each format, a proof (inputs, and JAX's outputs for them) and a
manifest in JSON that says what goes in and out. Every file is then compared with its proof at batch
1 and 5, as --check does again at any time: 1e-4 m are allowed to a pose in float32, and in the mean
1 mm in float16 and 5 mm where weights are int8. docs/export.md shows how the files are used.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from etils import epath

from capf_jax import errors
from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.exporting import folder, networks_to_export, tensors
from capf_jax.exporting.formats import FORMATS
from capf_jax.exporting.onnx_types import FLOAT32, TYPES
from capf_jax.runtime import commands, files


def formats_of(text: str) -> list[str]:
    """The formats of `--format`, names with commas between them.

    Raises:
      UserError: there is no such format; the nearest is named.
    """
    return _names('--format', text, FORMATS)


def _names(flag: str, text: str, known: Collection[str]) -> list[str]:
    """The names that a flag's text has between commas, each once; UserError for an unknown one."""
    names = [name.strip() for name in text.split(',')]
    for name in names:
        if name not in known:
            raise errors.unknown(flag, name, known)
    return list(dict.fromkeys(names))


def _report(manifest: files.AnyPath) -> bool:
    """Prints how far each file of a manifest is from JAX; whether all are near enough."""
    passes = True
    for name, differences in folder.check(manifest).items():
        size = epath.Path(manifest.parent / name).stat().length
        print(f'{manifest.parent / name}  {size / 1e6:.1f} MB')
        for one in differences:
            passes &= one.passes
            judgement = 'ok' if one.passes else 'TOO FAR'
            how = 'in the mean by' if one.is_mean else 'by at most'
            print(
                f'  batch {one.batch}  {one.output:<11} differs {how} {one.amount:.1e}, '
                f'allowed {one.tolerance:.0e}  {judgement}'
            )
    return passes


def main(argv: Sequence[str]) -> int:
    """Exports or checks; 1 if a file differs from JAX by too much."""
    parser = commands.Parser('capf_jax.export', __doc__)
    parser.add_argument('weights', nargs='?', help='a weight file of ours')
    parser.add_argument(
        '--format', default='stablehlo', help=f'{", ".join(FORMATS)}, or several, with commas'
    )
    parser.add_argument(
        '--part',
        default=tensors.ALL,
        help='detector, lifter, or all from the crop to what the file is for',
    )
    parser.add_argument('--out', type=commands.any_path, help='the folder to write to')
    parser.add_argument(
        '--onnx_types',
        help=f'types of the numbers in ONNX files, by default {FLOAT32}: {", ".join(TYPES)}, or '
        'several, with commas',
    )
    parser.add_argument(
        '--check', type=commands.any_path, help='compare the exports in this folder'
    )
    values = parser.parse(argv)
    programs.start_process()
    if values.check is not None:
        if values.weights or values.out or values.onnx_types:
            raise UserError(
                '--check compares what was exported: leave WEIGHTS, --out and --onnx_types away'
            )
        results = [_report(path) for path in folder.manifests(values.check)]
        return 0 if all(results) else 1
    if values.weights is None or values.out is None:
        raise UserError('name a weight file and --out=FOLDER, or --check=FOLDER')
    formats = formats_of(values.format)
    onnx_types = _names('--onnx_types', values.onnx_types or FLOAT32, TYPES)
    if values.onnx_types and 'onnx' not in formats:
        raise UserError('--onnx_types is for ONNX files: add --format=onnx, or leave it away')
    exported = networks_to_export.of_file(values.weights, values.part)
    return 0 if _report(folder.write(exported, formats, values.out, onnx_types)) else 1


if __name__ == '__main__':
    commands.run(main)
