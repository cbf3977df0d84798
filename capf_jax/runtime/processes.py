"""The processes of one run: how they find each other, which of them writes, how they agree and end.

A run has one process for each machine of a GPU cluster or TPU pod, or one in all.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from capf_jax.runtime import agreement, commands, files, joining, locks, watch
from capf_jax.runtime.relay import Relay

DISTRIBUTED = joining.DISTRIBUTED
process_index = jax.process_index
process_count = jax.process_count

_watch: watch.Watch | None = None  # of this process, if it has joined others
_agreements = itertools.count()  # all processes agree on the same things in the same order


@contextlib.contextmanager
def joined(argv: Sequence[str], work_for_one: Sequence[str] = ()) -> Iterator[None]:
    """Joins the other processes if `--distributed` is among the arguments, until all have finished.

    Whoever asks for `--help` waits for nobody, and neither does work that the command will refuse
    to several processes.

    Where the block raises, this process tells why and ends, and the others hear of it and end too.
    They would wait for ever for one that ended as a single process does.

    Args:
      argv: the command line.
      work_for_one: arguments that ask for such work.

    Raises:
      UserError: as `join_processes`.
    """
    names = {argument.partition('=')[0] for argument in argv}
    if DISTRIBUTED not in argv or not names.isdisjoint(('--help', *work_for_one)):
        yield
        return
    try:
        join_processes(argv)
        yield
        _finish()
    except BaseException as error:
        _end_with(error)


def join_processes(argv: Sequence[str]) -> list[str]:
    """Joins the other processes of this run if `--distributed` is among the arguments.

    On a TPU pod, under Slurm and under Open MPI, JAX finds the others by itself. Elsewhere the
    environment names them: JAX_COORDINATOR_ADDRESS (host:port of process 0), JAX_NUM_PROCESSES and
    JAX_PROCESS_ID. The call must come before anything else is asked of JAX.

    From then on this process ends with a sentence when another one has ended before its time.

    Args:
      argv: the command line.

    Returns:
      The arguments without `--distributed`.

    Raises:
      UserError: as `joining.connect`.
    """
    global _watch
    rest = [argument for argument in argv if argument != DISTRIBUTED]
    if len(rest) == len(argv):
        return rest
    place, relay = joining.connect(_lose_main_process)
    if place.count > 1:
        _watch = watch.Watch(_Store(), place.index, place.count, _end)
        if relay is not None:
            relay.watch(True)
        # JAX's own end is registered before, and therefore comes after it.
        atexit.register(_finish_at_exit, relay)
    return rest


def is_main_process() -> bool:
    """Whether this process is the one that prints and writes logs."""
    return jax.process_index() == 0


@contextlib.contextmanager
def main_process_first() -> Iterator[None]:
    """Lets the main process go through the block before the other processes enter it.

    What the main process makes there, such as a dataset, the others then only open. Where it fails
    there, they end.
    """
    if not is_main_process():
        gather('')
    yield
    if is_main_process():
        gather('')


@contextlib.contextmanager
def main_process_locks(folder: files.AnyPath, doing: str) -> Iterator[None]:
    """`locks.locked` by the main process alone, since the others are of the same run.

    They wait until it has the lock, so that all see the folder as it is then.
    """
    if not is_main_process():
        gather('')
        yield
        return
    with locks.locked(folder, doing):
        gather('')
        yield


def anyone(flag: bool) -> bool:
    """Whether the flag is set in any process; all processes must ask at the same place."""
    if jax.process_count() == 1:
        return flag
    check()
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def check() -> None:
    """EndedError if another process of the run has ended."""
    if _watch is not None:
        _watch.check()


def told_by_main(value: Any) -> Any:
    """The main process's value, for what it alone decides; as `gather` in all else."""
    return gather(value)[0]


def gather(value: Any) -> list[Any]:
    """What every process has to say, in their order; all of them must ask at the same place.

    No device takes part, so that processes may wait for each other for hours.

    Args:
      value: anything that JSON holds.

    Raises:
      EndedError: another process has ended.
    """
    if _watch is None:
        return [value]
    store, folder, count = _Store(), f'gathered/{next(_agreements)}', jax.process_count()
    store.put(f'{folder}/{jax.process_index()}', json.dumps(value, default=str))
    return [json.loads(_awaited(store, f'{folder}/{index}')) for index in range(count)]


