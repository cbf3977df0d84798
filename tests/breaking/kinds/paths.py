"""Places where nothing can be written or read."""

import os
from collections.abc import Iterator

from tests.breaking.runner import REFUSED, Case
from tests.breaking.world import EXPORTED, World

PICTURE = 'docs/predict.jpg'


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    here = world.folder / 'paths'

    def prepare() -> None:
        here.mkdir(exist_ok=True)
        (here / 'file').touch()
        if not (here / 'pipe').exists():
            os.mkfifo(here / 'pipe')
        for name, target in (('loop', 'loop'), ('one', 'other'), ('other', 'one')):
            if not (here / name).is_symlink():
                (here / name).symlink_to(here / target)

    places = {
        '/proc': '/proc/x',
        '/proc itself': '/proc',
        'long name': str(here / ('n' * 300)),
        'long path': str(here / '/'.join(['n' * 100] * 50)),
        'a loop': str(here / 'loop'),
        'below a loop': str(here / 'loop' / 'run'),
        'a loop of two': str(here / 'one'),
        'a file': str(here / 'file'),
        'below a file': str(here / 'file' / 'run'),
        'a pipe': str(here / 'pipe'),
        '/dev/null': '/dev/null',
        '/sys': '/sys/x',
        'no user': '~nobody_of_this_name/x',
        'control characters': '/proc/\x1b[31mred\n',
    }
    for name, place in places.items():
        for what, command, arguments in _commands(world, place):
            yield Case(
                'paths', f'{what} is {name}', command, arguments, REFUSED, prepare=prepare
            )  # fmt: skip


def _commands(world: World, place: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What each command is told to be at a place: its name, the command, and its arguments."""
    config = f'--config={world.config}'
    yield 'the workdir of train', 'train', world.training(place)
    data = world.training(world.place(), f'--config.data.dir={place}')
    yield 'the data of train', 'train', data
    for field in ('training.start', 'model.detector_weights'):
        more = ('--config.model.lifter.ablation_step=1', f'--config.{field}={place}')
        yield field, 'train', world.training(world.place(), *more)
    yield 'the workdir of evaluate', 'evaluate', (f'--workdir={place}',)
    yield 'a file of predictions', 'evaluate', (config, f'--predictions={place}')
    yield 'the weights of evaluate', 'evaluate', (config, f'--weights={place}')
    built = ('own_data', f'--source={place}', f'--data_dir={world.place()}')
    yield 'the source of build', 'build', built
    yield 'the data of check', 'check', ('human36m', f'--data_dir={place}')
    yield 'what is inspected', 'inspect', (place,)
    yield 'what is exported', 'export', (place, str(world.place() / 'x.pth'))
    # No case may replace the machine's own /dev/null where the product is wrong: a pipe does.
    if place != '/dev/null' and 'file' not in place.rpartition('/')[2]:
        target = place if place.endswith(('pipe', 'proc')) else f'{place}/x.pth'
        yield 'the target of export', 'export', (EXPORTED, target)
    yield 'the source of predict', 'predict', (place, f'--output={world.place()}')
    yield 'the weights of predict', 'predict', (PICTURE, f'--weights={place}')
    yield 'the joints of predict', 'predict', (PICTURE, f'--joints2d={place}')
    yield 'the calibration of predict', 'predict', (PICTURE, f'--calibration={place}')
