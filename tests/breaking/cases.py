"""The cases of every kind; each prepares a copy of a small world of its own."""

import json
import pathlib
import shutil
from collections.abc import Callable, Iterator

from tests import test_damaged_runs as runs
from tests.breaking import flags
from tests.breaking.runner import EITHER, REFUSED, WORKS, Case
from tests.data_pipeline.datasets.own_data import test_strange_input as own_data
from tests.data_pipeline.datasets.own_data.conftest import Folder
from tests.scoring import test_strange_predictions as predictions

CONFIG = """
from tests import tiny

def get_config():
    config = tiny.config({data!r})
    config.model.lifter.ablation_step = 0
    return config
"""

# A case and what makes its files.
Prepared = tuple[Case, Callable[[], None]]


class World:
    """A dataset, a configuration and a finished run, which cases copy or name.

    Attributes:
      folder: where they are.
      config: the configuration file.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.config = folder / 'tiny_config.py'
        self.config.write_text(CONFIG.format(data=str(folder / 'data')))

    def training(self, workdir: pathlib.Path | str, *more: str) -> tuple[str, ...]:
        """Arguments of `train`."""
        return (f'--config={self.config}', f'--workdir={workdir}', *more)


def nothing() -> None:
    """Prepares nothing."""


def of_flags(world: World, folder: pathlib.Path) -> Iterator[Prepared]:
    """Values without sense; and those that only look so."""
    for number, flag in enumerate(flags.WITHOUT_SENSE):
        workdir = folder / f'flags-{number}' / 'run'
        arguments = ('--config=configs/synthetic.py', f'--workdir={workdir}', f'--config.{flag}')
        name = flag.split('=')[0].split('.')[-1]
        yield Case('flags', flag, 'train', arguments, REFUSED, name), nothing
    for number, split in enumerate(
        ('train[5:2]', 'train[', 'nothing', 'test[:0]', 'test[90%:80%]')
    ):
        arguments = world.training(
            folder / f'split-{number}' / 'run', f'--config.data.test_split={split}'
        )
        yield Case('flags', f'test_split={split}', 'train', arguments, REFUSED), nothing
    for value in ('cuda', 'tpu', 'gpu', 'nonsense'):
        arguments = world.training(folder / f'device-{value}' / 'run')
        case = Case(
            'flags', f'JAX_PLATFORMS={value}', 'train', arguments, EITHER, 'JAX_PLATFORMS',
            (('JAX_PLATFORMS', value),),
        )  # fmt: skip
        yield case, nothing


def of_paths(world: World, folder: pathlib.Path) -> Iterator[Prepared]:
    """Places where nothing can be written or read."""
    here = folder / 'paths'

    def loop() -> None:
        here.mkdir(exist_ok=True)
        if not (here / 'loop').is_symlink():
            (here / 'loop').symlink_to(here / 'loop')
            (here / 'file').touch()

    places = {
        '/proc': '/proc/x',
        '/proc itself': '/proc',
        'long name': str(here / ('n' * 300)),
        'a loop': str(here / 'loop'),
        'below a loop': str(here / 'loop' / 'run'),
        'a file': str(here / 'file'),
        'below a file': str(here / 'file' / 'run'),
        '/dev/null': '/dev/null',
    }
    for name, place in places.items():
        yield Case('paths', f'train into {name}', 'train', world.training(place)), loop
        data = world.training(folder / 'paths' / 'run', f'--config.data.dir={place}')
        yield Case('paths', f'data.dir is {name}', 'train', data), loop
        yield Case('paths', f'evaluate {name}', 'evaluate', (f'--workdir={place}',)), loop
        scored = (f'--config={world.config}', f'--predictions={place}')
        yield Case('paths', f'predictions are {name}', 'evaluate', scored), loop
        built = ('own_data', f'--source={place}', f'--data_dir={here / "data"}')
        yield Case('paths', f'source is {name}', 'build', built), loop
        checked = ('human36m', f'--data_dir={place}')
        yield Case('paths', f'check in {name}', 'check', checked), loop


def of_runs(world: World, folder: pathlib.Path) -> Iterator[Prepared]:
    """Damaged run folders; a sentence, or a run that goes on."""
    damages = {
        **{name: (damage, WORKS) for name, damage in runs.FALLS_BACK.items()},
        **{name: (damage, WORKS) for name, damage in runs.STILL_WHOLE.items()},
        **{f'config.json: {name}': (damage, REFUSED) for name, damage in runs.NO_CONFIG.items()},
    }
    del damages['NaN weights']  # It is made for another model.
    for number, (name, (damage, expected)) in enumerate(damages.items()):
        for command in ('train', 'evaluate'):
            workdir = folder / f'run-{number}-{command}' / 'run'

            def prepare(workdir=workdir, damage=damage) -> None:
                shutil.copytree(world.folder / 'run', workdir)
                damage(workdir)

            arguments = (
                world.training(workdir)
                if command == 'train'
                else (f'--workdir={workdir}', '--checkpoint=latest', '--pictures=0')
            )
            yield Case('runs', f'{command}: {name}', command, arguments, expected), prepare


def of_own_data(world: World, folder: pathlib.Path) -> Iterator[Prepared]:
    """Annotation files and pictures that cannot be built from."""
    del world
    for number, (name, (spoil, sentence)) in enumerate(own_data.CASES.items()):
        source = folder / f'own-{number}' / 'source'

        def prepare(source=source, spoil=spoil) -> None:
            people = Folder(source)
            people.write()
            spoil(people)

        arguments = ('own_data', f'--source={source}', f'--data_dir={source.parent / "data"}')
        yield Case('own data', name, 'build', arguments, REFUSED, sentence), prepare


def of_predictions(world: World, folder: pathlib.Path) -> Iterator[Prepared]:
    """Files of predictions that are none."""
    for number, (name, content) in enumerate(predictions.CASES.items()):
        path = folder / f'predictions-{number}' / 'poses.npz'

        def prepare(path=path, content=content) -> None:
            path.parent.mkdir(parents=True)
            path.write_bytes(content)

        arguments = (f'--config={world.config}', f'--predictions={path}')
        yield Case('predictions', name, 'evaluate', arguments, REFUSED, 'poses.npz'), prepare


def of_datasets(world: World, folder: pathlib.Path) -> Iterator[Prepared]:
    """Damaged files of a built dataset."""
    contents = {
        'empty': b'', 'zeros': bytes(500), 'random': b'\xde\xad\xbe\xef' * 50, 'a list': b'[1]',
        'deep': b'[' * 100_000, 'an object': b'{}', 'another name': b'{"name": "../../x"}',
    }  # fmt: skip
    built = next((world.folder / 'data').rglob('dataset_info.json')).parent
    names = sorted(path.name for path in built.iterdir() if path.is_file())
    for file in names:
        for name, content in contents.items():
            data = folder / f'data-{file}-{name.replace(" ", "-")}' / 'data'

            def prepare(data=data, file=file, content=content) -> None:
                shutil.copytree(world.folder / 'data', data)
                (data / built.relative_to(world.folder / 'data') / file).write_bytes(content)

            is_needed = file not in ('features.json', 'metadata.json') or name not in ('an object',)
            arguments = (
                f'--workdir={world.folder / "run"}', f'--data_dir={data}', '--checkpoint=latest',
                '--pictures=0',
            )  # fmt: skip
            expected = REFUSED if is_needed and name != 'another name' else EITHER
            yield Case('datasets', f'{file}: {name}', 'evaluate', arguments, expected), prepare


def of_config_files(world: World, folder: pathlib.Path) -> Iterator[Prepared]:
    """Configuration files that are none."""
    del world
    contents = {
        'exits': 'raise SystemExit("hi")\n', 'imports nothing': 'import nosuchmodule\n',
        'divides by zero': 'def get_config():\n  1/0\n', 'has no function': 'x = 1\n',
        'calls itself': 'def get_config():\n  return get_config()\n', 'is empty': '',
        'gives a number': 'def get_config():\n  return 3\n', 'is JSON': json.dumps({'a': 1}),
        'gives nothing': 'def get_config():\n  pass\n',
    }  # fmt: skip
    for number, (name, content) in enumerate(contents.items()):
        path = folder / f'config-{number}' / 'broken.py'

        def prepare(path=path, content=content) -> None:
            path.parent.mkdir(parents=True)
            path.write_text(content)

        arguments = (f'--config={path}', f'--workdir={path.parent / "run"}')
        yield Case('config files', name, 'train', arguments, REFUSED), prepare


KINDS = {
    'flags': of_flags,
    'paths': of_paths,
    'runs': of_runs,
    'own data': of_own_data,
    'predictions': of_predictions,
    'datasets': of_datasets,
    'config files': of_config_files,
}
