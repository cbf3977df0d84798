"""Runs a function as several processes of one run; what they import is imported once for all."""

import atexit
import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time

import jax

from capf_jax.runtime import joining

CONTEXT = multiprocessing.get_context('forkserver')
CONTEXT.set_forkserver_preload(['capf_jax.train', 'capf_jax.evaluate', 'tests.tiny', __name__])
LONGEST = 600  # seconds that a machine with much else to do may take


class Several:
    """Processes under way.

    Attributes:
      processes: their handles, process 0 first.
    """

    def __init__(self, function, arguments, folder):
        with socket.socket() as one:
            one.bind(('localhost', 0))
            port = one.getsockname()[1]
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        count = len(arguments)
        self.processes = [
            CONTEXT.Process(target=_begin, args=(function, own, index, count, port, str(folder)))
            for index, own in enumerate(arguments)
        ]
        for process in self.processes:
            process.start()

    def output(self, index, stream='stderr'):
        """What a process has written so far."""
        path = self.folder / f'{stream}{index}'
        return path.read_text() if path.exists() else ''

    def wait_until(self, condition):
        """Waits while all processes live."""
        end = time.monotonic() + LONGEST
        while not condition():
            assert all(process.is_alive() for process in self.processes), self.all_output()
            assert time.monotonic() < end, self.all_output()
            time.sleep(0.05)

    def exit_codes(self):
        """Waits for the end of all processes."""
        end = time.monotonic() + LONGEST
        for process in self.processes:
            process.join(max(end - time.monotonic(), 0))
        return [process.exitcode for process in self.processes]

    def all_output(self):
        """For the message of an assertion."""
        return [self.output(index) for index in range(len(self.processes))]


@contextlib.contextmanager
def several(function, arguments, folder):
    """Starts `function(*own)` in one process for each of `arguments`; none outlives the block.

    Args:
      function: of a module; it joins the others with `--distributed`.
      arguments: those of each process.
      folder: where the processes' output goes.
    """
    running = Several(function, arguments, folder)
    try:
        yield running
    finally:
        for process in running.processes:
            process.kill()
            process.join()


def _end_with_the_tests():
    try:
        multiprocessing.parent_process().join()
    except Exception:  # The process itself ends, and takes from this thread what it waits with.
        return
    os._exit(1)


def _begin(function, own, index, count, port, folder):
    threading.Thread(target=_end_with_the_tests, daemon=True).start()
    for number, stream in ((1, 'stdout'), (2, 'stderr')):
        file = os.open(f'{folder}/{stream}{index}', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
    values = (f'localhost:{port}', str(count), str(index))
    os.environ.update(zip(joining.ENVIRONMENT, values, strict=True))
    jax.config.update('jax_platforms', 'cpu')
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        function(*own)
    finally:
        if sys.exc_info()[0] not in (None, SystemExit):
            sys.last_value = sys.exc_info()[1]  # as the interpreter does
        atexit._run_exitfuncs()
