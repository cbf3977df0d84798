"""Makes the table of the paper's ablation from runs of this code.

    python -m benchmarks.ablation --config=configs/synthetic.py --seeds=0,1 --workdir=runs/ablation

Trains every row with every seed, one after another, each by the command of the README in a folder
of its own, and prints the table. Interrupted, it goes on; a finished run is not trained again.
"""

from __future__ import annotations

import pathlib
import statistics
import subprocess
import sys
from collections.abc import Sequence

import tabulate

from capf_jax.runtime import commands, files, logs

ROWS = {  # what the lifter gets -> arguments of the config
    'coordinates only (step 0)': 'step=0',
    "coordinates and the detector's own 2D joints (control)": 'step=0,detector_joints=true',
    'coordinates and sampled context (step 1)': 'step=1',
    '+ pose-context fusion (step 2)': 'step=2',
    '+ deformable context extraction (step 3)': 'step=3',
}
METRICS = {'mpjpe': 'MPJPE, mm', 'pa_mpjpe': 'PA-MPJPE, mm'}


def train(config: str, arguments: str, workdir: pathlib.Path) -> dict[str, float]:
    """Runs one training, unless it is finished, and gives its scores after the last step."""
    if not (workdir / 'lifter.safetensors').exists():
        command = [sys.executable, '-m', 'capf_jax.train', f'--config={config}:{arguments}']
        command.append(f'--workdir={workdir}')
        print(' '.join(command), file=sys.stderr, flush=True)
        subprocess.run(command, check=True)
    return [line for line in logs.entries(workdir / 'log.jsonl') if line['part'] == 'test'][-1]


def main(argv: Sequence[str]) -> int:
    """Trains what is missing and prints the table; returns the exit code."""
    parser = commands.Parser('benchmarks.ablation', __doc__)
    add = parser.add_argument
    add('--config', default='configs/synthetic.py', help='a config file')
    add('--arguments', default='', help='further arguments of the config, a=b,c=d')
    add('--seeds', default='0,1', help='seeds, separated by commas')
    add('--rows', default='01234', help='digits of the rows to run, from 0')
    add('--workdir', default='runs/ablation', type=files.user_path, help='folder of all runs')
    flags = parser.parse(argv)

    seeds = flags.seeds.split(',')
    rows = [list(ROWS.items())[int(digit)] for digit in flags.rows]
    scores = {name: [] for name, _ in rows}
    for seed in seeds:
        for name, arguments in rows:
            arguments = ','.join(filter(None, [arguments, flags.arguments, f'seed={seed}']))
            folder = flags.workdir / arguments.replace(',', '-').replace('=', '_').replace('/', '_')
            scores[name].append(train(flags.config, arguments, folder))

    table = []
    for name, results in scores.items():
        row = [name]
        for metric in METRICS:
            values = [result[metric] for result in results]
            row.append(f'{statistics.mean(values):.1f} ({", ".join(f"{v:.1f}" for v in values)})')
        table.append(row)
    header = ['', *(f'{unit}: mean ({len(seeds)} seeds)' for unit in METRICS.values())]
    print(tabulate.tabulate(table, header, 'github'))
    return 0


if __name__ == '__main__':
    commands.run(main)
