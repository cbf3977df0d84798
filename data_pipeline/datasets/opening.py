"""Opening the dataset that a config names, checking that it is whole, and building it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import pathlib
import pkgutil
import sys
import types
from collections.abc import Iterator

import tensorflow_datasets as tfds
from absl import logging
from array_record.python import array_record_module  # pyright: ignore[reportAttributeAccessIssue] - compiled
from google.protobuf import json_format
from ml_collections import ConfigDict
from tensorflow_datasets.core.dataset_info import DatasetInfoFileError

import data_pipeline.datasets
from capf_jax import errors
from capf_jax.errors import StateError, UserError
from capf_jax.runtime import files
from data_pipeline import building, local_copies
from data_pipeline.building import Builder, BuilderConfig
from data_pipeline.datasets import description

# What TFDS raises at a dataset_info.json that is damaged.
_DAMAGED = (
    json_format.ParseError, UnicodeDecodeError, RecursionError, AssertionError, AttributeError,
    KeyError, TypeError, DatasetInfoFileError,
)  # fmt: skip
BUILD_COMMAND = 'python -m data_pipeline.build --config=<your config file>'


def names() -> list[str]:
    """The names of all datasets; each is a package of data_pipeline/datasets/."""
    modules = pkgutil.iter_modules(data_pipeline.datasets.__path__)
    return [module.name for module in modules if module.ispkg]


def package(name: str, field: str = 'config.data.name') -> types.ModuleType:
    """The package of a dataset.

    Args:
      name: of the dataset.
      field: what a message calls the place where the user has written the name.

    Raises:
      UserError: no dataset is called so.
    """
    if name not in names():
        raise errors.unknown(field, name, names())
    return importlib.import_module(f'data_pipeline.datasets.{name}')


def problems(data: ConfigDict) -> list[str]:
    """What is wrong with the fields under `config.data` by themselves; no file is read.

    Args:
      data: config.data.

    Returns:
      Clauses, each of which names its field.
    """
    try:
        settings = getattr(package(data.name), 'Settings', None)
        if settings is not None:  # A dataset may be a plain TFDS builder without Settings.
            building.from_fields(settings, dict(data.builder), data.name)
    except UserError as error:
        return [str(error)]
    return []


def open_or_build(
    data: ConfigDict, build: bool, beam_runner: str = '', older: bool = True
) -> tfds.core.DatasetBuilder:
    """The dataset of a config, complete and ready to read.

    Args:
      data: config.data; `name` is a package of data_pipeline/datasets/, `dir` the folder of all
        built datasets.
      build: build the dataset if it is missing, unless `dir` is in a store. A half-built one is
        never touched.
      beam_runner: let Apache Beam build it, by a runner of this name; '' builds it here.
      older: take what an older version has built of these fields where it is all that there is;
        stderr says so.

    Raises:
      UserError: no builder is called `data.name`, or the builder refuses its fields or its input.
      FileNotFoundError: the dataset is missing, and `build` is False.
      StateError: the dataset is there and not whole.
      OSError: the disk is full; of an unfinished dataset only the parts are left, from which its
        builder goes on.
    """
    builder = describe(data, older)
    folder = builder.data_path.parent
    if isinstance(builder, Builder) and folder.name in builder.settings.older_names:
        print(
            f'{folder} is used, which an older version has built: '
            f'{folder.with_name(builder.settings.name)} is not there. `python -m '
            'data_pipeline.build` would make it, with crops whose colours are of whole resolution '
            '(docs/data.md)',
            file=sys.stderr,
        )
    if builder.data_path.exists():
        check_whole(builder)
    elif files.is_remote(data.dir):
        raise FileNotFoundError(
            f'there is no dataset {data.name!r} of these data.builder fields in {data.dir} '
            f'({builder.data_path.relative_to(builder.data_dir_root)}); {build_elsewhere(data)}'
        )
    elif build:
        # TFDS writes into a temporary folder, which it renames at the end or removes on an error.
        try:
            builder.download_and_prepare(
                file_format='array_record', download_config=_download_config(beam_runner)
            )
        except (OSError, RuntimeError) as error:  # the latter from ArrayRecord
            is_sentence = isinstance(error, OSError) and error.errno is None  # our own builder's
            if is_sentence or not files.disk_is_full(error):
                raise
            raise OSError(
                f'the dataset could not be written to {builder.data_dir}, the disk is full: '
                'make room there, or name another data folder, and run the same command again'
            ) from error
    else:
        raise FileNotFoundError(
            f'there is no dataset {data.name!r} in {builder.data_dir}; build it with '
            f'`{BUILD_COMMAND}`, or set config.data.dir to the folder that has it'
        )
    return builder


def build_elsewhere(data: ConfigDict) -> str:
    """What to do where a dataset is to be in a store, into which nothing is built.

    Args:
      data: config.data, whose `dir` is in a store.
    """
    return (
        f'build it into a folder of this machine (`{BUILD_COMMAND} --config.data.dir=data`) and '
        f'copy that (gcloud storage rsync --recursive data/{data.name} {data.dir}/{data.name})'
    )


def _built_before(
    builder: tfds.core.DatasetBuilder, data: ConfigDict
) -> tfds.core.DatasetBuilder | None:
    """The dataset that an older version has built of the same fields; None if there is none."""
    if not isinstance(builder, Builder):
        return None
    for name in builder.settings.older_names:
        folder = builder.data_path.parent.with_name(name)
        if (folder / str(builder.version) / 'dataset_info.json').exists():
            config = BuilderConfig(name=name, settings=builder.settings)
            return type(builder)(data_dir=data.dir, config=config)
    return None


def check_whole(builder: tfds.core.DatasetBuilder) -> None:
    """Checks that every record of the dataset's information file is there.

    Of a dataset in a store, the files that were copied are checked.

    Raises:
      StateError: something is missing; the message says what.
    """
    if not (builder.data_path / 'dataset_info.json').exists():
        raise not_whole(builder, 'dataset_info.json is missing')
    try:
        description.check(builder.data_path)
    except UserError as error:
        raise not_whole(builder, str(error)) from error
    try:
        _ = builder.info.metadata  # TFDS reads metadata.json when it is asked for them
    except ValueError as error:  # no JSON, or no text
        raise not_whole(builder, 'metadata.json is damaged') from error
    for name, split in builder.info.splits.items():
        later = {path.rpartition('/')[2] for path in local_copies.lacking(builder, name)}
        for path, length in zip(split.filepaths, split.shard_lengths, strict=True):
            if path.name in later:
                continue
            if not path.exists():
                raise not_whole(builder, f'{path.name} is missing')
            if not path.is_file():
                raise not_whole(builder, f'{path.name} is no file')
            try:
                reader = array_record_module.ArrayRecordReader(str(path))
                count = reader.num_records()  # 0 for a file that is cut short
            except (RuntimeError, ValueError) as error:
                reason = str(error).split(' (')[0]
                raise not_whole(builder, f'{path.name} is damaged, {reason}') from error
            if count != length:
                raise not_whole(
                    builder, f'{path.name} is damaged, {count} of its {length} records are there'
                )


def bring(builder: tfds.core.DatasetBuilder, split: str) -> None:
    """Copies the files of a split from the store that the dataset is in; nothing without a store.

    Raises:
      UserError: as `local_copies.copy_split`.
      StateError: what is in the store is not whole.
      OSError: the disk is too small or full, or cannot be written to.
    """
    if local_copies.copy_split(builder, split):
        check_whole(builder)


def not_whole(builder: tfds.core.DatasetBuilder, trouble: str) -> StateError:
    """The error to raise where something is wrong with the files of a built dataset."""
    store = local_copies.store_of(builder)
    if store:
        return StateError(
            f'the dataset in {builder.data_dir} is not whole: {trouble}; delete this folder, which '
            f'is a copy, and if it comes so once more, copy the dataset to {store} again'
        )
    command = getattr(builder, 'COMMAND', BUILD_COMMAND)
    return StateError(
        f'the dataset in {builder.data_dir} is not whole: {trouble}; '
        f'delete this folder and build it again with `{command}`'
    )


def _download_config(beam_runner: str) -> tfds.download.DownloadConfig:
    """TFDS's options; UserError where Apache Beam is asked for and missing."""
    if not beam_runner:
        return tfds.download.DownloadConfig()
    if importlib.util.find_spec('apache_beam') is None:
        raise UserError(
            f'--beam_runner={beam_runner} needs Apache Beam; install it with '
            '`pip install -r requirements-beam.txt`, or leave the flag out to build it here'
        )
    return tfds.download.DownloadConfig(beam_runner=beam_runner)


