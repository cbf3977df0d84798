"""Runs one command as a user would, in a process of its own, and judges how it ended."""

import dataclasses
import importlib
import os
import pathlib
import signal
import sys
import time
import traceback

from capf_jax.runtime import commands

CLEAN, TRACEBACK, HANG, WRONG = 'clean', 'traceback', 'hang', 'silently wrong'
VERDICTS = (CLEAN, TRACEBACK, HANG, WRONG)
LIMIT = 60.0  # seconds that a case may take where nothing else runs
REFUSED, WORKS, EITHER = 'refused', 'works', 'either'


@dataclasses.dataclass(frozen=True)
class Case:
    """One command.

    Attributes:
      kind, name: which case it is.
      command: a name of `commands.COMMANDS`.
      arguments: of the command.
      expected: how it must end: REFUSED with a sentence, WORKS with code 0, or EITHER.
      sentence: what the last line must hold where it is refused.
      environment: variables that are set for it.
    """

    kind: str
    name: str
    command: str
    arguments: tuple[str, ...]
    expected: str = REFUSED
    sentence: str = ''
    environment: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a command ended: its verdict, and what it printed on stderr at the end."""

    verdict: str
    code: int | None
    last_line: str


def run(case: Case, output: pathlib.Path, limit: float = LIMIT) -> Ending:
    """Runs a case in a fork of this process, which has imported all and has started no JAX.

    Args:
      case: what is run.
      output: the file that gets what it prints.
      limit: seconds that it may take.
    """
    child = os.fork()
    if child == 0:
        _be(case, output)
    code = _wait(child, limit)
    text = output.read_text(errors='replace') if output.exists() else ''
    lines = [line for line in text.splitlines() if line.strip()] or ['']
    return Ending(judge(case, code, text), code, lines[-1])


def judge(case: Case, code: int | None, text: str) -> str:
    """The verdict on a command that printed `text` and ended with `code`, None for not at all."""
    if code is None:
        return HANG
    if 'Traceback (most recent call last)' in text or code < 0 or code == 1:
        return TRACEBACK
    refused = code == 2 and 'error: ' in text
    if case.expected == WORKS:
        return CLEAN if code == 0 else WRONG
    if case.expected == REFUSED and not (refused and case.sentence in text):
        return WRONG
    return CLEAN if refused or code == 0 else WRONG


def _be(case: Case, output: pathlib.Path) -> None:
    """Becomes the command; never returns."""
    try:
        os.setsid()
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(file, stream)
        os.environ.update(case.environment)
        sys.argv = [case.command, *case.arguments]
        commands.run(importlib.import_module(commands.COMMANDS[case.command]).main)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _wait(child: int, limit: float) -> int | None:
    """The exit code of a process, negative for a signal; None where it did not end in time."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
