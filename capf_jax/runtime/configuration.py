"""Configurations: read from the command line, kept in the workdir, compared when resuming."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import difflib
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import subprocess
import warnings
from collections.abc import Sequence
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from capf_jax.runtime import files
from capf_jax.scoring import protocols

# Fields that do not change what is learnt, so that a run may go on with other values of them.
OPERATIONAL = (
    'data.bad_image',
    'data.builder.processes',
    'data.dir',
    'data.threads',
    'training.checkpoint_minutes',
    'training.log_steps',
    'evaluation.pictures',
)
# Fields that only a build reads, and that leave no trace in the dataset. (Of own data the source is
# the dataset: there it must stay.)
BUILT_FROM = {'human36m': ('source', 'annotations'), 'mpi_inf_3dhp': ('source',)}
PACKAGES = (
    'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy', 'ml-collections',
    'tensorflow-datasets', 'grain', 'opencv-python-headless',
)  # fmt: skip
LEAST = {  # the smallest values that make sense
    'training.batch_size': 1,
    'training.epochs': 1,
    'training.log_steps': 1,
    'evaluation.batch_size': 1,
    'evaluation.every_epochs': 1,
}
CHOICES = {
    'model.lifter.ablation_step': (0, 1, 2, 3),
    'training.weight_type': ('float32', 'float16'),
    'evaluation.protocol': tuple(protocols.PROTOCOLS),
}
ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """A parsed command line: the configuration with its overrides, and where the run is kept."""

    config: ConfigDict
    workdir: pathlib.Path
    command: str = ''  # the arguments as they were given: they name the configuration file


def parse(argv: Sequence[str], required: Sequence[str] = ('config', 'workdir')) -> Arguments:
    """Reads `--config=FILE [--config.FIELD=VALUE ...] --workdir=FOLDER`.

    Args:
      argv: as `sys.argv`, the program first.
      required: the arguments that must be there.

    Raises:
      ValueError: a missing, unknown or ill-typed argument or field; a field's nearest is named.
        Or the file is not Python.
    """
    if len(argv) < 2:
        raise ValueError(f'usage: {argv[0]} --config=configs/synthetic.py --workdir=runs/synthetic')
    values = _flags(argv)
    try:
        rest = _read(values, argv)
    except flags.Error as error:
        raise ValueError(_refused(error)) from error
    except (AttributeError, KeyError) as error:
        raise ValueError(_unknown_field(argv, error)) from error
    except OSError as error:
        raise ValueError(_no_file(error)) from error
    except SyntaxError as error:
        raise ValueError(_not_python(argv, error)) from error
    if len(rest) > 1:
        raise ValueError(f'unknown argument {rest[1]!r}: arguments look like --name=value')
    for name in required:
        if not values[name].value:
            raise ValueError(f'--{name} is missing')
    config, workdir = values['config'].value, pathlib.Path(values['workdir'].value or '.')
    check_values(config)
    return Arguments(config, workdir, shlex.join(argv[1:]))


def _flags(argv: Sequence[str]) -> flags.FlagValues:
    """Flags of one call, apart from absl's global ones."""
    values = flags.FlagValues()
    config_flags.DEFINE_config_file(
        'config', None, 'configuration file', flag_values=values, sys_argv=list(argv)
    )
    flags.DEFINE_string('workdir', None, 'folder of the run', flag_values=values)
    return values


def _read(values: flags.FlagValues, argv: Sequence[str], **options: bool) -> list[str]:
    """Parses argv; returns the program and what is left over."""
    with warnings.catch_warnings():  # ml_collections loads files in a way that Python will drop
        warnings.simplefilter('ignore', DeprecationWarning)
        rest = values(list(argv), **options)
        if values['config'].value is not None:
            values['config'].value.to_dict()  # a missing file is an error only when it is used
        return rest


def _refused(error: flags.Error) -> str:
    """What absl says, without the traceback that ml_collections puts into it."""
    text = str(error).strip()
    if 'Traceback (most recent call last)' in text:
        text = text.splitlines()[-1].removeprefix('ValueError: ')
    return ' '.join(text.split())


def _no_file(error: OSError) -> str:
    return f'the config file does not open: {" ".join(str(error).split())}'


def _not_python(argv: Sequence[str], error: SyntaxError) -> str:
    # Python does not name a file with zeros in it.
    given = (a for a in argv if a.lstrip('-').startswith('config='))
    file = error.filename or next(given, 'the config file')
    where = f'line {error.lineno}: ' if error.lineno else ''
    return (
        f'{file} does not read as Python ({where}{error.msg}); '
        'give a file such as --config=configs/synthetic.py'
    )


