"""What each number and choice of a configuration may be, checked before anything starts.

`CHECKS` has one entry for each field whose values have limits; a field without an entry may be
anything of its type. The fields under data.builder are checked by the datasets' own Settings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from capf_jax.errors import nearest
from capf_jax.pose import joint_conversions

# What is wrong with a value, as the end of a sentence ('it must be ...'); '' for nothing.
Check = Callable[[Any], str]

LARGEST_SEED = 2**32 - 1  # JAX would keep the last 32 bits of a larger one
PRECISIONS = ('default', 'high', 'highest', 'bfloat16', 'tensorfloat32', 'float32')


def is_number(value: Any) -> bool:
    """Whether a value is a whole number or a fraction; True and False are neither."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_finite(value: float) -> bool:
    """Whether a number is finite, as a floating-point number."""
    try:
        return math.isfinite(value)
    except OverflowError:  # A whole number may be of any size.
        return False


def whole(least: int, most: int) -> Check:
    """A whole number within limits, both of which are allowed."""

    def check(value: Any) -> str:
        if not is_number(value) or (not isinstance(value, int) and not value.is_integer()):
            return 'it must be a whole number'
        if value < least:
            return f'it must be at least {least}'
        return f'it must be at most {most}' if value > most else ''

    return check


def _odd(value: Any) -> str:
    """A number of frames, of which one is in the middle."""
    what = whole(1, 9999)(value)
    return what or ('' if value % 2 else 'it must be odd, such as 27')


def number(
    least: float, most: float = math.inf, *, above: bool = False, below: bool = False
) -> Check:
    """A finite number within limits.

    Args:
      least: the smallest value, which is allowed unless `above`.
      most: the largest value, which is allowed unless `below`.
      above: whether the value must be more than `least`.
      below: whether the value must be less than `most`.
    """
    low = f'above {least:g}' if above else f'at least {least:g}'
    high = f'below {most:g}' if below else f'at most {most:g}'
    limits = low if math.isinf(most) else f'{low} and {high}'

    def check(value: Any) -> str:
        if not is_number(value) or not _is_finite(value):
            return f'it must be a finite number, {limits}'
        too_low = value <= least if above else value < least
        too_high = value >= most if below else value > most
        return f'it must be {limits}' if too_low or too_high else ''

    return check


def one_of(*known: Any) -> Check:
    """One of these values."""

    def check(value: Any) -> str:
        return '' if value in known else f'it must be one of {", ".join(map(str, known))}'

    return check


def name_of(*known: str) -> Check:
    """One of these words of our own, of which the nearest is named."""

    def check(value: Any) -> str:
        if value in known:
            return ''
        return f'the nearest is {nearest(str(value), known)!r} of {", ".join(known)}'

    return check


def text(value: Any) -> str:
    """Any text."""
    return '' if isinstance(value, str) else 'it must be a text'


def switch(value: Any) -> str:
    """True or False."""
    return '' if isinstance(value, bool) else 'it must be True or False'


def _levels(value: Any) -> str:
    """Numbers of feature maps: the model says later how many maps its detector has."""
    numbers = value if isinstance(value, (tuple, list)) else ('',)
    if any(type(level) is not int or not 0 <= level < 16 for level in numbers):
        return 'it must list whole numbers from 0, the finest map, such as (0, 1)'
    return '' if len(set(numbers)) == len(numbers) else 'it must name each map once'


def _robust(value: Any) -> str:
    """Means against bad 2D joints, each once."""
    names = value if isinstance(value, (tuple, list)) else ('',)
    known = name_of('noise', 'confidence', 'wander', 'reading')
    wrong = next((f'{name!r}: {what}' for name in names if (what := known(name))), '')
    if wrong or len(set(names)) == len(names):
        return wrong
    return 'it must name each means once'


def _modules(value: Any) -> str:
    numbers = value if isinstance(value, (tuple, list)) else ()
    right = len(numbers) == 3 and all(type(count) is int and 1 <= count <= 32 for count in numbers)
    return '' if right else 'it must be three whole numbers from 1 to 32, such as (1, 1, 1)'


