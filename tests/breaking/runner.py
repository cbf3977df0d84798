"""Runs one case in a process of its own, and judges how it ended."""

import dataclasses
import importlib
import os
import pathlib
import signal
import sys
import time
import traceback
from collections.abc import Callable

from capf_jax.runtime import commands

CLEAN, TRACEBACK, HANG, WRONG = 'clean', 'traceback', 'hang', 'silently wrong'
VERDICTS = (CLEAN, TRACEBACK, HANG, WRONG)
LIMIT = 60.0  # seconds that a command may take where nothing else runs
REFUSED, WORKS, EITHER = 'refused', 'works', 'either'
FALSE = 3  # the exit code of a story whose end is a false one
SECONDS, BYTES = 1.0, 1_000_000_000  # that a file which is refused may take, of the processor


class FalseEndError(Exception):
    """A story ended in something else than it must; its text says in what."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One command, or a story.

    Attributes:
      kind, name: which case it is.
      command: a name of `commands.COMMANDS`, or the story: a function that raises a FalseEndError
        where it ends falsely.
      arguments: of the command.
      expected: how it must end: REFUSED with a sentence, WORKS with code 0, or EITHER.
      sentence: what it must print where it is refused.
      environment: variables that are set for it; a command with some starts in a Python of its own.
      prepare: makes its files.
      patience: how many times `LIMIT` it may take.
      is_measured: whether it may take at most SECONDS of the processor and BYTES of memory.
      codes: the exit codes with which a sentence may come: 2, and 1 where a part was done.
    """

    kind: str
    name: str
    command: str | Callable[[], None]
    arguments: tuple[str, ...] = ()
    expected: str = REFUSED
    sentence: str = ''
    environment: tuple[tuple[str, str], ...] = ()
    prepare: Callable[[], None] = lambda: None
    patience: float = 1
    is_measured: bool = False
    codes: tuple[int, ...] = (2,)


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a case ended: its verdict, its exit code (None for not at all), and its last line."""

    verdict: str
    code: int | None
    last_line: str


@dataclasses.dataclass(frozen=True)
class Running:
    """A case that runs in a fork of this process, which has imported all and has started no JAX.

    Attributes:
      case: what runs.
      process: the number of the fork.
      output: the file that gets what it prints.
      begun: by `time.monotonic`.
      memory: of this process when it was forked, bytes.
    """

    case: Case
    process: int
    output: pathlib.Path
    begun: float
    memory: int

    def ending(self, limit: float = LIMIT) -> Ending | None:
        """How it ended; None while it runs. It is killed after `limit` seconds."""
        ended, status, usage = os.wait4(self.process, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if ended else None
        if not ended:
            if time.monotonic() - self.begun < limit * self.case.patience:
                return None
            kill_group(self.process)
            os.waitpid(self.process, 0)
        text = self.output.read_text(errors='replace') if self.output.exists() else ''
        lines = [line for line in text.splitlines() if line.strip()] or ['']
        verdict, last_line = judge(self.case, code, text), lines[-1]
        if verdict == CLEAN and self.case.is_measured:
            seconds = usage.ru_utime + usage.ru_stime
            memory = 1024 * usage.ru_maxrss - self.memory
            if seconds > SECONDS or memory > BYTES:
                verdict = HANG
                last_line = f'took {seconds:.1f} s and {memory / 1e9:.1f} GB: {last_line}'
        return Ending(verdict, code, last_line)


def start(case: Case, output: pathlib.Path) -> Running:
    """Prepares and starts a case."""
    case.prepare()
    memory = _memory()
    process = fork(lambda: _be(case), output, dict(case.environment))
    return Running(case, process, output, time.monotonic(), memory)


def fork(main: Callable[[], int], output: pathlib.Path, environment: dict[str, str]) -> int:
    """Runs `main` in a process of a group of its own, which ends with its code; its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(file, stream)
        os.environ.update(environment)
        code = main()
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def kill_group(process: int, number: int = signal.SIGKILL) -> None:
    """Sends a signal to a process of `fork` and to its children."""
    try:
        os.killpg(process, number)
    except ProcessLookupError:
        os.kill(process, number)


def command_code(command: str, arguments: tuple[str, ...]) -> int:
    """Runs a command in this process, which is good for nothing else then; its exit code."""
    sys.argv = [command, *arguments]
    try:
        commands.run(importlib.import_module(commands.COMMANDS[command]).main)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1


def judge(case: Case, code: int | None, text: str) -> str:
    """The verdict on a case that printed `text` and ended with `code`, None for not at all."""
    if code is None:
        return HANG
    if code == FALSE:
        return WRONG
    if 'Traceback (most recent call last)' in text or code < 0 or code in {1} - {*case.codes}:
        return TRACEBACK
    refused = code in case.codes and 'error: ' in text
    if case.expected == WORKS:
        return CLEAN if code == 0 else WRONG
    if refused and case.sentence not in text:
        return WRONG
    if case.expected == REFUSED:
        return CLEAN if refused else WRONG
    return CLEAN if refused or code == 0 else WRONG


def _be(case: Case) -> int:
    """Becomes the command or the story; its exit code."""
    if isinstance(case.command, str) and case.environment:
        # Libraries that are imported already have read the variables: Python has to start anew.
        module = commands.COMMANDS[case.command]
        os.execv(sys.executable, [sys.executable, '-m', module, *case.arguments])
    if isinstance(case.command, str):
        return command_code(case.command, case.arguments)
    try:
        case.command()
    except FalseEndError as error:
        print(error)
        return FALSE
    return 0


def _memory() -> int:
    """Bytes of memory that this process has."""
    pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGESIZE')
