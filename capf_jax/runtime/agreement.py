"""What must be the same in all processes of a run, and the sentence where it is not."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.runtime import configuration, files, run_folder

# Fields that are about one machine: hosts that share no disk may keep their data in other places.
OF_ONE_MACHINE = ('data.dir', 'data.cache', 'data.threads', 'data.builder.processes')
# What is to be done where processes differ.
SAME_COMMAND = 'start all of them with the same command, on the same code'
SAME_DATASET = (
    'process 0 decides; copy its dataset to the other hosts, or give a config.data.dir that all see'
)
SAME_WORKDIR = (
    'process 0 decides; give a --workdir that all hosts see, or copy it to the others by hand'
)
SAME_FILES = 'copy the same file to every host'
_MOST = 10  # differences in one sentence
_PACKAGES = ('capf_jax', 'data_pipeline')  # whose code must be the same


def of_start(
    command: str,
    config: ConfigDict,
    workdir: files.AnyPath,
    arguments: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What is compared before anything is read or written.

    Args:
      command: 'train' or 'evaluate'.
      config: a whole configuration.
      workdir: folder of the run; hosts that share no disk have one of the same name.
      arguments: other arguments of the command, by their names without dashes.
    """
    fields = configuration.flatten(config.to_dict())
    versions = run_folder.package_versions()
    return {
        'the command': command,
        **{f'--{name}': value for name, value in (arguments or {}).items()},
        **{f'config.{n}': v for n, v in fields.items() if n not in OF_ONE_MACHINE},
        'the workdir': str(files.absolute(workdir)),
        'the code of capf_jax (a hash of its files)': code_hash(),
        'Python': platform.python_version(),
        **{f'the version of {name}': version for name, version in versions.items()},
    }


def of_files(paths: Mapping[str, str]) -> dict[str, Any]:
    """What is compared of files that every process reads on its own host.

    Args:
      paths: the file by the name of the field or argument that names it; '' where it names none.
    """
    return {
        f'the checksum of the file at {name}': _checksum(path)
        for name, path in paths.items()
        if path
    }


def _checksum(path: str) -> str:
    file = files.user_path(path)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12] if file.is_file() else 'absent'


def of_dataset(builder: Any) -> dict[str, Any]:
    """What is compared of a dataset that is open in every process.

    Args:
      builder: a built TFDS dataset.
    """
    path = files.user_path(builder.data_path) / 'dataset_info.json'
    return {
        'the dataset': builder.info.full_name,
        **{
            f'the number of samples of the split {name!r}': split.num_examples
            for name, split in sorted(builder.info.splits.items())
        },
        'the checksum of its dataset_info.json': _checksum(os.fspath(path)),
    }


def of_checkpoint(workdir: files.AnyPath, name: str, step: int | None) -> dict[str, Any]:
    """What is compared of the newest checkpoint `name` ('latest' or 'best') that a process sees."""
    there = 'absent' if step is None else f'of step {step}'
    return {f'the checkpoint {name!r} in {workdir}': there}


def code_hash() -> str:
    """A hash of the source files that this program runs."""
    digest = hashlib.sha256()
    for name in _PACKAGES:
        for path in sorted((run_folder.ROOT / name).rglob('*.py')):
            digest.update(path.relative_to(run_folder.ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def check(values: Sequence[Mapping[str, Any]], remedy: str) -> None:
    """UserError where processes differ; it names what differs, with the values of which processes.

    Args:
      values: of every process, in their order: what is compared, by its name in words.
      remedy: what to do about it.
    """
    names = list(dict.fromkeys(name for one in values for name in one))
    rows = {name: [_in_words(one.get(name, 'absent')) for one in values] for name in names}
    clauses = [_clause(name, row) for name, row in rows.items() if len(set(row)) > 1]
    if not clauses:
        return
    rest = len(clauses) - _MOST
    more = [f'and {rest} more'] if rest > 0 else []
    raise UserError(
        f'the processes of this run differ: {"; ".join([*clauses[:_MOST], *more])}: {remedy}'
    )


def _clause(name: str, row: Sequence[str]) -> str:
    """'NAME is A in processes 0 and 2, B in process 1'."""
    groups: dict[str, list[int]] = {}
    for index, value in enumerate(row):
        groups.setdefault(value, []).append(index)
    parts = [f'{value} in {_processes(which)}' for value, which in groups.items()]
    return f'{name} is {", ".join(parts)}'


def _processes(which: Sequence[int]) -> str:
    if len(which) == 1:
        return f'process {which[0]}'
    first = ', '.join(map(str, which[:-1])) if len(which) < 9 else f'{which[0]}, ...'
    return f'processes {first} and {which[-1]}'


def _in_words(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 100 else f'{text[:100]}...'
