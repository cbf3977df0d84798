"""What an ONNX file of another type of numbers costs in millimetres.

    python -m benchmarks.onnx_types pretrained/photographs.safetensors \\
        --config=configs/photographs.py:people=64

The weight file is exported whole in each type, and each file predicts the people of the test split
of --config, which is built if it is missing. A row tells the size of a file, its MPJPE, and how far
its 3D joints are from those of the float32 file: in the mean, 99 in 100 of them, and the farthest.
Then the same of the 2D joints where the file gives any, in pixels of the crop. The last column is
ONNX Runtime's time for one crop, in batches of 8, which says nothing on a machine that is busy.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import tempfile
import time
from collections.abc import Mapping, Sequence

import numpy as np
import tabulate
from ml_collections import ConfigDict
from tqdm import tqdm

from capf_jax.errors import UserError
from capf_jax.exporting import folder, networks_to_export
from capf_jax.exporting.formats import FORMATS, Run
from capf_jax.exporting.onnx_types import FLOAT32, TYPES
from capf_jax.exporting.tensors import Export
from capf_jax.models import ca_pf
from capf_jax.pose.batch import Batch
from capf_jax.pose.normalise import normalise_by_image
from capf_jax.runtime import commands, configuration
from data_pipeline import datasets
from data_pipeline.reader import Reader

AT_ONCE = 8  # crops
HEADER = (
    'type', 'MB', 'MPJPE, mm', 'pose off by, mm: mean', '99%', 'most', '2D off by, px: mean',
    '99%', 'ms a crop',
)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """What a file says of N people.

    Attributes:
      outputs: by name, [N, ...].
      seconds: for one crop.
    """

    outputs: Mapping[str, np.ndarray]
    seconds: float


def read(exported: Export, config: ConfigDict, number: int) -> Batch:
    """The first people of a test split, with poses in the frame of the exported network.

    Raises:
      UserError: the network gives no pose of single pictures, or the dataset cannot be read.
    """
    if exported.outputs[0].name != 'pose' or exported.inputs[0].name != 'crops':
        raise UserError('millimetres are of poses from crops: name a weight file of a CA-PF')
    if exported.estimator.sequence_lifter is not None:
        raise UserError('people of single pictures make no windows: name a file of a CA-PF')
    builder = datasets.open_or_build(config.data, build=True)
    reader = Reader(
        builder,
        config.data.test_split,
        exported.estimator.skeleton,
        frame=exported.estimator.frame or ca_pf.CAMERA,
    )
    batch, _ = reader.batch(np.arange(min(number, len(reader))))
    size, takes = batch.images.shape[1:], exported.inputs[0].shape
    if size != takes:
        raise UserError(
            f'the network takes crops of {takes[0]}x{takes[1]} pixels and those of --config have '
            f'{size[0]}x{size[1]}: name the configuration that its weights were trained with'
        )
    return batch


def inputs_of(people: Batch) -> dict[str, np.ndarray]:
    """All that an exported network may ask for, by the names of its inputs."""
    return {
        'crops': people.images,
        'joints2d': np.asarray(normalise_by_image(people.joints2d, people.image_size)),
        'joints2d_crop': people.joints2d_crop,
    }


def predict(run: Run, arrays: Sequence[np.ndarray], names: Sequence[str]) -> Predictions:
    """Runs a file on all people; its outputs have these names."""
    run([array[:AT_ONCE] for array in arrays])
    start, parts = time.perf_counter(), []
    for first in tqdm(range(0, len(arrays[0]), AT_ONCE), leave=False):
        parts.append(run([array[first : first + AT_ONCE] for array in arrays]))
    seconds = (time.perf_counter() - start) / len(arrays[0])
    outputs = map(np.concatenate, zip(*parts, strict=True))
    return Predictions(dict(zip(names, outputs, strict=True)), seconds)


def row(one: Predictions, of_float32: Predictions, truth: np.ndarray) -> list[float | None]:
    """The cells of HEADER from the MPJPE on.

    Args:
      one: of a file.
      of_float32: what its outputs are compared with.
      truth: [N, J, 3], metres.
    """
    cells: list[float | None] = [1000 * _distances(one.outputs['pose'], truth).mean()]
    off = 1000 * _distances(one.outputs['pose'], of_float32.outputs['pose'])
    cells += [off.mean(), np.quantile(off, 0.99), off.max()]
    if 'joints' in one.outputs:
        off = _distances(one.outputs['joints'], of_float32.outputs['joints'])
        cells += [off.mean(), np.quantile(off, 0.99)]
    else:
        cells += [None, None]
    return [*cells, 1000 * one.seconds]


def _distances(places: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.linalg.norm(places - others, axis=-1)


def main(argv: Sequence[str]) -> int:
    """Prints the table."""
    parser = commands.Parser('benchmarks.onnx_types', __doc__)
    parser.add_argument('weights', help='a weight file of a CA-PF')
    parser.add_argument('--people', type=int, default=2000, help='of the test split; default 2000')
    arguments = configuration.parse(argv, required=('config',), parser=parser)
    values, config = arguments.values, arguments.config
    assert config is not None  # `parse` requires one.
    if values.people < 1:
        raise UserError(f'--people is {values.people}: it must be at least 1')
    FORMATS['onnx'].check_installed()
    exported = networks_to_export.of_file(values.weights)
    people = read(exported, config, values.people)
    predictions, sizes = {}, {}
    with tempfile.TemporaryDirectory() as place:
        path = folder.write(exported, ['onnx'], pathlib.Path(place), list(TYPES))
        manifest, arrays = json.loads(path.read_text()), inputs_of(people)
        chosen = [arrays[one['name']] for one in manifest['inputs']]
        names = [one['name'] for one in manifest['outputs']]
        for entry in manifest['files']:
            run = FORMATS['onnx'].opened(path.parent / entry['file'])
            predictions[entry['type']] = predict(run, chosen, names)
            sizes[entry['type']] = entry['bytes'] / 1e6
    rows = [
        [name, sizes[name], *row(one, predictions[FLOAT32], people.joints3d)]
        for name, one in predictions.items()
    ]
    print(f'{len(people.images)} people of the test split')
    print(tabulate.tabulate(rows, HEADER, 'github', floatfmt='.2f'))
    return 0


if __name__ == '__main__':
    commands.run(main)
