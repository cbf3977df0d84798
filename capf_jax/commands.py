"""What every command of ours does with an error that its user can mend, and with Ctrl-C.

One sentence on stderr and an exit code, no traceback.
"""

from __future__ import annotations

import errno
import pathlib
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType

from capf_jax import files

ROOT = pathlib.Path(__file__).resolve().parents[1]
OWN = ('capf_jax', 'configs', 'converters', 'data_pipeline')
# What the user's machine refuses, wherever in a library it is met.
ENVIRONMENT = (
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST,
)  # fmt: skip


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
