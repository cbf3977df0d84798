"""Runs all cases and prints how many ended in which way; see the package's docstring."""

import collections
import importlib
import os
import pathlib
import sys
import tempfile
import time

import tests.breaking
from capf_jax.errors import UserError, printable
from capf_jax.runtime import commands
from tests.breaking import runner
from tests.breaking.kinds import KINDS, WITHOUT_RUN
from tests.breaking.world import World

PRELOADED = ('train', 'evaluate', 'build', 'check', 'convert', 'export', 'inspect', 'predict')


def main(argv):
    """Runs the command; returns the exit code, 1 if any case ended badly."""
    parser = commands.Parser('tests.breaking', tests.breaking.__doc__)
    parser.add_argument('--kind', default=','.join(KINDS), help='joined by commas')
    parser.add_argument('--only', default='', help='cases whose name holds this text')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='cases at a time')
    parser.add_argument('--seed', type=int, default=0, help='of the random cases')
    parser.add_argument(
        '--limit', type=float, default=runner.LIMIT, help='seconds that a command may take'
    )
    parser.add_flag('verbose', default=False, help='print every case with its last line')
    values = parser.parse(argv)
    kinds = values.kind.split(',')
    if not set(kinds) <= set(KINDS):
        raise UserError(f'--kind is {values.kind}; give some of {", ".join(KINDS)}')
    for name in PRELOADED:
        importlib.import_module(commands.COMMANDS[name])  # Forks then have them already.
    importlib.import_module('torch')
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        world = World(pathlib.Path(name), values.seed)
        if set(kinds) - set(WITHOUT_RUN):
            world.train(10 * values.limit)
        counts = run(world, kinds, values)
    width = max(map(len, kinds))
    print(f'{"":<{width}}  ' + '  '.join(runner.VERDICTS))
    total = sum(counts.values(), collections.Counter())
    for kind, count in [*counts.items(), ('all', total)]:
        cells = (f'{count[verdict]:>{len(verdict)}}' for verdict in runner.VERDICTS)
        print(f'{kind:<{width}}  ' + '  '.join(cells))
    print(f'{sum(total.values())} cases in {(time.monotonic() - begun) / 60:.1f} minutes')
    return int(bool(set(+total) - {runner.CLEAN}))


def run(world, kinds, values):
    """Runs the cases of some kinds, several at a time; counts verdicts by kind."""
    counts = {kind: collections.Counter() for kind in kinds}
    cases = (case for kind in kinds for case in KINDS[kind](world) if values.only in case.name)
    running, number = [], 0
    while True:
        while len(running) < values.jobs and (case := next(cases, None)):
            number += 1
            running.append(runner.start(case, world.folder / f'output-{number}.txt'))
        if not running:
            return counts
        endings = [(one, one.ending(values.limit)) for one in running]
        running = [one for one, ending in endings if ending is None]
        for one, ending in endings:
            if ending is None:
                continue
            counts[one.case.kind][ending.verdict] += 1
            if values.verbose or ending.verdict != runner.CLEAN:
                line = printable(ending.last_line)[:160]
                name = printable(one.case.name)[:100]
                print(f'{ending.verdict}: {one.case.kind}: {name}: {line}', flush=True)
            one.output.unlink(missing_ok=True)
        time.sleep(0.02)


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv))
    except UserError as error:
        sys.exit(f'error: {error}')
