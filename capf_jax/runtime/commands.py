"""What all commands share: their names, how they read arguments, and how they end.

An error that the user can mend, and Ctrl-C, are one sentence on stderr and an exit code, without a
traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import io
import os
import pathlib
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from capf_jax.errors import UserError, nearest, printable
from capf_jax.runtime import files, library_errors, signals

# Name of a command -> its module, which has `main(argv) -> int`. `python -m MODULE` runs it, and so
# does the console script `capf-jax-NAME` of the installed package (pyproject.toml).
COMMANDS = {
    'features': 'capf_jax.features',
    'train': 'capf_jax.train',
    'evaluate': 'capf_jax.evaluate',
    'compare': 'capf_jax.compare',
    'predict': 'capf_jax.predict',
    'convert': 'converters.convert',
    'export': 'converters.export',
    'inspect': 'converters.inspect',
    'build': 'data_pipeline.build',
    'check': 'data_pipeline.check',
}
SCRIPT = 'capf-jax-'  # what the name of a command's console script begins with

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_OWN = ('capf_jax', 'configs', 'converters', 'data_pipeline')


class Parser(argparse.ArgumentParser):
    """Arguments of one command, written `--name=value` or `--name value`.

    `--help` prints the docstring of the command's module, which holds examples, and every argument
    with its help. An argument that is missing, unknown or of the wrong type is a UserError. Names
    are never abbreviated, so that a script keeps its meaning when arguments are added.
    """

    def __init__(self, module: str, docstring: str | None) -> None:
        """A parser without arguments.

        Args:
          module: what follows `python -m`.
          docstring: the module's `__doc__`: what the command does, with examples.
        """
        super().__init__(
            f'python -m {module}',
            description=docstring,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def add_flag(self, name: str, *, default: bool | None, help: str) -> None:
        """Adds a switch: `--name` turns it on and `--noname` off.

        `--help` shows the one that changes something, and both where the default is None.

        Args:
          name: without the dashes.
          default: the value where neither is there; None tells that neither was.
          help: what `--name` does, which may stand behind 'do not'.
        """
        on, off = help, f'do not {help}'
        self.add_argument(
            f'--{name}',
            action='store_true',
            default=default,
            help=argparse.SUPPRESS if default else on,
        )
        self.add_argument(
            f'--no{name}',
            action='store_false',
            dest=name,
            default=default,
            help=argparse.SUPPRESS if default is False else off,
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
        options = [name for name in self._option_string_actions if name.startswith('--')]
        names = [name for name in options if name != '--help'] or options
        near = nearest(argument.split('=')[0], names)
        return UserError(
            f'unknown argument {argument!r}; the nearest is {near}, and --help lists them all'
        )

    def error(self, message: str) -> NoReturn:
        """Raises what argparse has to say as a UserError, instead of exiting."""
        raise UserError(f'{message}; --help shows how {self.prog} is used')


def path(text: str) -> pathlib.Path:
    """The type of an argument that is a path on this machine; `~` is the home folder.

    Raises:
      argparse.ArgumentTypeError: no such path is meant; argparse adds the name of the argument.
    """
    try:
        return files.path_here(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def any_path(text: str) -> files.AnyPath:
    """The type of an argument that is a path on this machine, as `path`, or one in a store.

    Raises:
      argparse.ArgumentTypeError: as `path`, or the store cannot be opened.
    """
    try:
        return files.user_path(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def whole_number(least: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number of at least `least`."""

    def convert(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f'{number} is below {least}')
        return number

    convert.__name__ = 'int'  # argparse names the type in its message.
    return convert


def is_expected(error: BaseException) -> bool:
    """Whether there is a sentence for the user, so that no traceback is needed.

    That is every `UserError`, what our own code raises about a file or a missing library, and what
    `library_errors` knows of libraries and the machine. Any other error is a fault of ours, which
    keeps its traceback.
    """
    if isinstance(error, UserError) or library_errors.sentence(error):
        return True
    # JAX removes its own frames from tracebacks, so that its errors seem to be raised here.
    is_plain = type(error) is RuntimeError or isinstance(error, OSError)
    return is_plain and _is_ours(error)


def _is_ours(error: BaseException) -> bool:
    """Whether the line that raised an error is in one of our packages."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and any(
        pathlib.Path(frames[-1].filename).resolve().is_relative_to(_ROOT / name) for name in _OWN
    )


def run(main: Callable[[Sequence[str]], int | None]) -> NoReturn:
    """Runs a command's main(argv) and exits; an expected error is one sentence and code 2.

    Ctrl-C and SIGTERM are one sentence too where the command itself does nothing better with them;
    the exit code is then the one that a shell gives them. A second signal ends the process at once.
    """
    signals.unwind_once()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')  # Names of files may be no text.
    try:
        code = main(sys.argv)
    except SystemExit:
        raise
    except BaseException as error:
        if isinstance(error, Exception) and not is_expected(error):
            error.add_note(_note())
            raise
        code = tell(error)
    # Python looks through all that lives once more before it ends: a third of a second with JAX.
    gc.freeze()
    sys.exit(code)


def tell(error: BaseException) -> int:
    """Prints to stderr why a command ends; returns its exit code.

    That is one sentence for an expected error and for a signal, and a traceback for a fault of
    ours.
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, KeyboardInterrupt):
        print(
            '\nstopped: all that was finished is kept, and the same command goes on from there',
            file=sys.stderr,
        )
        return 128 + next(iter(error.args), signal.SIGINT)
    if isinstance(error, BrokenPipeError):  # `command | head` has read enough.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    if isinstance(error, Exception) and is_expected(error):
        print(f'error: {sentence(error)}', file=sys.stderr)
        return 2
    error.add_note(_note())
    traceback.print_exception(error)
    return 1


def last_words(error: BaseException) -> str:
    """Why a command ends, as another process of its run tells it: one line."""
    if isinstance(error, KeyboardInterrupt):
        return 'it was stopped by a signal'
    if isinstance(error, Exception) and is_expected(error):
        return sentence(error)
    return f'{type(error).__name__}: {library_errors.one_line(error)}'


def _note() -> str:
    return (
        'This is a fault of capf-jax, not of yours: please report it with these lines, the '
        f'command ({shlex.join(sys.argv)}) and `pip freeze`.'
    )


def console() -> NoReturn:
    """Runs the command whose console script was called, as `sys.argv[0]` names it."""
    name = pathlib.Path(sys.argv[0]).stem.removeprefix(SCRIPT)
    run(lambda argv: importlib.import_module(COMMANDS[name]).main(argv))


def sentence(error: BaseException) -> str:
    """What is told of an expected error: control characters in it are shown, not obeyed."""
    text = str(error) if isinstance(error, UserError) else library_errors.sentence(error)
    return '\n'.join(map(printable, (text or str(error)).splitlines()))
