"""The arguments of `capf_jax.evaluate`, which alone imports this module."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ml_collections import ConfigDict

from capf_jax import assembly
from capf_jax.errors import UserError
from capf_jax.runtime import commands, configuration, files, processes, run_folder
from capf_jax.scoring import noise_sweep, protocols, tables


def parse(argv: Sequence[str], description: str | None) -> tuple[argparse.Namespace, ConfigDict]:
    """The arguments, and the configuration that they describe.

    Args:
      argv: as `sys.argv`, the program first.
      description: of the command, for `--help`.

    Raises:
      UserError: a missing, unknown or ill-typed argument, or two that exclude each other.
      FileNotFoundError: --workdir holds no run.
    """
    arguments = configuration.parse(argv, required=(), parser=_parser(description))
    values, config = arguments.values, arguments.config
    _check_one_kind(values)
    # An evaluation without a run takes a configuration, perhaps that of a run.
    if values.weights and config is None:
        raise UserError(
            '--config is missing: it names the dataset and the protocol that --weights is scored '
            'by, such as --config=configs/human36m_hrnet32.py'
        )
    if values.weights or values.mean_pose or (values.predictions and not values.workdir):
        if config is None:
            raise UserError('--config is missing: a file such as --config=configs/synthetic.py')
    elif config is not None:
        raise UserError('--config and --workdir exclude each other; a run has its configuration')
    elif not values.workdir:
        raise UserError('--workdir is missing: the folder of a run, such as runs/synthetic')
    else:
        config = run_folder.load(files.user_path(values.workdir))
    overrides = {
        'data.dir': values.data_dir,
        'data.cache': values.data_cache,
        'evaluation.flip_test': values.flip_test,
        'evaluation.pictures': values.pictures,
        'evaluation.batch_size': values.batch_size,
        'evaluation.protocol': values.protocol,
        'data.test_split': values.split,
    }
    overrides = {name: value for name, value in overrides.items() if value is not None}
    config.update_from_flattened_dict(overrides)
    config = configuration.expand_paths(config)
    configuration.check_values(config, assembly.problems)
    return values, config


def _parser(description: str | None) -> commands.Parser:
    parser = commands.Parser('capf_jax.evaluate', description)
    add = parser.add_argument
    add('--workdir', metavar='FOLDER', help='the folder of a run; of results, with --weights')
    add('--checkpoint', default='best', choices=('best', 'latest'), help='default: best')
    add('--split', help='a TFDS split (default: config.data.test_split)')
    add('--protocol', choices=tuple(protocols.PROTOCOLS), help='metrics and their averages')
    parser.add_flag('flip_test', default=None, help='average with the mirrored prediction')
    add('--group', choices=tables.GROUPS, help='a table by this label')
    add('--format', default='text', choices=tuple(tables.FORMATS), help='of tables (default: text)')
    add('--pictures', type=commands.whole_number(0), metavar='N', help='test people to draw')
    add('--data_dir', metavar='FOLDER', help='where built datasets are kept')
    add('--data_cache', metavar='FOLDER', help='for copies of a dataset in a store')
    add(
        '--batch_size',
        type=commands.whole_number(1),
        metavar='N',
        help='samples a step over all devices',
    )
    parser.add_flag('noise_sweep', default=False, help='2D noise of 0 to 5 px')
    add('--noise', dest='sigmas', type=_sigmas, metavar='PX,PX', help='2D noise of these sigmas')
    add('--predictions', metavar='FILE', help='score the poses of another program')
    add('--weights', metavar='FILE', help='score a weight file on the dataset of --config')
    parser.add_flag('mean_pose', default=False, help='score the mean pose of the training split')
    add(processes.DISTRIBUTED, action='store_true', help='join the other processes of the run')
    return parser


def _sigmas(text: str) -> tuple[float, ...]:
    """Numbers joined by commas."""
    try:
        return tuple(float(part) for part in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text} is no list of numbers; give pixels, such as --noise=0,2.5,5'
        ) from None


def _check_one_kind(values: argparse.Namespace) -> None:
    """UserError where two kinds of evaluation are asked for; a sweep gets its sigmas."""
    if values.noise_sweep and values.sigmas is None:
        values.sigmas = noise_sweep.SIGMAS
    asked = {
        '--mean_pose': values.mean_pose,
        '--predictions': values.predictions,
        '--noise': values.sigmas,
    }
    kinds = [name for name, value in asked.items() if value]
    if values.weights:  # A sweep of noise is run on weights.
        kinds = ['--weights', *(kind for kind in kinds if kind != '--noise')]
    if len(kinds) > 1:
        raise UserError(f'{" and ".join(kinds)} exclude each other; give one of them')
    if values.distributed and (values.mean_pose or values.predictions):
        raise UserError(f'{kinds[0]} is work for one process; leave out {processes.DISTRIBUTED}')
