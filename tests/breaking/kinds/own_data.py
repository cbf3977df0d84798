"""Annotation files that cannot be built from, by hand and by field and value."""

from collections.abc import Iterator

from tests.breaking.runner import EITHER, REFUSED, Case
from tests.breaking.world import World
from tests.data_pipeline.datasets.own_data import test_strange_input as own_data
from tests.data_pipeline.datasets.own_data.conftest import Folder

# Texts of JSON values; those after the field's name are the ones that may be right for it.
VALUES = (
    'null',
    'true',
    '-1',
    '1e400',
    'NaN',
    '[]',
    '{}',
    '""',
    '[[[1]]]',
    '"\\u0000"',
    '"\\ud800"',
)
FIELDS = ('image', 'camera', 'joints2d', 'joints3d', 'box', 'frame', 'split', 'subject', 'sequence')
TOPS = ('skeleton', 'cameras', 'entries')


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    for name, (spoil, sentence) in own_data.CASES.items():
        yield case(world, name, spoil, REFUSED, sentence)
    for field in FIELDS:
        for value in VALUES:
            spoil = own_data.entry_text(field, value)
            yield case(world, f'{field} is {value}', spoil, EITHER)
    for field in TOPS:
        for value in ('null', '3', '[]', '{}', '"x"', '[[]]', '{"left": {}}', '{"left": null}'):
            yield case(world, f'{field} are {value}', _top(field, value), REFUSED)


def case(world: World, name: str, spoil, expected: str, sentence: str = '', **more) -> Case:
    """A build from a folder that is spoiled."""
    source = world.place() / 'source'

    def prepare() -> None:
        source.mkdir(parents=True)
        people = Folder(source)
        people.write()
        spoil(people)

    arguments = (
        'own_data', f'--source={source}', f'--data_dir={source.parent / "data"}',
        '--size=64x48', '--processes=1',
    )  # fmt: skip
    kind = more.pop('kind', 'own data')
    return Case(kind, name, 'build', arguments, expected, sentence, prepare=prepare, **more)


def _top(field: str, value: str):
    """A field of the whole file whose JSON is this text."""

    def spoil(folder: Folder) -> None:
        folder.content[field] = 'HERE'
        folder.write_annotations()
        path = folder.path / 'annotations.json'
        path.write_text(path.read_text().replace('"HERE"', value))

    return spoil
