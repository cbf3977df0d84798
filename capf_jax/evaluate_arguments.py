"""The command line of `capf_jax.evaluate`: its flags, and the configuration that they give."""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags
from ml_collections import ConfigDict

from capf_jax.runtime import configuration, devices
from capf_jax.scoring import noise_sweep, protocols, report


def parse(argv: Sequence[str]) -> tuple[flags.FlagValues, ConfigDict]:
    """The flags, and the configuration they give.

    Args:
      argv: as `sys.argv`, the program first.

    Raises:
      ValueError: a missing, unknown or ill-typed argument, or two that exclude each other.
      FileNotFoundError: --workdir holds no run.
    """
    values = _flags()
    try:
        plain = [argument for argument in argv if argument != devices.DISTRIBUTED]
        rest = values(plain, known_only=True)[1:]
    except flags.Error as error:
        raise ValueError(' '.join(str(error).split())) from error
    _check_one_task(values, distributed=len(plain) < len(argv))
    # these need no trained run, but may be told one for its configuration
    runless = values.mean_pose or (values.predictions and not values.workdir)
    if runless:
        config = configuration.parse([argv[0], *rest], required=('config',)).config
    elif rest:
        raise ValueError(f'unknown argument {rest[0]!r}; flags are {", ".join(sorted(values))}')
    elif not values.workdir:
        raise ValueError('--workdir is missing: the folder of a run, such as runs/synthetic')
    else:
        config = configuration.load(values.workdir)
    overrides = {
        'data.dir': values.data_dir,
        'evaluation.flip_test': values.flip_test,
        'evaluation.pictures': values.pictures,
        'evaluation.batch_size': values.batch_size,
        'evaluation.protocol': values.protocol,
        'data.test_split': values.split,
    }
    with config.unlocked():  # runs of before have no protocol
        config.update_from_flattened_dict({k: v for k, v in overrides.items() if v is not None})
    configuration.check_values(config)
    return values, config


def sigmas(values: flags.FlagValues) -> tuple[float, ...]:
    """The standard deviations of the noise that are asked for, px; () for no sweep.

    Raises:
      ValueError: --noise is no list of numbers.
    """
    if values.noise is None:
        return noise_sweep.SIGMAS if values.noise_sweep else ()
    try:
        return tuple(float(text) for text in values.noise)
    except ValueError:
        raise ValueError(
            f'--noise={",".join(values.noise)} is no list of numbers; '
            'give pixels, such as --noise=0,2.5,5'
        ) from None


def _flags() -> flags.FlagValues:
    values = flags.FlagValues()
    text, number, choice = flags.DEFINE_string, flags.DEFINE_integer, flags.DEFINE_enum
    text('workdir', None, 'folder of the run', flag_values=values)
    text('split', None, 'TFDS split', flag_values=values)
    text('data_dir', None, 'where built datasets are kept', flag_values=values)
    text('predictions', None, 'poses of another program', flag_values=values)
    choice('checkpoint', 'best', ['best', 'latest'], '', flag_values=values)
    choice('protocol', None, list(protocols.PROTOCOLS), 'the metrics', flag_values=values)
    choice('group', None, list(report.GROUPS), 'table by', flag_values=values)
    choice('format', 'text', list(report.FORMATS), 'of tables', flag_values=values)
    flags.DEFINE_boolean('flip_test', None, 'average with the mirror', flag_values=values)
    flags.DEFINE_boolean('mean_pose', False, 'the mean-pose baseline', flag_values=values)
    flags.DEFINE_boolean('noise_sweep', False, '2D noise of 0 to 5 px', flag_values=values)
    flags.DEFINE_list('noise', None, '2D noise of these sigmas, px', flag_values=values)
    number('pictures', None, 'test people to draw', lower_bound=0, flag_values=values)
    number('batch_size', None, 'samples a step', lower_bound=1, flag_values=values)
    return values


def _check_one_task(values: flags.FlagValues, *, distributed: bool) -> None:
    """ValueError where two things are asked for that exclude each other."""
    asked = {
        '--mean_pose': values.mean_pose,
        '--predictions': values.predictions,
        '--noise': values.noise is not None or values.noise_sweep,
    }
    chosen = [name for name, wanted in asked.items() if wanted]
    if len(chosen) > 1:
        raise ValueError(f'{" and ".join(chosen)} exclude each other; give one of them')
    if distributed and (values.mean_pose or values.predictions):
        raise ValueError(f'{chosen[0]} is work for one process; leave out {devices.DISTRIBUTED}')
