"""Damaged run folders: a sentence, or a run that goes on."""

import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

from tests import test_damaged_runs as runs
from tests.breaking.runner import EITHER, REFUSED, WORKS, Case
from tests.breaking.world import World

SMALL = ('config.json', 'versions.json', 'log.jsonl', 'checkpoints/checksums.json')


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    damages = {
        **{name: (damage, WORKS) for name, damage in runs.FALLS_BACK.items()},
        **{name: (damage, WORKS) for name, damage in runs.STILL_WHOLE.items()},
        **{f'config.json: {name}': (damage, REFUSED) for name, damage in runs.NO_CONFIG.items()},
    }
    del damages['NaN weights']  # It is made for another model.
    for name, (damage, expected) in damages.items():
        for command in ('train', 'evaluate'):
            yield _case(world, name, damage, command, expected)
    for file in SMALL:
        for name, damage in _of_any_file(file).items():
            expected = EITHER if file == 'config.json' else WORKS
            yield _case(world, f'{file}: {name}', damage, 'evaluate', expected)
    for content in ('', '{', '[1]', '\0'):
        damage = runs.rewrite('lifter.safetensors', content.encode())
        yield _case(world, f'lifter.safetensors is {content!r}', damage, 'train', WORKS)
    damage = runs.remove('checkpoints')
    yield _case(world, 'no checkpoints', damage, 'evaluate', REFUSED)
    yield _case(world, 'no checkpoints', damage, 'train', WORKS)


def _case(
    world: World, name: str, damage: Callable[[pathlib.Path], None], command: str, expected: str
) -> Case:
    """A command on a damaged copy of the run."""
    workdir = world.place() / 'run'

    def prepare() -> None:
        shutil.copytree(world.run, workdir)
        damage(workdir)

    arguments = (
        world.training(workdir)
        if command == 'train'
        else (f'--workdir={workdir}', '--checkpoint=latest', '--pictures=0')
    )
    return Case('runs', f'{command}: {name}', command, arguments, expected, prepare=prepare)


def _of_any_file(name: str) -> dict[str, Callable[[pathlib.Path], None]]:
    """Damages that any file may have."""

    def link(workdir: pathlib.Path) -> None:
        (workdir / name).unlink()
        (workdir / name).symlink_to(workdir / name)

    def pipe(workdir: pathlib.Path) -> None:
        (workdir / name).unlink()
        (workdir / name).symlink_to(os.devnull)

    return {
        'a link to itself': link,
        '/dev/null': pipe,
        'a byte-order mark': lambda workdir: (workdir / name).write_bytes(
            b'\xef\xbb\xbf' + (workdir / name).read_bytes()
        ),
        'UTF-16': lambda workdir: (workdir / name).write_bytes(
            (workdir / name).read_text().encode('utf-16')
        ),
        'gigantic numbers': runs.rewrite(name, b'{"step": ' + b'9' * 5000 + b'}'),
    }
