"""Weight files of every form and damage, in every command that opens one; time and memory too."""

import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Iterator

import numpy as np

from tests.breaking.runner import EITHER, REFUSED, Case
from tests.breaking.world import World

DEEP, MANY = 100_000, 1_000_000
VALUES = (
    None, True, -1, 10**6, 10**30, 1.5, '', 'x', '\x1b[31m', [], [1], {}, {'a': 1}, 'n' * 5000
)  # fmt: skip
FIELDS = (
    'kind', 'name', 'skeleton', 'unit', 'crop', 'dropped', 'step', 'model', 'model.detector',
    'model.lifter', 'model.lifter.layers', 'model.lifter.heads', 'model.lifter.levels',
    'model.hrnet.width', 'model.joints2d', 'config.data.builder.height',
)  # fmt: skip
TEXTS = {
    'deep lists': '[' * DEEP, 'deep objects': '{"a":' * DEEP, 'a long number': '9' * 5000,
    'NaN': 'NaN', 'no JSON': '{', 'zeros': '\0' * 9, 'many layers': '{"layers": 1000000}',
}  # fmt: skip
TYPES = ('F4', 'F8_E4M3', 'F8_E8M0', 'F6_E2M3', 'C64', 'BOOL', 'X9', 'U64', 'BF16')


def safetensors(header, content: bytes = b'') -> bytes:
    """A file with this header, JSON or bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + content


def tensor(kind: str = 'F32', shape: object = (2,), offsets: object = (0, 8)) -> dict:
    """A header's entry."""
    return {'dtype': kind, 'shape': shape, 'data_offsets': offsets}