def _unknown_field(argv: Sequence[str], error: Exception) -> str:
    """Says which override names no field, and which field is nearest to it."""
    overrides = [a.split('=')[0] for a in argv if a.lstrip('-').startswith('config.')]
    plain = [a for a in argv if a.split('=')[0] not in overrides]
    values = _flags(plain)
    try:
        _read(values, plain, known_only=True)
        known = sorted(flatten(values['config'].value.to_dict()))
    except (AttributeError, KeyError):
        return f'the config file sets a field that does not exist: {" ".join(str(error).split())}'
    for override in overrides:
        field = override.lstrip('-')[len('config.') :]
        if not any(name == field or name.startswith(field + '.') for name in known):
            return f'no config field {field!r}; the nearest is {nearest(field, known)!r}'
    return f'a config field does not exist: {" ".join(str(error).split())}'


def nearest(field: str, known: Sequence[str]) -> str:
    """The known field most like `field`; likeness of the last name counts first."""

    def likeness(name: str) -> float:
        last = difflib.SequenceMatcher(None, name.split('.')[-1], field.split('.')[-1]).ratio()
        return last + difflib.SequenceMatcher(None, name, field).ratio()

    return max(known, key=likeness)


def flatten(fields: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """Nested fields as one dict with dotted names; an empty section keeps its name."""
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f'{prefix}{name}.'))
        else:
            flat[prefix + name] = value
    return flat


def check_values(config: ConfigDict) -> None:
    """ValueError for a value that would fail later, perhaps after hours."""
    fields = flatten(config.to_dict())
    for name, least in LEAST.items():
        if fields[name] < least:
            raise ValueError(f'config.{name} is {fields[name]}; it must be at least {least}')
    for name, known in CHOICES.items():
        if name in fields and fields[name] not in known:  # older runs lack newer fields
            raise ValueError(
                f'config.{name} is {fields[name]!r}; it must be one of {", ".join(map(str, known))}'
            )
    channels = fields['model.lifter.channels']
    for name in ('model.lifter.heads', 'model.lifter.deformable_heads'):
        if channels % fields[name]:
            raise ValueError(
                f'config.{name} is {fields[name]}, which does not divide '
                f'config.model.lifter.channels, {channels}'
            )


def check(config: ConfigDict, workdir: pathlib.Path) -> None:
    """ValueError if the workdir holds a run with another configuration; the fields are named."""
    path = workdir / 'config.json'
    if not path.exists():
        return
    before, now = flatten(read_json(path)), flatten(_plain(config))
    sources = BUILT_FROM.get(now.get('data.name'), ())
    free = (*OPERATIONAL, *(f'data.builder.{name}' for name in sources))
    differences = [
        f'{name} {before.get(name, "absent")} there, {now.get(name, "absent")} here'
        for name in sorted(before.keys() | now)
        if name not in free and before.get(name) != now.get(name)
    ]
    if differences:
        raise ValueError(
            f'{workdir} holds a run with another configuration ({"; ".join(differences)}): '
            'give the same values, or another --workdir'
        )


def save(config: ConfigDict, workdir: pathlib.Path, command: str = '') -> None:
    """Keeps the configuration, the command, and the versions that run it, in the workdir."""
    write_json(workdir / 'config.json', _plain(config))
    # One entry for each time the run was started.
    write_json(workdir / 'versions.json', [*_starts(workdir), {'command': command, **versions()}])


def command_of(workdir: pathlib.Path) -> str:
    """The arguments that a workdir was last trained with; '' where they are not known."""
    starts = _starts(workdir)
    return starts[-1].get('command', '') if starts else ''


def _starts(workdir: pathlib.Path) -> list[dict[str, str]]:
    path = workdir / 'versions.json'
    return read_json(path) if path.exists() else []


def _plain(config: ConfigDict) -> dict[str, Any]:
    """The fields as JSON holds them: tuples become lists."""
    return json.loads(json.dumps(config.to_dict()))


def load(workdir: str | os.PathLike) -> ConfigDict:
    """The configuration that a workdir was made with.

    Raises:
      FileNotFoundError: the folder holds no run.
    """
    path = pathlib.Path(workdir) / 'config.json'
    if not path.is_file():
        raise FileNotFoundError(f'no run in {workdir}: it has no config.json; train there first')

    def tuples(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: tuples(item) for name, item in value.items()}
        return tuple(map(tuples, value)) if isinstance(value, list) else value

    return ConfigDict(tuples(read_json(path))).lock()


def versions() -> dict[str, str]:
    """What a run depends on beside its configuration."""
    found = {'started': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')}
    found['python'] = platform.python_version()
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    found['git_commit'] = git_commit()
    return found


def git_commit() -> str:
    """The commit of this code, with '+changes' if files differ from it; 'unknown' without git."""

    def git(*arguments: str) -> str:
        command = ['git', '-C', str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git('status', '--porcelain', '--untracked-files=no')
        return git('rev-parse', 'HEAD') + ('+changes' if changed else '')
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'


def read_json(path: pathlib.Path) -> Any:
    """A JSON file's content."""
    return json.loads(path.read_text())


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes a JSON file whole or not at all."""
    with files.whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + '\n')
