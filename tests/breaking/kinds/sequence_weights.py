"""Weight files of a lifter of windows (CA-PF-S) that say of themselves what is not so."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from capf_jax.errors import UserError
from tests.breaking import runner
from tests.breaking.kinds.weights import safetensors
from tests.breaking.runner import EITHER, REFUSED, WORKS, Case
from tests.breaking.world import World

GONE = object()  # in place of a value: the field is not there
NO_NUMBERS = (0, -1, 1.5, 10**6, 10**30, 'x', [], [3], {}, True)
# Field -> values that cannot be, which every command but `inspect` refuses.
LIES: dict[str, tuple[Any, ...]] = {
    'frames': (*NO_NUMBERS, None, GONE),
    'frame_step': (0, -1, 1.5, 10**9, 'x', []),
    'causal': ('yes', 3, [], {}),
    'kind': ('ca_pf', 'poseformer', 'detector', 'ca_pf_x', None, GONE),
    'skeleton': ('coco17', 'h36m18', None, GONE),
    'model': (None, GONE, {}),
    'model.temporal_layers': (*NO_NUMBERS, 2),
    'model.temporal_heads': (*NO_NUMBERS, 7),
    'model.temporal_position': ('x', 3, True),
    'model.projection_channels': (-1, 1.5, 10**6, 'x', 8),
    'model.lifter.channels': (16,),
    'model.lifter.levels': ([0], [0, 9], 'x'),
    'model.detector': ('hrnet_w32', 'x'),
}
# Field -> values that may be, or that are not looked at.
MAY_BE: dict[str, tuple[Any, ...]] = {
    'frames': (5, 9999),
    'frame_step': (2, 1000, None, GONE),
    'causal': (True, None, GONE),
    'model.sequence_lifter': ('poseformer', 'x', 3),
    'model.projection_weights': ('/etc/passwd', 3),
    # A file may be older than a field; its tensors are compared all the same.
    'model.lifter.channels': (GONE,),
    'model.detector': (GONE,),
    'model.lifter.deformable': (True, 'x'),
    'model.lifter.ablation_step': (0, 3),
    'unit': ('km', 'mm', GONE),
}
COMMANDS = ('evaluate', 'start', 'predict', 'load', 'inspect', 'export')
DEEP = 100_000


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    world.train_sequence(10 * runner.LIMIT)
    for command in ('inspect', 'evaluate', 'start', 'load'):
        yield _case(world, f'{command} of a whole file', command, 'unit', '"m"', WORKS)
    turn = 0
    for family, expected in ((LIES, REFUSED), (MAY_BE, EITHER)):
        for field, values in family.items():
            for value in values:
                text = '' if value is GONE else json.dumps(value)
                commands = [COMMANDS[turn % len(COMMANDS)]]
                turn += 1
                if field in ('frames', 'frame_step', 'causal') and 'evaluate' not in commands:
                    commands.append('evaluate')
                for command in commands:
                    name = f'{command} {field}: {text[:20] or "gone"}'
                    right = EITHER if command == 'inspect' else expected
                    if command == 'predict':
                        right = REFUSED  # It does not lift photographs.
                    yield _case(world, name, command, field, text, right)
    for name, text in {'deep': '[' * DEEP, 'a long number': '9' * 5000, 'NaN': 'NaN'}.items():
        for field in ('frames', 'frame_step'):
            yield _case(world, f'inspect {field}: {name}', 'inspect', field, text, EITHER)
    for part in ('lifter', 'detector'):
        yield _case(world, f'load without its {part}', 'load', '', '', EITHER, without=part)
        yield _case(world, f'evaluate without its {part}', 'evaluate', '', '', REFUSED, part)


def _case(
    world: World,
    name: str,
    command: str,
    field: str,
    text: str,
    expected: str,
    without: str = '',
) -> Case:
    """A command on the file with this JSON as a field, '' for none, or without one of its parts."""
    path = world.place() / 'weights.safetensors'

    def prepare() -> None:
        path.parent.mkdir(parents=True)
        whole = world.sequence_weights.read_bytes()
        size = int.from_bytes(whole[:8], 'little')
        header, content = json.loads(whole[8 : 8 + size]), whole[8 + size :]
        if field:
            header['__metadata__'] = _changed(header['__metadata__'], field, text)
        if without:
            header, content = _without(header, content, f'{without}/')
        path.write_bytes(safetensors(header, content))

    config = f'--config={world.sequence_config}'
    arguments = {
        'inspect': (str(path),),
        'export': (str(path), str(path.parent / 'out.pth')),
        'evaluate': (config, f'--weights={path}', '--pictures=0'),
        'start': (
            config, f'--workdir={path.parent / "run"}', f'--config.training.start={path}',
        ),
        'predict': ('docs/predict.jpg', f'--weights={path}', f'--output={path.parent / "out"}'),
        'load': (),
    }[command]  # fmt: skip
    does: str | Callable[[], None] = {'start': 'train', 'load': lambda: _load(str(path))}.get(
        command, command
    )
    sentence = 'weights.safetensors' if expected == REFUSED else ''
    kind = 'sequence weights'
    return Case(kind, name, does, arguments, expected, sentence, prepare=prepare, patience=2)


def _changed(metadata: dict[str, str], field: str, text: str) -> dict[str, str]:
    """Metadata, JSON by name, with another text as a field's JSON; '' for no such field."""
    top, *inner = field.split('.')
    if not inner:
        others = {name: value for name, value in metadata.items() if name != top}
        return {**others, top: text} if text else others
    value = json.loads(metadata[top])
    nearest = value
    for part in inner[:-1]:
        nearest = nearest[part]
    if text:
        nearest[inner[-1]] = 'HERE'
    else:
        nearest.pop(inner[-1], None)
    return {**metadata, top: json.dumps(value).replace('"HERE"', text)}


def _without(header: dict, content: bytes, prefix: str) -> tuple[dict, bytes]:
    """A file without the tensors whose names begin so."""
    tensors, kept = {'__metadata__': header['__metadata__']}, b''
    for name, entry in header.items():
        if name == '__metadata__' or name.startswith(prefix):
            continue
        first, last = entry['data_offsets']
        tensors[name] = {**entry, 'data_offsets': [len(kept), len(kept) + last - first]}
        kept += content[first:last]
    return tensors, kept


def _load(path: str) -> None:
    """An Estimator is loaded from Python, or the file is refused."""
    from capf_jax.inference.estimator import Estimator

    try:
        Estimator.load(path)
    except (UserError, FileNotFoundError) as error:
        print(f'error: {error}')
        sys.stdout.flush()
        os._exit(2)
