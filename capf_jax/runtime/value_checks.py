"""What each number and choice of a configuration may be, checked before anything starts.

`CHECKS` has one entry for each field whose values have limits; a field without an entry may be
anything of its type. The fields under data.builder are checked by the datasets' own Settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capf_jax.pose import joint_conversions
from capf_jax.runtime import value_kinds
from capf_jax.runtime.value_kinds import Check, name_of, number, one_of, shown, switch, text, whole

LARGEST_SEED = 2**32 - 1  # JAX would keep the last 32 bits of a larger one
PRECISIONS = ('default', 'high', 'highest', 'bfloat16', 'tensorfloat32', 'float32')


CHECKS: Mapping[str, Check] = {
    'task': text,
    'skeleton': text,
    'seed': whole(0, LARGEST_SEED),
    'dtype': one_of('float32', 'bfloat16'),
    'data.name': text,
    'data.dir': text,
    'data.cache': text,
    'data.train_split': text,
    'data.test_split': text,
    'data.joints2d': one_of('detected', 'truth'),
    'data.bad_image': one_of('error', 'skip'),
    'data.features': switch,
    'data.threads': whole(0, 256),
    'data.frames': value_kinds.odd,
    'data.frame_step': whole(1, 1000),
    'data.causal': switch,
    'data.pictures': switch,
    'data.classes': value_kinds.different_names,
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
    'model.hrnet.modules': value_kinds.modules,
    'model.hrnet.blocks': whole(1, 32),
    'model.vitpose.heatmaps': text,
    'model.vitpose.skeleton': text,
    'model.vitpose.crop': value_kinds.sides,
    'model.vitpose.dimension': whole(1, 8192),
    'model.vitpose.depth': whole(1, 64),
    'model.vitpose.heads': whole(1, 8192),
    'model.vitpose.channels': whole(1, 1024),
    'model.simplebaseline.heatmaps': text,
    'model.simplebaseline.skeleton': text,
    'model.simplebaseline.maps': text,
    'model.simplebaseline.width': whole(1, 512),
    'model.simplebaseline.blocks': value_kinds.blocks,
    'model.simplebaseline.channels': whole(1, 1024),
    'model.lifter.ablation_step': one_of(0, 1, 2, 3),
    'model.lifter.levels': value_kinds.levels,
    'model.lifter.deformable': switch,
    'model.lifter.detector_joints': switch,
    'model.lifter.channels': whole(1, 8192),
    'model.lifter.layers': whole(1, 64),
    'model.lifter.heads': whole(1, 8192),
    'model.lifter.deformable_heads': whole(1, 8192),
    'model.lifter.sampling_points': whole(1, 1024),
    'model.lifter.mlp_ratio': whole(1, 64),
    'model.lifter.drop_path': number(0, 1, below=True),
    'model.lifter.robust': value_kinds.robust,
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
    'model.vitpose.heads': 'model.vitpose.dimension',
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
