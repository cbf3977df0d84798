"""Configurations: read from the command line and checked.

Every command that takes a configuration reads `--config=FILE[:ARGUMENTS]` and
`--config.FIELD=VALUE` here, through ml_collections, and its other arguments through its Parser.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import shlex
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags
from etils import epath
from ml_collections import ConfigDict, config_flags

from capf_jax.errors import UserError, nearest
from capf_jax.runtime import files, value_checks
from capf_jax.runtime.commands import Parser

PATHS = (
    'data.dir', 'data.cache', 'data.builder.source', 'data.builder.poses', 'model.detector_weights',
    'training.start',
)  # fmt: skip
CONFIG_HELP = """\
a configuration file, such as configs/synthetic.py; what follows a colon are the file's own
arguments, such as configs/synthetic.py:step=0,seed=1, and --config.FIELD=VALUE sets any field
(with --help, a --config lists its fields)"""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """A parsed command line.

    Attributes:
      config: the configuration with its overrides; None where no --config was given.
      workdir: where the run is kept, `~` expanded; '.' for a command without --workdir.
      command: the arguments as they were typed: they name the configuration file.
      values: the values of the command's other arguments.
    """

    config: ConfigDict | None
    workdir: epath.Path
    command: str
    values: argparse.Namespace


def parse(
    argv: Sequence[str],
    required: Sequence[str] = ('config', 'workdir'),
    parser: Parser | None = None,
    check: Callable[[ConfigDict], Sequence[str]] = lambda _: (),
) -> Arguments:
    """Reads `--config=FILE [--config.FIELD=VALUE ...]` and the arguments of a parser.

    Args:
      argv: as `sys.argv`, the program first.
      required: the arguments that must be there.
      parser: of the command; without one, --workdir is its only argument.
      check: what is wrong with a configuration beside its numbers, each a clause.

    Raises:
      UserError: a missing, unknown or ill-typed argument or field; a field's nearest is named.
        Or the file is not Python, or a value makes no sense.
    """
    if parser is None:
        parser = Parser(pathlib.Path(argv[0]).stem, __doc__)
        parser.add_argument('--workdir', metavar='FOLDER', help='folder of the run')
    parser.add_argument('--config', metavar='FILE', help=CONFIG_HELP)
    config, rest = _read_config(argv)
    if config is not None:
        parser.epilog = _field_list(config)
    values = parser.parse([argv[0], *rest])
    if config is not None:
        values.config = config
    for name in required:
        if getattr(values, name) in (None, ''):
            raise UserError(f'--{name} is missing; --help shows how {parser.prog} is used')
    if config is not None:
        config = expand_paths(config)
        check_values(config, check)
    typed = [argument for argument in argv[1:] if argument != '--distributed']
    return Arguments(
        config, files.user_path(getattr(values, 'workdir', None) or '.'), shlex.join(typed), values
    )


def expand_paths(config: ConfigDict) -> ConfigDict:
    """The configuration with `~` expanded in the fields that are paths."""
    fields = flatten(config.to_dict())
    paths = {
        name: os.fspath(files.user_path(fields[name]))
        for name in PATHS
        if str(fields.get(name, '')).startswith('~')
    }
    config.update_from_flattened_dict(paths)
    return config


def _read_config(argv: Sequence[str]) -> tuple[ConfigDict | None, list[str]]:
    """The configuration of a command line, and the arguments that are no part of it."""
    values = _config_flags(argv)
    try:
        rest = _read(values, argv)
    except flags.Error as error:
        raise UserError(_refused(error)) from error
    except (AttributeError, KeyError) as error:
        raise UserError(_unknown_field(argv, error)) from error
    except OSError as error:
        raise UserError(_no_file(error)) from error
    except SyntaxError as error:
        raise UserError(_not_python(argv, error)) from error
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # The file is a program and may raise anything.
        raise UserError(_failed(argv, error)) from error
    return values['config'].value, rest[1:]


def _config_flags(argv: Sequence[str]) -> flags.FlagValues:
    """The flag --config of one call, apart from absl's global flags."""
    values = flags.FlagValues()
    values.set_gnu_getopt(True)  # Arguments of the command's parser may stand in between.
    config_flags.DEFINE_config_file(
        'config', None, 'configuration file', flag_values=values, sys_argv=list(argv)
    )
    return values


