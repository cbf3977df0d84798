"""Commands whose disk becomes full, and the same commands when there is room again.

The disk is a tmpfs; where this machine does not let one be mounted, no file may become larger than
so many bytes (RLIMIT_FSIZE). The name of each case says which it was.
"""

import contextlib
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator

from tests.breaking import runner
from tests.breaking.runner import WORKS, Case, FalseEndError
from tests.breaking.world import EXPORTED, World

KILOBYTES = (4, 16, 64, 128, 256, 512, 1024, 2048)
ROOM = 64 * 1024  # kilobytes that are enough for everything
PICTURE = 'docs/predict.jpg'


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    disk = 'tmpfs' if _may_mount() else 'RLIMIT_FSIZE'
    for size in KILOBYTES:
        for name, command, arguments in (
            ('train and its data', 'train', lambda place: world.training(
                place / 'run', f'--config.data.dir={place / "data"}')),
            ('train', 'train', lambda place: world.training(place / 'run')),
            ('export', 'export', lambda place: (EXPORTED, str(place / 'x.pth'))),
        ):  # fmt: skip
            story = _story(world.place(), disk, size, command, arguments)
            title = f'{name}, {disk} of {size} kB'
            yield Case('full disks', title, story, expected=WORKS, patience=4)
    for size in KILOBYTES[:2]:
        for more, table in (('--pictures=1', 'MPJPE'), ('--noise=0,1', 'noise [px]')):

            def evaluation(place: pathlib.Path, more: str = more) -> tuple[str, ...]:
                workdir = f'--workdir={place / "run"}'
                return (f'--config={world.config}', f'--weights={world.weights}', more, workdir)

            story = _story(world.place(), disk, size, 'evaluate', evaluation, table)
            title = f'evaluate {more}, {disk} of {size} kB'
            yield Case('full disks', title, story, expected=WORKS, patience=4)


def _story(
    place: pathlib.Path,
    disk: str,
    kilobytes: int,
    command: str,
    arguments: Callable[[pathlib.Path], tuple[str, ...]],
    table: str = '',
) -> Callable[[], None]:
    """A command on a full disk ends in one sentence; with room, the same one then works.

    Args:
      place: the folder on the disk.
      disk: what makes it full.
      kilobytes: its size.
      command, arguments: what is run there.
      table: what the command prints even where its files cannot be written.
    """

    def run(limit: int | None) -> tuple[int, str]:
        def main() -> int:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            return runner.command_code(command, arguments(place))

        output = place.with_suffix('.txt')
        child = runner.fork(main, output, {})
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        text = output.read_text(errors='replace')
        output.unlink()
        return code, text

    def story() -> None:
        place.mkdir(parents=True)
        mounted = disk == 'tmpfs'
        if mounted:
            _mount(place, kilobytes)
        try:
            code, text = run(None if mounted else 1024 * kilobytes)
            if code not in (0, 2) or 'Traceback' in text or (code and 'error: ' not in text):
                raise FalseEndError(f'on the full disk {code}: {text[-2000:]}')
            if table not in text:
                raise FalseEndError(f'on the full disk no {table}: {text[-2000:]}')
            if mounted:
                _mount(place, ROOM, 'remount,')
            code, text = run(None)
            if code or 'Traceback' in text:
                raise FalseEndError(f'with room again {code}: {text[-2000:]}')
            left = [path.name for path in place.rglob('*') if '.tmp' in path.name]
            if left:
                raise FalseEndError(f'with room again there is still {left}')
        finally:
            if mounted:
                subprocess.run(['umount', '--lazy', str(place)], check=False)
            shutil.rmtree(place, ignore_errors=True)

    return story


def _mount(place: pathlib.Path, kilobytes: int, options: str = '') -> None:
    command = ['mount', '-t', 'tmpfs', '-o', f'{options}size={kilobytes}k', 'tmpfs', str(place)]
    subprocess.run(command, check=True, capture_output=True)


def _may_mount() -> bool:
    """Whether this machine lets us mount a disk."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.suppress(OSError, subprocess.CalledProcessError),
    ):
        _mount(pathlib.Path(folder), 4)
        subprocess.run(['umount', folder], check=True, capture_output=True)
        return True
    return False
