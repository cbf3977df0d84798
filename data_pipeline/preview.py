"""`python -m data_pipeline.datasets.synthetic.preview --out sheet.png`: a contact sheet of samples.

Green dots are true 2D joints, red ones detected.
"""

from __future__ import annotations

import argparse
import pathlib

import cv2
import numpy as np

from capf_jax.pose import crops
from data_pipeline.datasets.synthetic.samples import make_sample
from data_pipeline.datasets.synthetic.settings import SPLITS, Settings

COLUMNS = 10


def draw(record, joints: bool = True, zoom: int = 2) -> np.ndarray:
    """The crop of a record, BGR uint8, enlarged, with its joints."""
    image = cv2.imdecode(np.frombuffer(record.image, np.uint8), cv2.IMREAD_COLOR)
    image = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    if joints:
        pairs = ((record.joints2d_truth, (80, 220, 60)), (record.joints2d_detected, (60, 60, 240)))
        for points, colour in pairs:
            for x, y in crops.apply_affine(np.asarray(record.affine), np.asarray(points)):
                # Crop pixel centres are integers, in the enlarged picture too.
                centre = (round((x + 0.5) * zoom - 0.5), round((y + 0.5) * zoom - 0.5))
                cv2.circle(image, centre, 2, colour, -1, cv2.LINE_AA)
    return image


def contact_sheet(config: Settings, split: str, count: int, joints: bool, zoom: int):
    """The first `count` samples of a split in rows, BGR uint8."""
    tiles = [draw(make_sample(config, split, i), joints, zoom) for i in range(count)]
    tiles += [np.zeros_like(tiles[0])] * (-count % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    return np.vstack(rows)


def main() -> None:
    """Writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=pathlib.Path, required=True, help='picture to write')
    parser.add_argument('--count', type=int, default=40, help='samples to show')
    parser.add_argument('--split', choices=SPLITS, default='train')
    parser.add_argument('--no-joints', action='store_true', help='show the pixels alone')
    parser.add_argument('--zoom', type=int, default=2, help='enlargement')
    for name in ('height', 'width', 'seed', 'supersample'):
        parser.add_argument(f'--{name}', type=int, default=getattr(Settings, name))
    parser.add_argument('--light', default=Settings.light)
    parser.add_argument('--poses', default='')
    args = parser.parse_args()
    config = Settings(
        height=args.height, width=args.width, seed=args.seed, light=args.light,
        supersample=args.supersample, poses=args.poses,
    )  # fmt: skip
    sheet = contact_sheet(config, args.split, args.count, not args.no_joints, args.zoom)
    if not cv2.imwrite(str(args.out), sheet):
        raise SystemExit(f'cannot write {args.out}; name a .png or .jpg in a folder that exists')


if __name__ == '__main__':
    main()