def _read(values: flags.FlagValues, argv: Sequence[str]) -> list[str]:
    """Parses argv; returns the program and what is left over."""
    with warnings.catch_warnings():  # ml_collections loads files in a way that Python will drop.
        warnings.simplefilter('ignore', DeprecationWarning)
        rest = values(list(argv), known_only=True)
        config = values['config'].value
        if config is not None:
            if not callable(getattr(config, 'to_dict', None)):
                raise UserError(
                    f'{_typed_file(argv)} gives no configuration: its get_config() must return '
                    'one, as that of configs/synthetic.py does'
                )
            config.to_dict()  # A missing file is an error only when it is used.
        return rest


def _field_list(config: ConfigDict) -> str:
    """All fields of a configuration with their values, for --help."""
    fields = flatten(config.to_dict())
    lines = [f'  --config.{name}={value!r}' for name, value in fields.items()]
    return '\n'.join(['fields of this configuration, with their values:', *lines])


def _refused(error: flags.Error) -> str:
    """What absl says, without the traceback that ml_collections puts into it."""
    text = str(error).strip()
    if 'Traceback (most recent call last)' in text:
        text = text.splitlines()[-1].partition('Error: ')[2] or text.splitlines()[-1]
    return ' '.join(text.split())


def _no_file(error: OSError) -> str:
    return f'the config file does not open: {" ".join(str(error).split())}'


def _not_python(argv: Sequence[str], error: SyntaxError) -> str:
    file = error.filename or _typed_file(argv)  # Python does not name a file with zeros in it.
    where = f'line {error.lineno}: ' if error.lineno else ''
    return (
        f'{file} does not read as Python ({where}{error.msg}); '
        'give a file such as --config=configs/synthetic.py'
    )


def _failed(argv: Sequence[str], error: BaseException) -> str:
    """Says which line of a config file raised which error."""
    file = _typed_file(argv)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if pathlib.Path(f.filename).name == pathlib.Path(file).name]
    where = f' in line {lines[-1]}' if lines else ''
    what = ' '.join(f'{type(error).__name__}: {error}'.split())
    return f'{file} ends{where} with {what}; mend it there'


def _typed_file(argv: Sequence[str]) -> str:
    """The config file of a command line, without what follows its colon."""
    for place, argument in enumerate(argv):
        name, equals, value = argument.lstrip('-').partition('=')
        if name == 'config':
            value = value if equals else next(iter(argv[place + 1 :]), '')
            return value.split(':')[0] or 'the config file'
    return 'the config file'


def _unknown_field(argv: Sequence[str], error: Exception) -> str:
    """Says which override names no field, and which field is nearest to it."""
    overrides = [a.split('=')[0] for a in argv if a.lstrip('-').startswith('config.')]
    plain = [a for a in argv if a.split('=')[0] not in overrides]
    values = _config_flags(plain)
    try:
        _read(values, plain)
        config = values['config'].value
        known = sorted(flatten(config.to_dict())) if config is not None else []
    except (AttributeError, KeyError):
        if "attribute 'get_config'" in str(error):
            return (
                f'{_typed_file(argv)} has no function get_config(); '
                'give a file such as --config=configs/synthetic.py'
            )
        return f'the config file sets a field that does not exist: {" ".join(str(error).split())}'
    for override in overrides:
        field = override.lstrip('-')[len('config.') :]
        if not any(name == field or name.startswith(field + '.') for name in known):
            return f'no config field {field!r}; the nearest is {nearest(field, known)!r}'
    return f'a config field does not exist: {" ".join(str(error).split())}'


def flatten(fields: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    """Nested fields as one dict with dotted names; an empty section keeps its name.

    Flax's function of this kind would import JAX, which commands that build data do without.
    """
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f'{prefix}{name}.'))
        else:
            flat[prefix + name] = value
    return flat


def check_values(
    config: ConfigDict, check: Callable[[ConfigDict], Sequence[str]] = lambda _: ()
) -> None:
    """One UserError for all values that would fail later, perhaps after hours, or mean nothing.

    Args:
      config: a whole configuration.
      check: what else is wrong with it, each a clause that names its field; it is asked where no
        field that everything needs is missing.
    """
    fields = flatten(config.to_dict())
    problems = value_checks.problems(fields)
    if fields.keys() >= set(value_checks.NEEDED):
        problems += check(config)
    if problems:
        raise UserError('; '.join(problems))
