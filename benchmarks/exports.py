"""`python -m benchmarks.exports`: every published model that converts, exported and compared.

    python -m benchmarks.exports [NAME ...] [--format=stablehlo,onnx] [--out=exports]

NAME is one for which tests/goldens/manifests.py has PyTorch keys and shapes. For each, a file with
the weights of the parity recipe is converted and exported whole, each format in a process of its
own, and compared with JAX at batch 1 and 5. Rows that --out holds are not made again; the exported
files themselves are removed, since they are large.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tabulate
from tqdm import tqdm

from capf_jax import export
from capf_jax.errors import unknown
from capf_jax.runtime import commands, files
from tests.goldens import manifests, recipe

HEADER = ('file', 'format', 'MB', 'off by, of what is allowed', 'export, s', 'one sample, ms')
CALLS = 20  # of one sample, after a first


def measure(name: str, format_name: str) -> dict[str, Any]:
    """Exports a published file, with the weights of the parity recipe; a row, see `row_of`."""
    with tempfile.TemporaryDirectory() as place:
        weights = pathlib.Path(place, 'a.safetensors')
        write_weights(name, weights)
        return row_of(name, weights, format_name)


def write_weights(name: str, path: pathlib.Path) -> None:
    """A weight file of the keys and shapes of a published one, with the weights of the recipe."""
    import torch

    from converters.conversion import convert

    state = recipe.state_dict(manifests.read(name))
    tensors = {key: torch.from_numpy(np.asarray(array)) for key, array in state.items()}
    with tempfile.TemporaryDirectory() as place:
        source = pathlib.Path(place, 'a.pth')
        torch.save(tensors, source)
        del state, tensors
        convert(source, path)


def row_of(name: str, weights: pathlib.Path, format_name: str) -> dict[str, Any]:
    """Exports a weight file and compares it.

    Returns:
      A row: 'bytes', 'differences' (of each output the largest at any batch, and what is allowed),
      'export_seconds' with the comparison's, and 'call_seconds', of the fastest call with one
      sample.
    """
    from capf_jax.exporting import folder, networks_to_export
    from capf_jax.exporting.formats import FORMATS

    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        exported = networks_to_export.of_file(weights)
        path = folder.write(exported, [format_name], pathlib.Path(place))
        ((file, differences),) = folder.check(path).items()
        seconds = time.perf_counter() - start
        manifest = json.loads(path.read_text())
        with np.load(path.parent / manifest['parity']['file'], allow_pickle=False) as proof:
            inputs = [proof[f'inputs/{one["name"]}'][:1] for one in manifest['inputs']]
        call = FORMATS[format_name].opened(path.parent / file)
        largest: dict[str, list[float]] = {}
        for one in differences:
            known = largest.setdefault(one.output, [0.0, one.tolerance])
            known[0] = max(known[0], one.amount)
        return {
            'name': name,
            'format': format_name,
            'bytes': (path.parent / file).stat().st_size,
            'differences': largest,
            'export_seconds': seconds,
            'call_seconds': _fastest(call, inputs),
        }


def _fastest(call: Any, inputs: Sequence[np.ndarray]) -> float:
    call(inputs)
    seconds = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call(inputs)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown; of the outputs the one that is farthest off for what it may be."""
    cells = []
    for row in rows:
        output, (off, allowed) = max(
            row['differences'].items(), key=lambda item: item[1][0] / item[1][1]
        )
        cells.append(
            (
                row['name'], row['format'], f'{row["bytes"] / 1e6:.1f}',
                f'{output} {off:.1e} of {allowed:.0e}', f'{row["export_seconds"]:.0f}',
                f'{1000 * row["call_seconds"]:.1f}',
            )
        )  # fmt: skip
    return tabulate.tabulate(cells, HEADER, 'github', disable_numparse=True)


def main(argv: Sequence[str]) -> int:
    """Makes the rows that are missing, and prints all; 1 if one fails or differs by too much."""
    parser = commands.Parser('benchmarks.exports', __doc__)
    parser.add_argument('names', nargs='*', help='published files; by default all')
    parser.add_argument('--format', default='stablehlo,onnx', help='one or both, with a comma')
    parser.add_argument('--out', type=commands.path, default='exports', help='folder of the rows')
    parser.add_argument('--row', type=commands.path, help='make one row in this process')
    values = parser.parse(argv)
    formats = export.formats_of(values.format)
    names = values.names or manifests.names()
    for name in names:
        if name not in manifests.names():
            raise unknown('NAME', name, manifests.names())
    if values.row is not None:
        with files.whole(values.row) as temporary:
            temporary.write_text(json.dumps(measure(names[0], formats[0]), indent=1))
        return 0
    values.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in tqdm(names, unit='file'):
        for format_name in formats:
            path = values.out / f'{name}_{format_name}.json'
            if not path.is_file():
                command = [sys.executable, '-m', 'benchmarks.exports', name]
                subprocess.run([*command, f'--format={format_name}', f'--row={path}'], check=False)
            if path.is_file():  # Otherwise its process has said what is wrong.
                rows.append(json.loads(path.read_text()))
    print(table(rows))
    errors = [pair for row in rows for pair in row['differences'].values()]
    is_whole = len(rows) == len(names) * len(formats)
    return 0 if is_whole and all(off <= allowed for off, allowed in errors) else 1


if __name__ == '__main__':
    commands.run(main)
