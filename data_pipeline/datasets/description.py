"""What a built dataset says of itself, checked before TFDS reads it.

TFDS imports whatever classes `features.json` names, and puts names out of `dataset_info.json` into
paths. A dataset that comes from elsewhere could so run code and write files. Here the kinds of
features are a list, and a name is a name.
"""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from capf_jax.errors import UserError, printable
from capf_jax.runtime import files

_FEATURES = 'tensorflow_datasets.core.features'
KINDS = (  # all that `records.features` is made of
    f'{_FEATURES}.features_dict.FeaturesDict',
    f'{_FEATURES}.image_feature.Image',
    f'{_FEATURES}.tensor_feature.Tensor',
    f'{_FEATURES}.text_feature.Text',
    f'{_FEATURES}.scalar.Scalar',
)
_TEMPLATE = '{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}'
_NAME = re.compile(r'\w[\w.+-]{0,199}')
_LARGEST_FILE = 16_000_000  # bytes of one of the files
_MOST_SHARDS = 1_000_000
_LARGEST_FEATURE = 100_000_000  # numbers in one record's feature


def check(folder: str | os.PathLike) -> None:
    """Checks dataset_info.json, features.json and metadata.json, where they are there.

    Args:
      folder: of one version of a dataset.

    Raises:
      UserError: what is wrong, in words that follow 'the dataset is not whole:'.
    """
    path = pathlib.Path(folder)
    check_files(path)
    info = _content(path / 'dataset_info.json')
    for field in ('name', 'configName', 'version'):
        _check_name(f'{field} in dataset_info.json', info.get(field, 'absent'))
    splits = info.get('splits', [])
    if not isinstance(splits, list) or not all(isinstance(split, dict) for split in splits):
        raise UserError('dataset_info.json is damaged, its splits are no list')
    for split in splits:
        _check_name('the name of a split', split.get('name', 'absent'))
        template = split.get('filepathTemplate', _TEMPLATE)
        if template != _TEMPLATE:
            raise UserError(
                f'dataset_info.json names its files {printable(repr(template))[:80]}, '
                f'not {_TEMPLATE}'
            )
        lengths = split.get('shardLengths', [])
        if not isinstance(lengths, list) or len(lengths) > _MOST_SHARDS:
            raise UserError('dataset_info.json is damaged, its shardLengths are no list of numbers')
        if not all(str(length).isascii() and str(length).isdecimal() for length in lengths):
            raise UserError('dataset_info.json is damaged, it has files of no number of records')
    for kind in _kinds(_content(path / 'features.json')):
        if kind not in KINDS:
            raise UserError(
                f'features.json has a feature of the kind {printable(str(kind))[:80]}, which no '
                'dataset of this project has; it was not opened'
            )
    _content(path / 'metadata.json')


def check_files(folder: str | os.PathLike) -> None:
    """Checks that none of a dataset's files is a pipe or a device, which readers would wait for.

    Args:
      folder: of one version of a dataset.

    Raises:
      UserError: one is, in words that follow 'the dataset is not whole:'.
    """
    for path in pathlib.Path(folder).glob('*'):
        if files.is_device(path):
            raise UserError(f'{path.name} is a device or a pipe')


def _content(path: pathlib.Path) -> dict[str, Any]:
    """The object of a JSON file; {} without the file."""
    if not path.exists():
        return {}
    if not path.is_file():
        raise UserError(f'{path.name} is no file')
    if path.stat().st_size > _LARGEST_FILE:
        raise UserError(f'{path.name} is damaged, it is too large')
    try:
        content = files.parse_json(path.read_bytes())
    except ValueError:
        raise UserError(f'{path.name} is damaged') from None
    if not isinstance(content, dict):
        raise UserError(f'{path.name} is damaged, it holds no fields')
    return content


def _check_name(what: str, name: Any) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or '..' in name:
        raise UserError(f'{what} is {printable(repr(name))[:80]}, which is no name')


def _kinds(content: Any) -> Iterator[str]:
    """The kind of every feature, however deep it stands; sizes are checked on the way."""
    waiting = [content]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        if not isinstance(item, dict):
            continue
        waiting += item.values()
        for field in ('pythonClassName', 'python_class_name'):
            if field in item:
                yield item[field]
        dimensions = item.get('dimensions')
        if isinstance(dimensions, list):
            size = 1
            for number in dimensions:
                size *= abs(int(number)) if re.fullmatch(r'-?\d{1,12}', str(number)) else 10**12
            if size > _LARGEST_FEATURE:
                raise UserError(f'features.json declares a feature of {size} numbers')
