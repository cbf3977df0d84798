"""What a workdir keeps of its run: the configuration, and the versions of each start.

A run that goes on is compared with them, and an evaluation reads the configuration from them.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
from typing import Any

from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.runtime import configuration, files, value_checks

# Fields that do not change what is learnt, so that a run may go on with other values of them.
OPERATIONAL = (
    'data.bad_image',
    'data.builder.outside_source',
    'data.builder.processes',
    'data.cache',
    'data.dir',
    'data.threads',
    'training.checkpoint_minutes',
    'training.log_steps',
    'evaluation.pictures',
)
# Fields that only a build reads, and that leave no trace in the dataset. (The source of own data is
# what the dataset is known by: there it must stay.)
BUILT_FROM = {'human36m': ('source', 'annotations'), 'mpi_inf_3dhp': ('source',)}
# Fields that configurations stored by older runs lack, with the values that those runs had, as JSON
# has them.
NEWER = {
    'dtype': 'float32',
    'training.precision': 'default',
    'evaluation.precision': 'highest',
    'evaluation.protocol': 'plain',
    'data.cache': '',
    'data.features': False,
    'data.frames': 1,
    'data.frame_step': 1,
    'data.causal': False,
    'data.pictures': True,
    'data.classes': [],
    'model.frame': 'camera',
    'model.joints2d': 'dataset',
    'model.joint_conversion': 'fitted',
    'model.other_conversions': 0.0,
    'training.weight_detector': 'inside',
    'model.detector_head': True,
    'model.sequence_lifter': 'ca_pf_s',
    'model.temporal_layers': 4,
    'model.temporal_heads': 8,
    'model.temporal_position': False,
    'model.projection_channels': 0,
    'model.projection_weights': '',
    'model.vitpose.dimension': 768,
    'model.vitpose.depth': 12,
    'model.vitpose.heads': 12,
    'model.vitpose.channels': 256,
    'model.vitpose.crop': [256, 192],
    'model.vitpose.skeleton': '',
    'model.vitpose.heatmaps': 'gaussian',
    'model.simplebaseline.width': 64,
    'model.simplebaseline.blocks': [3, 4, 6, 3],
    'model.simplebaseline.channels': 256,
    'model.simplebaseline.maps': 'deconvolutions',
    'model.simplebaseline.skeleton': '',
    'model.simplebaseline.heatmaps': 'gaussian',
    'training.start': '',
    'training.start_part': 'all',
    'training.target_unit': 'm',
    'training.detector_statistics': 'frozen',
    'model.lifter.robust': [],
    'training.accumulate': 1,
    'training.joint_noise': 8.0,
    'training.joint_swap': 0.05,
    'training.weight_average': 0.0,
    'training.weight_type': 'float32',
}
# Likewise fields of config.data.builder, by the name of the dataset, of a configuration that lists
# all of them.
NEWER_OF_DATA = {
    'human36m': {'crop_format': 'jpeg420'},
    'mpi_inf_3dhp': {'crop_format': 'jpeg420', 'missing': 'error'},
}
# Fields whose default has changed: what it was, and what it is. A run that has the old one goes on
# with it, although the same command now says the new one.
CHANGED = {
    'training.offset_learning_rate_factor': (0.1, 1.0),
    'data.builder.crop_format': ('jpeg420', 'jpeg444'),
}
PACKAGES = (
    'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy', 'ml-collections',
    'tensorflow-datasets', 'grain', 'opencv-python-headless',
)  # fmt: skip
ROOT = pathlib.Path(__file__).resolve().parents[2]


def check(config: ConfigDict, workdir: files.AnyPath) -> None:
    """UserError if the workdir holds a run with another configuration; the fields are named.

    A damaged config.json is an error too: without it nobody knows whether the two are the same.
    """
    path = workdir / 'config.json'
    if not path.exists():
        return
    before = _completed(_stored_fields(path))
    now = configuration.flatten(_plain(config))
    sources = BUILT_FROM.get(str(now.get('data.name')), ())
    free = (*OPERATIONAL, *(f'data.builder.{name}' for name in sources))
    differences = [
        f'{name} {before.get(name, "absent")} there, {now.get(name, "absent")} here'
        for name in sorted(before.keys() | now)
        if name not in free and before.get(name) != now.get(name)
    ]
    if differences:
        raise UserError(
            f'{workdir} holds a run with another configuration ({"; ".join(differences)}): '
            'give the same values, or another --workdir'
        )


def is_written(workdir: files.AnyPath) -> bool:
    """Whether a run has left its configuration in the workdir."""
    return (workdir / 'config.json').exists()


def as_begun(config: ConfigDict, workdir: files.AnyPath) -> ConfigDict:
    """The configuration with the old values of `CHANGED` where the run in the workdir has them."""
    if not is_written(workdir):
        return config
    before = _completed(_stored_fields(workdir / 'config.json'))
    now = configuration.flatten(config.to_dict())
    kept = {
        name: old
        for name, (old, new) in CHANGED.items()
        if before.get(name) == old and now.get(name, new) == new
    }
    config = config.copy_and_resolve_references()
    for name, old in kept.items():
        print(f'{workdir} goes on with config.{name} = {old!r}, as it began', file=sys.stderr)
        with config.unlocked():
            config.update_from_flattened_dict({name: old})
    return config


def _completed(fields: dict[str, Any]) -> dict[str, Any]:
    """Flat fields of a run, with those that came after it was made."""
    of_data = NEWER_OF_DATA.get(str(fields.get('data.name')), {})
    if 'data.builder.jpeg_quality' not in fields:
        of_data = {}
    return NEWER | {f'data.builder.{name}': value for name, value in of_data.items()} | fields


def save(config: ConfigDict, workdir: files.AnyPath, command: str = '') -> None:
    """Keeps the configuration, the command, and the versions that run it, in the workdir."""
    files.write_json(workdir / 'config.json', _plain(config))
    # One entry for each time the run was started.
    starts, path = _starts(workdir), workdir / 'versions.json'
    files.clear_the_way(path, wanted='file')
    files.write_json(path, [*starts, {'command': command, **versions()}])


def command_of(workdir: files.AnyPath) -> str:
    """The arguments that a workdir was last trained with; '' where they are not known."""
    starts = _starts(workdir)
    return str(starts[-1].get('command', '')) if starts else ''


def _starts(workdir: files.AnyPath) -> list[dict[str, str]]:
    """What versions.json says of each start of the run; a damaged file is told and passed over."""
    path = workdir / 'versions.json'
    if not path.exists():
        return []
    try:
        starts = files.read_json(path)
    except (OSError, UserError) as error:
        print(f'WARNING: {error}; nothing but the record of versions is lost', file=sys.stderr)
        return []
    starts = starts if isinstance(starts, list) else []
    return [start for start in starts if isinstance(start, dict)]


def _stored_fields(path: files.AnyPath) -> dict[str, Any]:
    """The fields of a run's config.json, by dotted names; lists are not yet tuples.

    Raises:
      UserError: the file is damaged, or another program's.
    """
    try:
        content = files.read_json(path)
        trouble = '' if isinstance(content, dict) else 'it holds no fields'
    except (OSError, UserError) as error:
        content, trouble = {}, str(error).removeprefix(f'{path} ')
    fields = configuration.flatten(content) if not trouble else {}
    missing = [name for name in value_checks.NEEDED if name not in fields]
    if missing and not trouble:
        trouble = f'it has no {missing[0]}'
    if trouble:
        raise UserError(
            f'{path} is damaged ({trouble}); put back a copy of it, or remove it and give the '
            'command that trained the run again, which writes it and goes on from the checkpoint'
        )
    return fields


def _plain(config: ConfigDict) -> dict[str, Any]:
    """The fields as JSON holds them: tuples become lists."""
    return json.loads(json.dumps(config.to_dict()))


def load(workdir: str | os.PathLike) -> ConfigDict:
    """The configuration that a workdir was made with.

    Fields that came after the run was made have the values that it was made with.

    Raises:
      FileNotFoundError: the folder holds no run.
      UserError: the configuration is damaged.
    """
    path = files.user_path(workdir) / 'config.json'
    if not path.exists():
        raise FileNotFoundError(f'no run in {workdir}: it has no config.json; train there first')
    stored = _stored_fields(path)

    def tuples(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: tuples(item) for name, item in value.items()}
        return tuple(map(tuples, value)) if isinstance(value, list) else value

    config = ConfigDict(tuples(files.read_json(path)))
    newer = {name: value for name, value in _completed(stored).items() if name not in stored}
    for name, value in newer.items():
        section, _, field = name.rpartition('.')
        part = config
        for step in filter(None, section.split('.')):
            part = part[step]
        part[field] = tuples(value)
    return config.lock()


def versions() -> dict[str, str]:
    """What a run depends on beside its configuration."""
    versions = {'started': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')}
    versions['python'] = platform.python_version()
    return {**versions, **package_versions(), 'git_commit': git_commit()}


def package_versions() -> dict[str, str]:
    """The version of each package of `PACKAGES` that is installed."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def git_commit() -> str:
    """The commit of this code, with '+changes' if files differ from it; 'unknown' without git."""

    def git(*arguments: str) -> str:
        command = ['git', '-C', str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git('status', '--porcelain', '--untracked-files=no')
        return git('rev-parse', 'HEAD') + ('+changes' if changed else '')
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'
