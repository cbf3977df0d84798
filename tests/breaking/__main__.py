"""Runs all cases and prints how many ended in which way; see the package's docstring."""

import collections
import importlib
import pathlib
import sys
import tempfile

import tests.breaking
from capf_jax.errors import UserError, printable
from capf_jax.runtime import commands
from tests.breaking import cases, runner


def main(argv):
    """Runs the command; returns the exit code, 1 if any case ended badly."""
    parser = commands.Parser('tests.breaking', tests.breaking.__doc__)
    parser.add_argument('--kinds', default=','.join(cases.KINDS), help='joined by commas')
    parser.add_argument('--only', default='', help='cases whose name holds this text')
    parser.add_argument(
        '--limit', type=float, default=runner.LIMIT, help='seconds that a case may take'
    )
    parser.add_flag('verbose', default=False, help='print every case with its last line')
    values = parser.parse(argv)
    kinds = values.kinds.split(',')
    if not set(kinds) <= set(cases.KINDS):
        raise UserError(f'--kinds is {values.kinds}; give some of {", ".join(cases.KINDS)}')
    for module in ('train', 'evaluate', 'build', 'check'):
        importlib.import_module(commands.COMMANDS[module])  # Forks then have them already.
    counts = {kind: collections.Counter() for kind in kinds}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        world = cases.World(folder)
        first = runner.Case('world', 'train', 'train', world.training(folder / 'run'), runner.WORKS)
        ending = runner.run(first, folder / 'output.txt', 10 * values.limit)
        if ending.verdict != runner.CLEAN:
            raise UserError(f'the run that the cases damage does not train: {ending.last_line}')
        for kind in kinds:
            for case, prepare in cases.KINDS[kind](world, folder):
                if values.only not in case.name:
                    continue
                prepare()
                ending = runner.run(case, folder / 'output.txt', values.limit)
                counts[kind][ending.verdict] += 1
                if values.verbose or ending.verdict != runner.CLEAN:
                    line = printable(ending.last_line)[:160]
                    print(f'{ending.verdict}: {kind}: {printable(case.name)}: {line}', flush=True)
    width = max(map(len, kinds))
    print(f'{"":<{width}}  ' + '  '.join(runner.VERDICTS))
    for kind, count in counts.items():
        cells = (f'{count[verdict]:>{len(verdict)}}' for verdict in runner.VERDICTS)
        print(f'{kind:<{width}}  ' + '  '.join(cells))
    return int(any(set(count) - {runner.CLEAN} for count in counts.values()))


if __name__ == '__main__':
    sys.exit(main(sys.argv))
