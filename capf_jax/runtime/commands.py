"""What all commands share: how they read arguments, and how they end.

An error that the user can mend, and Ctrl-C, are one sentence on stderr and an exit code, without a
traceback.
"""

from __future__ import annotations

import argparse
import errno
import pathlib
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from capf_jax.errors import UserError, nearest
from capf_jax.runtime import files

ROOT = pathlib.Path(__file__).resolve().parents[2]
OWN = ('capf_jax', 'configs', 'converters', 'data_pipeline')
# What the user's machine refuses, wherever in a library it is met.
ENVIRONMENT = (
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST,
)  # fmt: skip


class Parser(argparse.ArgumentParser):
    """Arguments of one command, `--name=value` or `--name value`; `--help` prints its docstring.

    An argument that is missing, unknown or of the wrong type is a UserError. Names are never
    abbreviated, so that a script keeps its meaning when arguments are added.
    """

    def __init__(self, module: str, docstring: str):
        """A parser without arguments.

        Args:
          module: what follows `python -m`.
          docstring: of the module: what the command does, with examples.
        """
        super().__init__(
            f'python -m {module}',
            description=docstring,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def add_flag(self, name: str, *, default: bool | None, help: str) -> None:
        """A switch: `--name` turns it on and `--noname` off."""
        self.add_argument(f'--{name}', action='store_true', default=default, help=help)
        self.add_argument(
            f'--no{name}', action='store_false', dest=name, default=default, help=argparse.SUPPRESS
        )

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """The values of all arguments.

        Args:
          argv: as `sys.argv`, the program first.

        Raises:
          UserError: an argument is missing, unknown or of the wrong type.
        """
        values, rest = self.parse_known_args(list(argv[1:]))
        if rest:
            raise self.unknown(rest[0])
        return values

    def unknown(self, argument: str) -> UserError:
        """The error to raise for an argument that does not exist; the nearest one is named."""
        names = [name for name in self._option_string_actions if name.startswith('--')]
        near = nearest(argument.split('=')[0], names)
        return UserError(
            f'unknown argument {argument!r}; the nearest is {near}, and --help lists them all'
        )

    def error(self, message: str) -> NoReturn:
        """Raises what argparse has to say as a UserError, instead of exiting."""
        raise UserError(f'{message}; --help shows how {self.prog} is used')


def is_expected(error: BaseException) -> bool:
    """Whether our own code raised an error on purpose: its message is a sentence for the user.

    So is a full disk or a folder that may not be written, wherever it is met. Another error out of
    a library, or a TypeError of ours, is a fault to be seen with its traceback.
    """
    if not isinstance(error, (ValueError, OSError, RuntimeError)):
        return False
    if isinstance(error, OSError) and error.errno in ENVIRONMENT:
        return True
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and any(
        pathlib.Path(frames[-1].filename).resolve().is_relative_to(ROOT / name) for name in OWN
    )


def run(main: Callable[[Sequence[str]], int | None]) -> None:
    """Runs a command's main(argv) and exits; an expected error is one sentence and code 2.

    So is Ctrl-C or SIGTERM where nothing better is done with it, with a shell's code for it.
    """
    signal.signal(signal.SIGTERM, _interrupt)  # unwinds like Ctrl-C: half-written files are removed
    try:
        sys.exit(main(sys.argv))
    except KeyboardInterrupt as interrupt:
        number = next(iter(interrupt.args), signal.SIGINT)
        print(
            '\nstopped: what was under way is undone, what was finished before is kept; '
            'the same command begins again from there',
            file=sys.stderr,
        )
        sys.exit(128 + number)
    except (ValueError, OSError, RuntimeError) as error:
        if not is_expected(error):
            raise
        print(f'error: {_sentence(error)}', file=sys.stderr)
        sys.exit(2)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    raise KeyboardInterrupt(number)


def _sentence(error: BaseException) -> str:
    """The error's message; one of the operating system without its number, the file first."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    where = '' if error.filename is None else f'{error.filename}: '
    if files.disk_is_full(error):
        advice = '; make room there, or name another folder'
    else:
        advice = '; name another folder' if error.errno in ENVIRONMENT else ''
    return f'{where}{error.strerror}{advice}'
