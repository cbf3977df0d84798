"""Draws synthetic people without building a dataset, to see what its settings give.

    python -m data_pipeline.preview --out=people.png
    python -m data_pipeline.preview --out=people.png --size=256x192 --light=random --count=20
    python -m data_pipeline.preview --out=clips.png --clip_frames=50 --poses=FILE.bvh

    --out=FILE         picture to write
    --count=N          samples to show (default 40); of clips, the last strip is cut to so many
    --split=NAME       train or test (default train)
    --zoom=N           enlargement (default 2)
    --nojoints         show the pixels alone
    --FIELD=VALUE      any field of data_pipeline/datasets/synthetic/settings.py, as for
                       data_pipeline.build

Green dots are true 2D joints, red ones detected. With --clip_frames, every row is a film strip:
frames of one clip at equal distances.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from capf_jax.errors import UserError
from capf_jax.pose import crops
from capf_jax.runtime import commands, files
from data_pipeline import arguments
from data_pipeline.building import from_fields
from data_pipeline.datasets.synthetic.clip_samples import make_clip
from data_pipeline.datasets.synthetic.samples import make_sample
from data_pipeline.datasets.synthetic.settings import SPLITS, Settings
from data_pipeline.records import Record

COLUMNS = 10
_GREEN, _RED = (80, 220, 60), (60, 60, 240)  # BGR
_RADIUS = 2  # of a dot, pixels of the enlarged picture


def draw(record: Record, joints: bool = True, zoom: int = 2) -> np.ndarray:
    """The crop of a record, enlarged, with its joints: [zoom H, zoom W, 3] uint8 BGR."""
    image = cv2.imdecode(np.frombuffer(record.image, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None  # The pipeline has encoded it.
    image = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    if joints:
        pairs = ((record.joints2d_truth, _GREEN), (record.joints2d_detected, _RED))
        for points, colour in pairs:
            for x, y in crops.apply_affine(np.asarray(record.affine), np.asarray(points)):
                # Crop pixel centres are integers, in the enlarged picture too.
                centre = (round((x + 0.5) * zoom - 0.5), round((y + 0.5) * zoom - 0.5))
                cv2.circle(image, centre, _RADIUS, colour, -1, cv2.LINE_AA)
    return image


def contact_sheet(
    settings: Settings, split: str, count: int, joints: bool, zoom: int
) -> np.ndarray:
    """The first `count` samples of a split in rows of COLUMNS, uint8 BGR.

    Of clips, a row shows one.
    """
    records = (
        _strips(settings, split, count)
        if settings.clip_frames
        else (make_sample(settings, split, i) for i in range(count))
    )
    tiles = [draw(record, joints, zoom) for record in records]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    return np.vstack(rows)


def _strips(settings: Settings, split: str, count: int) -> Iterator[Record]:
    """Of each of the first clips, up to COLUMNS frames at equal distances: `count` in all."""
    frames = settings.clip_frames
    shown = np.linspace(0, frames - 1, COLUMNS).round().astype(int)
    for number in range(-(-count // COLUMNS)):
        clip = list(make_clip(settings, split, number, frames))
        yield from (clip[frame] for frame in shown[: count - number * COLUMNS])


def main(argv: Sequence[str]) -> int:
    """Writes the sheet; returns the exit code."""
    parser = commands.Parser('data_pipeline.preview', __doc__)
    parser.add_argument('--out', type=commands.path, required=True, help='picture to write')
    parser.add_argument('--count', type=int, default=40, help='samples to show')
    parser.add_argument('--split', choices=SPLITS, default='train')
    parser.add_argument('--zoom', type=int, default=2, help='enlargement')
    parser.add_flag('joints', default=True, help='draw the joints')
    arguments.add_settings(parser, Settings, but=('processes',))
    values = parser.parse(argv)
    for name in ('count', 'zoom'):
        if getattr(values, name) < 1:
            raise UserError(f'--{name} is {getattr(values, name)}; give at least 1')
    settings = from_fields(Settings, arguments.fields_of(values, Settings), 'synthetic')
    if not cv2.haveImageWriter(str(values.out)):
        raise UserError(f'--out is {values.out}, which no picture is called; name a .png or .jpg')
    sheet = contact_sheet(settings, values.split, values.count, values.joints, values.zoom)
    with files.whole(values.out) as temporary:
        cv2.imwrite(str(temporary), sheet)
    print(f'{values.out}: {values.count} samples of {settings.name}')
    return 0


if __name__ == '__main__':
    commands.run(main)
