"""Configuration files that are none."""

import json
from collections.abc import Iterator

from tests.breaking.runner import REFUSED, Case
from tests.breaking.world import World

BEGIN = 'from tests import tiny\n\ndef get_config():\n  config = tiny.config()\n'
CONTENTS = {
    'exits': 'raise SystemExit("hi")\n',
    'exits without a word': 'import sys\nsys.exit()\n',
    'imports nothing': 'import nosuchmodule\n',
    'divides by zero': 'def get_config():\n  1/0\n',
    'has no function': 'x = 1\n',
    'has a function that is a number': 'get_config = 3\n',
    'calls itself': 'def get_config():\n  return get_config()\n',
    'is empty': '',
    'gives a number': 'def get_config():\n  return 3\n',
    'gives a dict': 'def get_config():\n  return {"task": "lifter"}\n',
    'gives nothing': 'def get_config():\n  pass\n',
    'is JSON': json.dumps({'a': 1}),
    'is a picture': '\x89PNG\r\n\x1a\n\0\0',
    'is deep': '(' * 5000,
    'asks for arguments': 'def get_config(one, two):\n  pass\n',
    'raises an error in colours': 'raise ValueError("\\x1b[31mred")\n',
    'gives no sections': 'from ml_collections import ConfigDict\ndef get_config():\n'
    '  return ConfigDict({"task": "lifter"})\n',
    'has a section that is a number': BEGIN + '  del config.training\n  config.training = 3\n'
    '  return config\n',
    'lacks a section': BEGIN + '  del config.evaluation\n  return config\n',
    'has a function as value': BEGIN + '  config.unlock()\n  config.seed = len\n  return config\n',
    'refers to nothing': 'from ml_collections import ConfigDict, config_dict\ndef get_config():\n'
    '  return ConfigDict({"task": config_dict.placeholder(str)})\n',
}


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    for name, content in CONTENTS.items():
        path = world.place() / 'broken.py'

        def prepare(path=path, content=content) -> None:
            path.parent.mkdir(parents=True)
            path.write_text(content)

        arguments = (f'--config={path}', f'--workdir={path.parent / "run"}')
        yield Case('config files', name, 'train', arguments, REFUSED, prepare=prepare)
    for name, arguments in {
        'is missing': ('--config=/nowhere.py',),
        'is a folder': ('--config=configs',),
        'is a zip file': ('--config=pretrained/movenet_thunder.safetensors',),
        'is twice there': ('--config=configs/synthetic.py', '--config=configs/own_data.py'),
        'has unknown arguments': ('--config=configs/synthetic.py:colour=red',),
        'has an unknown field': ('--config=configs/synthetic.py', '--config.training.epoch=3'),
        'has a field of a number': ('--config=configs/synthetic.py', '--config.seed.x=3'),
        'has a section as field': ('--config=configs/synthetic.py', '--config.training=3'),
    }.items():
        arguments = (*arguments, f'--workdir={world.place()}')
        yield Case('config files', name, 'train', arguments, REFUSED)