def agree(what: Callable[[], Mapping[str, Any]], remedy: str) -> None:
    """Ends all processes where they differ; all of them must ask at the same place.

    Args:
      what: gives what must be the same, by its name in words; a single process is not asked.
      remedy: what to do where it is not.

    Raises:
      UserError: processes differ; the sentence says in what, with the values of which processes.
      EndedError: another process has ended.
    """
    if _watch is not None:
        agreement.check(gather(dict(what())), remedy)


class _Store:
    """JAX's key-value store, in process 0. JAX has no public name for it."""

    def __init__(self) -> None:
        from jax._src import distributed

        assert distributed.global_state.client is not None
        self._client = distributed.global_state.client

    def put(self, key: str, value: str) -> None:
        self._client.key_value_set(f'capf_jax/{key}', value, allow_overwrite=True)

    def folder(self, name: str) -> dict[str, str]:
        prefix = f'capf_jax/{name}/'
        return {
            key.removeprefix(prefix): value for key, value in self._client.key_value_dir_get(prefix)
        }

    def wait(self, key: str, seconds: float) -> str | None:
        """A value; None where nobody has written it in time."""
        try:
            return self._client.blocking_key_value_get(f'capf_jax/{key}', round(1000 * seconds))
        except jax.errors.JaxRuntimeError as error:
            if 'DEADLINE_EXCEEDED' not in str(error):
                raise
            return None


def _awaited(store: _Store, key: str) -> str:
    while (value := store.wait(key, 1)) is None:
        check()
    return value


def _lose_main_process() -> None:
    if _watch is not None:
        _watch.lose(0)


def _finish() -> None:
    """Waits until all processes have come to their end as they should."""
    global _watch
    if _watch is not None:
        gather('finished')
        _watch.stop()
        _watch = None
        _part(_Store())


def _part(store: _Store) -> None:
    """Keeps process 0, whose end the others take for a failure, until none of them looks for it.

    JAX itself lets process 0 go before the others at times (0.12).
    """
    if jax.process_index():
        with contextlib.suppress(jax.errors.JaxRuntimeError):  # Process 0 may not have waited.
            store.put(f'parted/{jax.process_index()}', '')
        return
    until = time.monotonic() + watch.SILENCE
    while len(store.folder('parted')) < jax.process_count() - 1 and time.monotonic() < until:
        time.sleep(0.02)


def _finish_at_exit(relay: Relay | None) -> None:
    """The end of a process that was not `joined`, or the last of one that was."""
    error = getattr(sys, 'last_value', None)
    try:
        if error is not None:
            raise error
        _finish()
    except BaseException as trouble:
        _end_with(trouble, is_told=trouble is error)
    if relay is not None:
        relay.watch(False)


def _end_with(error: BaseException, is_told: bool = False) -> None:
    """Tells an error, here and to the other processes, and ends the process."""
    if _watch is not None and not _is_own(error):
        # The devices failed to reach another process; which one will come to light.
        reason = _watch.heard_within(watch.SILENCE + watch.GRACE)
        if reason:
            error, is_told = watch.EndedError(reason), False
    if _watch is not None:
        _watch.main_thread_ends()
    code = 1 if is_told else commands.tell(error)
    if _watch is not None:
        _watch.say_last_words(commands.last_words(error))
    watch.end_process(code)


def _is_own(error: BaseException) -> bool:
    """Whether an error is this process's own, and no consequence of another one's end."""
    if not isinstance(error, Exception) or commands.is_expected(error):
        return True
    signs = ('Gloo', 'NCCL', 'UNAVAILABLE', 'DEADLINE_EXCEEDED', 'Connection', 'ABORTED')
    return not any(sign in str(error) for sign in signs)


def _end(sentence: str) -> None:
    """Ends the process where its main thread waits for devices that will never answer."""
    error = watch.EndedError(sentence)
    code = commands.tell(error)
    if _watch is not None:
        _watch.say_last_words(sentence)
    watch.end_process(code)
