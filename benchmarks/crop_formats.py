"""How much the format of stored crops changes the maps of a trained detector: the table of docs.

    python -m benchmarks.crop_formats
    python -m benchmarks.crop_formats --weights=hrnet_w32.safetensors --pictures=FOLDER --crops=32

Crops are stored in each format and decoded again, as a dataset does it, and the detector's maps of
them are compared with those of the crops themselves. By default the crops are rendered people, and
the detector is the small one that comes with the repository. With --pictures they are the middles
of the pictures of a folder, resized to the detector's crop; pictures that are JPEGs themselves have
lost most of what a format can lose before.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import tabulate

from capf_jax.errors import UserError
from capf_jax.inference.estimator import Estimator
from capf_jax.models.detectors.catalog import CROP
from capf_jax.runtime import commands, files
from data_pipeline import images
from data_pipeline.building import Settings, encode_crop
from data_pipeline.datasets.synthetic import samples
from data_pipeline.datasets.synthetic.settings import Settings as Rendering

PRETRAINED = 'pretrained/synthetic_detector.safetensors'
FORMATS = {  # what a row is called -> fields of Settings
    'PNG': {'crop_format': 'png'},
    'WebP, lossless': {'crop_format': 'webp'},
    'JPEG 4:4:4, quality 100': {'crop_format': 'jpeg444', 'jpeg_quality': 100},
    'JPEG 4:4:4, quality 95 (default)': {'crop_format': 'jpeg444', 'jpeg_quality': 95},
    'JPEG 4:2:0, quality 95': {'crop_format': 'jpeg420', 'jpeg_quality': 95},
    'JPEG 4:4:4, quality 85': {'crop_format': 'jpeg444', 'jpeg_quality': 85},
}


def rendered(number: int, height: int, width: int) -> Iterator[np.ndarray]:
    """Crops of rendered people as they are, [H, W, 3] uint8 BGR."""
    settings = Rendering(height=height, width=width, crop_format='png')
    for index in range(number):
        yield images.decode(samples.make_sample(settings, 'test', index).image)


def middles(folder: pathlib.Path, number: int, height: int, width: int) -> Iterator[np.ndarray]:
    """The middles of a folder's pictures, of the shape of a crop, [H, W, 3] uint8 BGR.

    Raises:
      UserError: the folder has no picture, or one does not decode.
    """
    suffixes = ('.jpg', '.jpeg', '.png')
    paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() in suffixes)
    if not paths:
        raise UserError(f'{folder} has no pictures, files such as *.jpg; give another --pictures')
    for path in paths[:number]:
        image = images.read(path)
        scale = max(height / image.shape[0], width / image.shape[1])
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
        yield np.ascontiguousarray(image[top : top + height, left : left + width])


def compare(estimator: Estimator, crops: Sequence[np.ndarray]) -> list[list[object]]:
    """A row for each of `FORMATS`: bytes of a crop, and change of each map and of the joints."""
    exact = np.stack(crops)[..., ::-1]
    maps = estimator.feature_maps(exact)
    has_joints = estimator.detector is not None and 'head' in estimator.detector.variables['params']
    joints = estimator.joints(exact)[0] if has_joints else None
    rows = []
    for name, fields in FORMATS.items():
        settings = Settings(height=exact.shape[1], width=exact.shape[2], **fields)
        encoded = [encode_crop(crop, settings) for crop in crops]
        stored = np.stack([images.decode(one) for one in encoded])[..., ::-1]
        changes = [
            f'{100 * np.linalg.norm(now - before) / np.linalg.norm(before):.1f}'
            for now, before in zip(estimator.feature_maps(stored), maps, strict=True)
        ]
        row = [name, f'{np.mean([len(one) for one in encoded]) / 1000:.1f}', *changes]
        if joints is not None:
            moved = np.linalg.norm(estimator.joints(stored)[0] - joints, axis=-1).mean()
            row.append(f'{moved:.2f}')
        rows.append(row)
    return rows


def main(argv: Sequence[str]) -> int:
    """Prints the table; returns the exit code."""
    parser = commands.Parser('benchmarks.crop_formats', __doc__)
    add = parser.add_argument
    add('--weights', default=PRETRAINED, help='weight file with a detector')
    add('--pictures', default='', help='folder of pictures instead of rendered people')
    add('--crops', default=64, type=int, help='how many crops are compared (default: 64)')
    values = parser.parse(argv)
    estimator = Estimator.load(files.user_path(values.weights))
    height, width = estimator.crop_size or CROP
    if values.pictures:
        folder = pathlib.Path(files.user_path(values.pictures))
        crops = list(middles(folder, values.crops, height, width))
    else:
        crops = list(rendered(values.crops, height, width))
    rows = compare(estimator, crops)
    assert estimator.detector is not None  # `feature_maps` needs one.
    assert estimator.detector.entry is not None  # Every detector has one.
    titles = [f'map at stride {stride}, %' for stride in estimator.detector.entry.strides]
    header = ['format', 'kB a crop', *titles, 'joints, px'][: len(rows[0])]
    what = f'pictures of {values.pictures}' if values.pictures else 'rendered people'
    print(f'{len(crops)} {what}, {height}x{width}, {values.weights}', file=sys.stderr)
    print(tabulate.tabulate(rows, header, 'github', disable_numparse=True))
    return 0


if __name__ == '__main__':
    commands.run(main)