def pytorch(program: bytes) -> bytes:
    """A PyTorch zip file with this pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as file:
        file.writestr('archive/data.pkl', program)
        file.writestr('archive/version', '3\n')
    return stream.getvalue()


def contains_itself() -> bytes:
    content: dict = {}
    content['state_dict'] = content
    return pytorch(pickle.dumps(content, 2))


def nested(depth: int) -> bytes:
    return pytorch(b'\x80\x02' + b'}X\x01\0\0\0a' * depth + b'}' + b's' * depth + b'.')


def tgz(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w:gz') as file:
        for name, content in members.items():
            member = tarfile.TarInfo(f'package/models/{name}')
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def files() -> dict[str, tuple[str, bytes]]:
    """Name of a case -> ending and content of a file that is refused."""
    names = {f't{number}': tensor('F32', [0], [0, 0]) for number in range(MANY // 5)}
    lies = {
        'more than there is': tensor(shape=[10**9], offsets=[0, 4 * 10**9]),
        'gigantic': tensor(shape=[2**62], offsets=[0, 2**64 - 1]),
        'negative': tensor(shape=[-2]),
        'backwards': tensor(offsets=[8, 0]),
        'other than its shape': tensor(shape=[5]),
        'text': tensor(shape='2'),
        'a fraction': tensor(shape=[1.5]),
    }
    safe = {
        'header of 2^63 bytes': struct.pack('<Q', 2**63) + b'{}',
        'header of 90 MB': struct.pack('<Q', 90_000_000) + b'{',
        'header that is a list': safetensors([1]),
        'header that is deep': safetensors(b'{"a":' * DEEP),
        'no tensors': safetensors({}),
        '200,000 tensors': safetensors(names),
        'a name of colours': safetensors({'\x1b[31mred': tensor()}, bytes(8)),
        'a name of a surrogate': safetensors({'\udcff': tensor()}, bytes(8)),
        'a and a/b': safetensors({'a': tensor(), 'a/b': tensor(offsets=[8, 16])}, bytes(16)),
        **{f'type {kind}': safetensors({'a': tensor(kind)}, bytes(8)) for kind in TYPES},
        **{f'size {name}': safetensors({'a': lie}, bytes(8)) for name, lie in lies.items()},
    }
    pth = {
        'empty': b'', 'zeros': bytes(5000), 'text': b'hello\n', 'html': b'<html>',
        'random': np.random.default_rng(0).bytes(5000), 'a zip of nothing': pytorch(b''),
        'contains itself': contains_itself(), '20,000 dicts': nested(20_000),
        '1,000,000 dicts': nested(MANY), 'a number': pytorch(pickle.dumps(3, 2)),
        'a list': pytorch(pickle.dumps([1, 2], 2)), 'an empty dict': pytorch(pickle.dumps({}, 2)),
        'a program': pytorch(b'\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.'),
        'a program of builtins': pytorch(b'\x80\x02cbuiltins\neval\nX\x01\0\0\x001\x85R.'),
        'old format': pickle.dumps({'a': 1}, 2), 'a git-lfs pointer': b'version https://git-lfs.x',
        'a 7z archive': b'7z\xbc\xaf\x27\x1c' + bytes(50), 'a long memo': pytorch(
            b'\x80\x02}r\xff\xff\xff\x7f.'),
        'a string of 2 GB': pytorch(b'\x80\x02X\xff\xff\xff\x7fabc.'),
        'a password': pytorch(pickle.dumps({}, 2)).replace(
            b'PK\x01\x02\x14\x03\x14\x00\x00', b'PK\x01\x02\x14\x03\x14\x00\x01'),
        '10^6 keys': pytorch(pickle.dumps(dict.fromkeys(range(MANY), 0), 2)),
    }  # fmt: skip
    graphs = {
        'an empty object': b'{}', 'deep': b'{"a":' * DEEP, 'cut': b'{"format": "graph-model",',
        'no lists': b'{"format": "graph-model", "modelTopology": 3, "weightsManifest": 4}',
        'another format': b'{"format": "layers-model"}',
        'gigantic': b'{"format": "graph-model", "modelTopology": {"node": []}, "weightsManifest": '
        b'[{"paths": ["x.bin"], "weights": [{"name": "a", "shape": [9999999999], "dtype": '
        b'"float32"}]}]}',
    }  # fmt: skip
    packages = {
        'of nothing': tgz(), 'without the model': tgz(x=b'1'), 'that is cut': tgz(x=bytes(9))[:40]
    }  # fmt: skip
    forms = {'safetensors': safe, 'pth': pth, 'json': graphs, 'tgz': packages}
    return {
        f'{ending}: {name}': (ending, content)
        for ending, family in forms.items()
        for name, content in family.items()
    }


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    for name, (ending, content) in files().items():
        for command in ('inspect', 'convert') if ending != 'safetensors' else (
            'inspect', 'convert', 'export', 'evaluate',
        ):  # fmt: skip
            is_type = name.endswith(('BF16', 'F32', 'BOOL', 'U64', 'C64'))
            # What inspect says of a file of no known model is no refusal.
            expected = EITHER if command == 'inspect' or is_type else REFUSED
            yield _case(world, f'{command} {name}', command, ending, content, expected)
    for field in FIELDS:
        for value in VALUES:
            yield _of_metadata(world, field, json.dumps(value))
    for field in ('kind', 'model', 'dropped', 'source'):
        for name, text in TEXTS.items():
            yield _of_metadata(world, field, text, name)


def _case(world: World, name: str, command: str, ending: str, content, expected: str) -> Case:
    """A command on a file of this content, or of what a function gives."""
    path = world.place() / f'weights.{ending}'

    def prepare() -> None:
        path.parent.mkdir(parents=True)
        path.write_bytes(content() if callable(content) else content)

    target = str(path.parent / f'out.{"pth" if command == "export" else "safetensors"}')
    arguments = {
        'inspect': (str(path),),
        'convert': (str(path), target),
        'export': (str(path), target),
        'evaluate': (f'--config={world.config}', f'--weights={path}'),
    }[command]
    if ending == 'tgz' and command != 'export':
        arguments = (*arguments, '--model=movenet_thunder')
    measured = command in ('inspect', 'convert')
    return Case(
        'weights', name, command, arguments, expected, prepare=prepare, is_measured=measured
    )


def _of_metadata(world: World, field: str, text: str, name: str = '') -> Case:
    """A lifter of ours one of whose metadata is another text of JSON."""

    def content() -> bytes:
        whole = world.weights.read_bytes()
        size = int.from_bytes(whole[:8], 'little')
        header = json.loads(whole[8 : 8 + size])
        top, *inner = field.split('.')
        metadata = header['__metadata__']
        if inner:
            value = json.loads(metadata.get(top, '{}'))
            nearest = value
            for part in inner[:-1]:
                nearest = nearest.setdefault(part, {})
            nearest[inner[-1]] = 'HERE'
            metadata[top] = json.dumps(value).replace('"HERE"', text)
        else:
            metadata[top] = text
        return safetensors(header, whole[8 + size :])

    command = world.random.choice(('inspect', 'export', 'evaluate'))
    shown = f'{command} metadata {field}: {name or text[:20]}'
    return _case(world, shown, command, 'safetensors', content, EITHER)
