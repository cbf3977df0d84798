"""Two commands at once in one place, and two processes of one run."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator

from tests.breaking import runner
from tests.breaking.runner import WORKS, Case, FalseEndError
from tests.breaking.world import EXPORTED, World


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    pairs: dict[str, Callable[[], tuple[tuple[str, tuple[str, ...]], ...]]] = {
        'train in one workdir': lambda: _twice('train', world.training(world.place())),
        'build one dataset': lambda: _twice(
            'train', world.training(world.place() / 'run', f'--config.data.dir={world.place()}')
        ),
        'export one file': lambda: _twice('export', (EXPORTED, str(world.place() / 'x.pth'))),
        'train and evaluate': lambda: (
            ('train', world.training(world.run, '--config.training.epochs=2')),
            ('evaluate', (f'--workdir={world.run}', '--checkpoint=latest', '--pictures=0')),
        ),
        'two datasets in one folder': lambda: tuple(
            (
                'train',
                world.training(
                    world.place() / 'run',
                    f'--config.data.dir={world.folder / "both"}',
                    f'--config.data.builder.test_size={size}',
                ),
            )
            for size in (4, 5)
        ),
    }
    for name, both in pairs.items():
        yield Case('processes', name, _at_once(world, both()), expected=WORKS, patience=5)
    for number in (signal.SIGINT, signal.SIGTERM):
        for gap in (0.0, 0.1, 0.5):
            title = f'{signal.Signals(number).name} twice, {gap} s apart'
            story = _signalled_twice(world, number, gap)
            yield Case('processes', title, story, expected=WORKS, patience=5)
    for name, flags in {
        'one run of two processes': (),
        'and with pictures': ('pictures=2',),
    }.items():
        more = [f'--config.evaluation.{flag}' for flag in flags]
        step = '--config.model.lifter.ablation_step=3'
        story = _distributed(world, (*more, step))
        yield Case('processes', name, story, expected=WORKS, patience=10)


def _twice(command: str, arguments: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ((command, arguments),) * 2


def _at_once(world: World, both: tuple[tuple[str, tuple[str, ...]], ...]) -> Callable[[], None]:
    """Both end well, or one of them in a sentence."""

    output = [world.place().with_suffix('.txt') for _ in both]

    def story() -> None:
        output[0].parent.mkdir(parents=True, exist_ok=True)
        children = [
            runner.fork(lambda command=command: runner.command_code(*command), file, {})
            for command, file in zip(both, output, strict=True)
        ]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        texts = [file.read_text(errors='replace') for file in output]
        if sorted(codes) not in ([0, 0], [0, 2]) or any('Traceback' in text for text in texts):
            raise FalseEndError(f'{codes}: {texts[0][-1000:]} ... {texts[1][-1000:]}')

    return story


def _signalled_twice(world: World, number: int, gap: float) -> Callable[[], None]:
    """A training that gets a signal twice ends soon, and goes on when it is begun again."""

    folder = world.place()  # A story runs in a fork, whose count of places the next would repeat.

    def story() -> None:
        arguments = world.training(
            folder / 'run', '--config.training.epochs=300', '--config.evaluation.every_epochs=300'
        )
        output = folder.with_suffix('.txt')
        output.parent.mkdir(parents=True, exist_ok=True)
        child = runner.fork(lambda: runner.command_code('train', arguments), output, {})
        while not (folder / 'run' / 'log.jsonl').is_file():
            if os.waitpid(child, os.WNOHANG)[0]:
                raise FalseEndError(f'it ended at once: {output.read_text()[-2000:]}')
            time.sleep(0.05)
        os.kill(child, number)
        time.sleep(gap)
        os.kill(child, number)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        text = output.read_text(errors='replace')
        if code not in (128 + number, -number) or 'Traceback' in text:
            raise FalseEndError(f'{code}: {text[-2000:]}')
        try:
            os.killpg(child, 0)
        except ProcessLookupError:
            return
        raise FalseEndError('a process is left')

    return story


def _distributed(world: World, flags: tuple[str, ...]) -> Callable[[], None]:
    """Two processes train together to the end."""
    workdir, files = world.place(), [world.place().with_suffix('.txt') for _ in range(2)]

    def story() -> None:
        with socket.socket() as one:
            one.bind(('localhost', 0))
            port = one.getsockname()[1]
        arguments = (*world.training(workdir, *flags), '--distributed')
        children = []
        for index in range(2):
            environment = {
                'JAX_PLATFORMS': 'cpu',
                'JAX_COORDINATOR_ADDRESS': f'localhost:{port}',
                'JAX_NUM_PROCESSES': '2',
                'JAX_PROCESS_ID': str(index),
                'XLA_FLAGS': '',
            }
            files[index].parent.mkdir(parents=True, exist_ok=True)
            # JAX reads where the others are when it is imported.
            command = [sys.executable, '-m', 'capf_jax.train', *arguments]
            children.append(
                runner.fork(
                    lambda command=command: os.execv(command[0], command), files[index], environment
                )
            )
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        if codes != [0, 0] or not (workdir / 'lifter.safetensors').is_file():
            texts = [file.read_text(errors='replace')[-1500:] for file in files]
            raise FalseEndError(f'{codes}: {texts}')

    return story
