"""Damaged files of a built dataset."""

import os
import shutil
from collections.abc import Iterator

from tests.breaking.runner import EITHER, REFUSED, Case
from tests.breaking.world import World

CONTENTS = {
    'empty': b'', 'zeros': bytes(500), 'random': b'\xde\xad\xbe\xef' * 50, 'a list': b'[1]',
    'deep': b'[' * 100_000, 'an object': b'{}', 'another name': b'{"name": "../../x"}',
    'code': b'{"pythonClassName": "os.path.Evil", "featuresDict": {"features": {"zz": '
    b'{"pythonClassName": "tests.breaking.Evil", "text": {}}}}}',
    'a long number': b'{"version": ' + b'9' * 5000 + b'}',
}  # fmt: skip


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    data = world.folder / 'data'
    built = next(data.rglob('dataset_info.json')).parent
    for file in sorted(path.name for path in built.iterdir() if path.is_file()):
        for name, content in CONTENTS.items():
            copy = world.place() / 'data'
            target = copy / built.relative_to(data) / file

            def prepare(copy=copy, target=target, content=content) -> None:
                shutil.copytree(data, copy)
                target.write_bytes(content)

            is_needed = file not in ('features.json', 'metadata.json') or name != 'an object'
            is_needed &= (file, name) != ('metadata.json', 'code')  # It is only not understood.
            expected = REFUSED if is_needed and name != 'another name' else EITHER
            arguments = _evaluation(world, copy)
            yield Case(
                'datasets', f'{file}: {name}', 'evaluate', arguments, expected, prepare=prepare
            )
        for name in ('gone', 'a folder', 'a loop', 'a pipe', 'cut'):
            copy = world.place() / 'data'
            target = copy / built.relative_to(data) / file

            def spoil(copy=copy, target=target, name=name) -> None:
                shutil.copytree(data, copy)
                content = target.read_bytes()
                target.unlink()
                if name == 'a folder':
                    target.mkdir()
                elif name == 'a pipe':
                    os.mkfifo(target)
                elif name == 'a loop':
                    target.symlink_to(target)
                elif name == 'cut':
                    target.write_bytes(content[: len(content) // 2])

            # The train split is not read by an evaluation, and metadata have a default.
            arguments = _evaluation(world, copy)
            yield Case('datasets', f'{file}: {name}', 'evaluate', arguments, EITHER, prepare=spoil)
    for name, folder in {'nowhere': world.place(), 'the root': os.sep}.items():
        yield Case('datasets', f'data in {name}', 'evaluate', _evaluation(world, folder), REFUSED)


def _evaluation(world: World, data) -> tuple[str, ...]:
    return (f'--workdir={world.run}', f'--data_dir={data}', '--checkpoint=latest', '--pictures=0')