CHECKS: Mapping[str, Check] = {
    'task': text,
    'skeleton': text,
    'seed': whole(0, LARGEST_SEED),
    'dtype': one_of('float32', 'bfloat16'),
    'data.name': text,
    'data.dir': text,
    'data.train_split': text,
    'data.test_split': text,
    'data.joints2d': one_of('detected', 'truth'),
    'data.bad_image': one_of('error', 'skip'),
    'data.features': switch,
    'data.threads': whole(0, 256),
    'data.frames': _odd,
    'data.frame_step': whole(1, 1000),
    'data.causal': switch,
    'data.pictures': switch,
    'model.detector': text,
    'model.detector_weights': text,
    'model.detector_head': switch,
    'model.detector_skeleton': text,
    'model.frame': name_of('camera', 'viewing_ray'),
    'model.joints2d': name_of('dataset', 'detector'),
    'model.joint_conversion': name_of(*joint_conversions.NAMES),
    'model.other_conversions': number(0, 1),
    'model.hrnet.heatmaps': text,
    'model.hrnet.skeleton': text,
    'model.hrnet.width': whole(1, 512),
    'model.hrnet.stem_channels': whole(1, 1024),
    'model.hrnet.bottlenecks': whole(1, 32),
    'model.hrnet.modules': _modules,
    'model.hrnet.blocks': whole(1, 32),
    'model.lifter.ablation_step': one_of(0, 1, 2, 3),
    'model.lifter.levels': _levels,
    'model.lifter.deformable': switch,
    'model.lifter.detector_joints': switch,
    'model.lifter.channels': whole(1, 8192),
    'model.lifter.layers': whole(1, 64),
    'model.lifter.heads': whole(1, 8192),
    'model.lifter.deformable_heads': whole(1, 8192),
    'model.lifter.sampling_points': whole(1, 1024),
    'model.lifter.mlp_ratio': whole(1, 64),
    'model.lifter.drop_path': number(0, 1, below=True),
    'model.lifter.robust': _robust,
    'model.sequence_lifter': name_of('ca_pf_s', 'poseformer'),
    'model.temporal_layers': whole(1, 64),
    'model.temporal_heads': whole(1, 8192),
    'model.temporal_position': switch,
    'model.projection_channels': whole(0, 8192),
    'model.projection_weights': text,
    'training.batch_size': whole(1, 1_000_000),
    'training.accumulate': whole(1, 1_000_000),
    'training.epochs': whole(1, 1_000_000),
    'training.learning_rate': number(0, above=True),
    'training.learning_rate_decay': number(0, 1, above=True),
    'training.weight_decay': number(0),
    'training.offset_learning_rate_factor': number(0),
    'training.weight_average': number(0, 1, below=True),
    'training.flip_probability': number(0, 1),
    'training.joint_noise': number(0, 1000),
    'training.joint_swap': number(0, 1),
    'training.checkpoint_minutes': number(0),
    'training.start': text,
    'training.start_part': one_of('all', 'lifter', 'detector'),
    'training.target_unit': one_of('m', 'mm'),
    'training.detector_statistics': one_of('frozen', 'batch'),
    'training.precision': one_of(*PRECISIONS),
    'training.weight_type': one_of('float32', 'float16'),
    'training.weight_detector': one_of('inside', 'beside'),
    'training.log_steps': whole(1, 1_000_000_000),
    'detection.sigma': number(0, above=True),
    'detection.max_rotation': number(0, 180),
    'detection.max_scale': number(0, 1, below=True),
    'detection.max_shift': number(0, 1),
    'detection.max_gain': number(0, 1),
    'evaluation.batch_size': whole(1, 1_000_000),
    'evaluation.every_epochs': whole(1, 1_000_000),
    'evaluation.precision': one_of(*PRECISIONS),
    'evaluation.flip_test': switch,
    'evaluation.pictures': whole(0, 1000),
}
# Fields without which nothing can be read from a configuration.
NEEDED = (
    'task',
    'seed',
    'skeleton',
    'data.name',
    'data.dir',
    'data.train_split',
    'data.test_split',
    'data.threads',
    'model.detector',
    'model.lifter.channels',
    'model.lifter.ablation_step',
    'training.batch_size',
    'training.epochs',
    'training.learning_rate',
    'evaluation.batch_size',
    'evaluation.flip_test',
)
# Fields that must divide another one.
DIVISORS = {
    'model.lifter.heads': 'model.lifter.channels',
    'model.lifter.deformable_heads': 'model.lifter.channels',
    'training.accumulate': 'training.batch_size',
}
LARGEST_LIFTER = 2_000_000_000  # parameters, about


def problems(fields: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with values, each a clause that names its field.

    Args:
      fields: dotted names, without 'config.', -> values; only those in NEEDED must be there.
    """
    clauses = [f'config.{name} is missing' for name in NEEDED if name not in fields]
    return clauses + wrong_values(fields)


def wrong_values(fields: Mapping[str, Any], prefix: str = 'config.') -> list[str]:
    """What is wrong with the values that are there.

    Args:
      fields: as of `problems`, of which none must be there.
      prefix: what clauses put before the name of a field.
    """
    wrong = {
        name: what
        for name, check in CHECKS.items()
        if name in fields and (what := check(fields[name]))
    }
    clauses = [f'{prefix}{name} is {shown(fields[name])}; {what}' for name, what in wrong.items()]
    for name, whole_name in DIVISORS.items():
        if name in wrong or whole_name in wrong or not {name, whole_name} <= fields.keys():
            continue
        if fields[whole_name] % fields[name]:
            clauses.append(
                f'{prefix}{name} is {fields[name]}, which does not divide '
                f'{prefix}{whole_name}, {fields[whole_name]}'
            )
    if not wrong:
        clauses += _size_problem(fields, prefix)
    return clauses


def _size_problem(fields: Mapping[str, Any], prefix: str) -> list[str]:
    """A clause if sizes that are allowed one by one make a lifter that no machine holds."""
    names = [f'model.lifter.{name}' for name in ('channels', 'layers', 'mlp_ratio', 'levels')]
    if not all(name in fields for name in names):
        return []
    channels, layers, ratio, levels = (fields[name] for name in names)
    # The widest blocks work on the channels of all levels, and of the coordinates, side by side.
    width = channels * ((len(levels) or 4) + 1)
    parameters = layers * width**2 * (4 + 2 * ratio)
    if parameters <= LARGEST_LIFTER:
        return []
    return [
        f'{prefix}model.lifter with {channels} channels, {layers} layers and mlp_ratio {ratio} has '
        f'about {parameters / 1e9:.0f} billion parameters; make it smaller'
    ]


def shown(value: Any, most: int = 60) -> str:
    """A value as it is written in Python, cut where it is long, for a message."""
    try:
        text = repr(value)
    except ValueError:  # Python does not print whole numbers of many thousand digits.
        return 'a number of thousands of digits'
    return text if len(text) <= most else f'{text[:most]}...'
