"""Makes the table of the means against bad 2D joints, each alone and all together.

    python -m benchmarks.robust --workdir=runs/robust
    python -m benchmarks.robust --workdir=runs/robust --people=8000 --seeds=0,1 --rows=05

Trains every row with every seed, one after another, each by a command of its own in a folder of its
own, evaluates it without and with noise of 5 px on the 2D joints, prints the table and writes it as
Markdown and JSON into the workdir. Interrupted, it goes on; what is finished is not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import tabulate

from benchmarks.table_report import cell
from capf_jax.errors import UserError
from capf_jax.runtime import commands, files

CONFIG = 'configs/synthetic_robust.py'
ROWS = {  # what is done against bad 2D joints -> the argument `means` of the config
    'nothing: the plain lifter': '',
    'noise and swaps while training': 'noise',
    'how sure the detector is, and how near': 'confidence',
    'sampling points that wander': 'wander',
    "the detector's own reading": 'reading',
    'all four': 'noise+confidence+wander+reading',
}
LEAST, MOST = 0.0, 5.0  # px of noise that the table compares
HARD = '2D error > 5 px'
HEADER = (
    'against bad 2D joints', 'MPJPE at 0 px', 'at 5 px', 'lost', "share of the plain one's loss",
    'change at 0 px', 'hard frames, 0 px', 'hard frames, 5 px',
)  # fmt: skip


def sweep(means: str, seed: str, values: argparse.Namespace) -> list[dict[str, Any]]:
    """Trains and evaluates one row unless that is done; returns its errors at each noise."""
    folder = values.workdir / f'{means or "plain"}-{values.people}-seed{seed}'
    if not (folder / 'lifter.safetensors').exists():
        config = f'--config={CONFIG}:means={means},people={values.people},seed={seed}'
        overrides = [f'--config.data.test_split={values.split}', *values.overrides.split()]
        _run('train', config, f'--workdir={folder}', '--config.evaluation.pictures=0', *overrides)
    if not any(folder.glob('evaluation_latest_*_noise.json')):
        noise = f'--noise={LEAST:g},{MOST:g}'
        split = f'--split={values.split}'
        _run('evaluate', f'--workdir={folder}', '--checkpoint=latest', split, noise)
    (result,) = folder.glob('evaluation_latest_*_noise.json')
    return json.loads(result.read_text())['noise']


def _run(command: str, *arguments: str) -> None:
    line = [sys.executable, '-m', f'capf_jax.{command}', *arguments]
    print(' '.join(line), file=sys.stderr, flush=True)
    subprocess.run(line, check=True)


def figures(noise: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What the table shows of one noise sweep: errors in mm, without noise and with the most."""
    of = {row['sigma_px']: row for row in noise}
    return {
        'least': of[LEAST]['headline']['mpjpe'],
        'most': of[MOST]['headline']['mpjpe'],
        'hard_least': of[LEAST]['subsets'][HARD]['mpjpe'],
        'hard_most': of[MOST]['subsets'][HARD]['mpjpe'],
    }


def table(scores: Mapping[str, Sequence[Mapping[str, float]]]) -> list[list[str]]:
    """The rows of the table, means over the seeds, and each seed of the errors that lead them.

    Losses are compared with the first row's.
    """
    rows = []
    plain: dict[str, float] = {}
    for name, of_seeds in scores.items():
        mean = {key: statistics.mean(one[key] for one in of_seeds) for key in of_seeds[0]}
        plain = plain or mean
        loss, plain_loss = mean['most'] - mean['least'], plain['most'] - plain['least']
        rows.append(
            [
                name,
                cell([one['least'] for one in of_seeds]),
                cell([one['most'] for one in of_seeds]),
                f'{loss:.1f}',
                f'{100 * loss / plain_loss:.0f}%',
                f'{100 * (mean["least"] / plain["least"] - 1):+.1f}%',
                f'{mean["hard_least"]:.1f}',
                f'{mean["hard_most"]:.1f}',
            ]
        )
    return rows


def main(argv: Sequence[str]) -> int:
    """Does what is missing and prints the table; returns the exit code."""
    parser = commands.Parser('benchmarks.robust', __doc__)
    add = parser.add_argument
    add('--seeds', default='0', help='seeds, separated by commas')
    add(
        '--rows', default='012345', help='digits of the rows to run, from 0; 0 is always among them'
    )
    add('--people', default=20_000, type=int, help='rendered people to train on')
    add('--split', default='test', help='people to test on')
    add('--workdir', default='runs/robust', type=files.user_path, help='folder of all runs')
    add('--overrides', default='', help='further arguments of each training, separated by spaces')
    values = parser.parse(argv)
    if not set(values.rows) <= set('012345'):
        raise UserError(f'--rows={values.rows}: give digits of the rows 0 to 5, such as 05')
    if not all(seed.isdecimal() for seed in values.seeds.split(',')):
        raise UserError(f'--seeds={values.seeds}: give whole numbers, such as 0,1')

    seeds = values.seeds.split(',')
    rows = [list(ROWS.items())[int(digit)] for digit in sorted({'0', *values.rows})]
    noise = {name: [sweep(means, seed, values) for seed in seeds] for name, means in rows}
    scores = {name: [figures(one) for one in of_seeds] for name, of_seeds in noise.items()}
    words = tabulate.tabulate(table(scores), HEADER, 'github', disable_numparse=True)
    stem = values.workdir / f'robust-{values.people}'
    with files.whole(stem.with_name(f'{stem.name}.md')) as path:
        path.write_text(f'{words}\n')
    files.write_json(stem.with_name(f'{stem.name}.json'), noise)
    print(words)
    return 0


if __name__ == '__main__':
    commands.run(main)