def _check_files(data: ConfigDict) -> None:
    """StateError where a file of the dataset is a pipe or a device, which TFDS would wait for."""
    for folder in (pathlib.Path(files.user_path(data.dir)) / data.name).glob('*/*'):
        try:
            description.check_files(folder)
        except UserError as error:
            raise StateError(
                f'the dataset in {folder} is not whole: {error}; '
                f'delete this folder and build it again with `{BUILD_COMMAND}`'
            ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps TFDS from warning of a configuration that is not in its list, as ours never are."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def describe(data: ConfigDict, older: bool = True) -> tfds.core.DatasetBuilder:
    """The builder that `config.data` describes, built or not.

    Args:
      data: config.data.
      older: see `open_or_build`.

    Raises:
      UserError: no builder is called `data.name`, the builder refuses its fields, or the store of
        the folder cannot be reached.
      StateError: the dataset is there and not whole.
    """
    dataset = package(data.name)
    data = local_copies.with_local_folder(data)
    _check_files(data)
    try:
        with quiet():
            builder = dataset.builder_from_config(data)
            if older and not builder.data_path.exists():
                builder = _built_before(builder, data) or builder
            return builder
    except _DAMAGED as error:
        raise StateError(  # TFDS reads dataset_info.json when it is constructed
            f'the dataset in {data.dir}/{data.name} is not whole: dataset_info.json is damaged; '
            f'delete the folder that has it and build it again with `{BUILD_COMMAND}`'
        ) from error
