"""Files of predictions that are none."""

from collections.abc import Iterator

import numpy as np

from tests.breaking.runner import EITHER, REFUSED, Case
from tests.breaking.world import World
from tests.scoring import test_strange_predictions as predictions

SHAPES = ((), (0,), (3,), (3, 17), (3, 17, 2), (3, 17, 4), (3, 16, 3), (0, 17, 3), (1, 3, 17, 3))
KINDS = ('i8', 'u1', 'M8[s]', 'm8[s]', 'S3', 'U3', 'V8', 'f2', 'f8', 'c16', '?')


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    for name, content in predictions.CASES.items():
        yield _case(world, name, content, REFUSED)
    for shape in SHAPES:
        poses = predictions.saved(**{**predictions.GOOD, 'poses': np.zeros(shape)})
        yield _case(world, f'poses of shape {shape}', poses, REFUSED)
    for kind in KINDS:
        for field in ('poses', 'index', 'unit'):
            array = np.zeros(np.shape(predictions.GOOD[field]), kind)
            content = predictions.saved(**{**predictions.GOOD, field: array})
            expected = EITHER if field != 'unit' else REFUSED
            yield _case(world, f'{field} of type {kind}', content, expected)
    for name, index in {
        'negative': [-1, 0, 1], 'twice': [0, 0, 1], 'far': [0, 1, 10**9], 'short': [0, 1],
    }.items():  # fmt: skip
        content = predictions.saved(**{**predictions.GOOD, 'index': np.array(index)})
        yield _case(world, f'an index that is {name}', content, REFUSED)


def _case(world: World, name: str, content: bytes, expected: str) -> Case:
    path = world.place() / 'poses.npz'

    def prepare() -> None:
        path.parent.mkdir(parents=True)
        path.write_bytes(content)

    arguments = (f'--config={world.config}', f'--predictions={path}')
    return Case('predictions', name, 'evaluate', arguments, expected, 'poses.npz', prepare=prepare)
