"""Trainings and builds that are killed and begun again: their end is that of one left alone."""

import os
import pathlib
import shutil
import signal
import time
from collections.abc import Callable, Iterator

import numpy as np

from tests.breaking import runner
from tests.breaking.runner import WORKS, Case, FalseEndError
from tests.breaking.world import World

RANDOM = 8  # moments chosen at random
TIMES = 3  # that a run is killed at most
FLAGS = ('--config.training.epochs=4', '--config.training.checkpoint_minutes=0')
STEPS = 12  # of a run with these flags
PATIENCE = 600  # seconds that a training may take, however busy the machine is


def _exists(pattern: str) -> Callable[[pathlib.Path], bool]:
    return lambda folder: any(True for _ in folder.glob(pattern))


def _has_lines(number: int) -> Callable[[pathlib.Path], bool]:
    def is_so(folder: pathlib.Path) -> bool:
        log = folder / 'run' / 'log.jsonl'
        return log.is_file() and log.read_bytes().count(b'\n') >= number

    return is_so


# Name of a moment -> whether it has come, by the folder of the data and the run.
MOMENTS = {
    'it builds': _exists('data/**/*parts*'),
    'the dataset is half written': _exists('data/**/*incomplete*'),
    'the run has a configuration': _exists('run/config.json'),
    'the first step is logged': _has_lines(1),
    'a checkpoint is half written': _exists('run/checkpoints/latest/*tmp*'),
    'the first checkpoint is there': _exists('run/checkpoints/latest/[0-9]'),
    'the best one is half written': _exists('run/checkpoints/best/*tmp*'),
    'the second epoch is logged': _has_lines(6),
    'the third epoch is logged': _has_lines(10),
    'the weights are half written': _exists('run/.lifter*'),
    'the weights are there': _exists('run/lifter.safetensors'),
}


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    # The folder of one dataset, and of the run that nobody kills, which all are compared with.
    alone = world.folder / 'alone'
    begun = time.monotonic()
    _train(world, alone)
    length = time.monotonic() - begun
    for name, has_come in MOMENTS.items():
        for number in (signal.SIGKILL, signal.SIGTERM):
            title = f'{signal.Signals(number).name} when {name}'
            yield _case(world, title, alone, [has_come], number)
    for _ in range(RANDOM):
        moments = [world.random.uniform(0, length) for _ in range(world.random.randint(1, TIMES))]
        title = 'SIGKILL after ' + ', '.join(f'{moment:.1f}' for moment in moments) + ' seconds'
        yield _case(world, title, alone, [_after(moment) for moment in moments], signal.SIGKILL)


def _after(seconds: float) -> Callable[[pathlib.Path], bool]:
    begun: list[float] = []

    def is_so(_: pathlib.Path) -> bool:
        begun[:] = begun or [time.monotonic()]
        return time.monotonic() - begun[0] > seconds

    return is_so


def _case(world: World, name: str, alone: pathlib.Path, moments, number: int) -> Case:
    folder = world.place()

    def story() -> None:
        folder.mkdir(parents=True)
        for moment in moments:
            _train(world, folder, moment, number)
        _train(world, folder)
        _compare(alone / 'run', folder / 'run')
        leftovers = [path.name for path in folder.rglob('*') if _is_leftover(path)]
        if leftovers:
            raise FalseEndError(f'what the killed one left is still there: {leftovers}')
        shutil.rmtree(folder)

    return Case('kills', name, story, expected=WORKS, patience=2 + len(moments))


def _train(world: World, folder: pathlib.Path, moment=None, number: int = 0) -> None:
    """Trains in a process of its own, which gets a signal at a moment, if that comes."""
    output = folder.with_suffix('.txt')
    arguments = world.training(folder / 'run', f'--config.data.dir={folder / "data"}', *FLAGS)
    output.parent.mkdir(parents=True, exist_ok=True)
    child = runner.fork(lambda: runner.command_code('train', arguments), output, {})
    begun, is_sent = time.monotonic(), False
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if moment and not is_sent and moment(folder):
            runner.kill_group(child, number)
            is_sent = True
        if time.monotonic() - begun > PATIENCE:
            runner.kill_group(child)
            raise FalseEndError('the training did not end')
        time.sleep(0.002)
    code = os.waitstatus_to_exitcode(ended[1])
    text = output.read_text(errors='replace')
    output.unlink()
    allowed = (0, -number, 128 + number) if is_sent else (0,)
    if code not in allowed or 'Traceback' in text:
        raise FalseEndError(f'the training ended with {code}: {text[-2000:]}')


def _is_leftover(path: pathlib.Path) -> bool:
    return 'incomplete' in path.name or '.tmp' in path.name or 'checkpoint-tmp' in path.name


def _compare(one: pathlib.Path, other: pathlib.Path) -> None:
    """Raises an error unless all that two runs have learnt is equal to the bit."""
    states = [_numbers(folder) for folder in (one, other)]
    if states[0].keys() != states[1].keys():
        raise FalseEndError(f'other arrays: {sorted(states[0].keys() ^ states[1].keys())[:5]}')
    for name, array in states[0].items():
        if not np.array_equal(array, states[1][name], equal_nan=True):
            raise FalseEndError(f'{name} differs by {np.abs(array - states[1][name]).max()}')


def _numbers(run: pathlib.Path) -> dict[str, np.ndarray]:
    """Weights of the end and of the best step, and the optimizer's state, by name."""
    import jax
    import orbax.checkpoint as ocp
    from safetensors.numpy import load_file

    arrays = dict(load_file(run / 'lifter.safetensors'))
    for kind in ('latest', 'best'):
        steps = sorted(int(path.name) for path in (run / 'checkpoints' / kind).iterdir())
        if kind == 'latest' and steps[-1] != STEPS:
            raise FalseEndError(f'the newest checkpoint is of step {steps[-1]}')
        path = run / 'checkpoints' / kind / str(steps[-1]) / 'default'
        tree = ocp.PyTreeCheckpointer().restore(path)
        for place, leaf in jax.tree_util.tree_leaves_with_path(tree):
            arrays[f'{kind}{steps[-1]}{jax.tree_util.keystr(place)}'] = np.asarray(leaf)
    return arrays
