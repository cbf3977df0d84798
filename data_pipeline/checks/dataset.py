"""Runs all checks of one built dataset and writes a page of its crops for each split."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import tensorflow_datasets as tfds
from google.protobuf import json_format

from capf_jax.errors import UserError
from capf_jax.pose import skeletons
from capf_jax.pose.skeletons import Skeleton
from data_pipeline import datasets
from data_pipeline.checks import anatomy, contact_sheet, counts, people, pixels
from data_pipeline.checks.findings import Finding, ok_if
from data_pipeline.datasets import description

# Names of 3D targets that are scaled to one body height; the metadata of a dataset names its own.
_SCALED = ('univ_annot3',)


@dataclasses.dataclass(frozen=True)
class Choices:
    """What a user may choose for a check.

    Attributes:
      people: number of people to look at, drawn at random from each split.
      seed: seed of that draw.
      pictures: folder for the pages of crops.
    """

    people: int = 2000
    seed: int = 0
    pictures: pathlib.Path = pathlib.Path('runs/check')


def find(data_dir: pathlib.Path, name: str) -> list[pathlib.Path]:
    """Folders of all built datasets of one name.

    Args:
      data_dir: the folder in which datasets are stored.
      name: name of the dataset.

    Returns:
      The folders, also of datasets that are not whole, but without temporary ones.
    """
    paths = (data_dir / name).glob('*/*/')
    return sorted(path for path in paths if path.name.replace('.', '').isdigit())


def check(path: pathlib.Path, choices: Choices) -> dict[str, list[Finding]]:
    """Findings about a built dataset; a page of crops is written for each split.

    Args:
      path: folder of the dataset.
      choices: what the user chose.

    Returns:
      The findings by split.

    Raises:
      UserError: the dataset is not whole, a record does not decode, or the joint set is unknown.
    """
    if not (path / 'dataset_info.json').is_file():
        raise UserError(
            f'the dataset in {path} is not whole: dataset_info.json is missing; delete this '
            'folder and build it again'
        )
    try:
        description.check(path)  # TFDS would import and write what the files name.
        builder = tfds.builder_from_directory(path)
    except (
        OSError, ValueError, RecursionError, AssertionError, AttributeError, KeyError, TypeError,
        json_format.ParseError,
    ) as error:  # fmt: skip
        raise UserError(
            f'the dataset in {path} is not whole: its information does not read '
            f'({" ".join(str(error).split())}); delete this folder and build it again'
        ) from error
    datasets.check_whole(builder)
    metadata = dict(builder.info.metadata.items() if builder.info.metadata is not None else ())
    skeleton = skeletons.get(metadata.get('skeleton', 'h36m17'))
    scaled = metadata.get('targets', '') if metadata.get('targets') in _SCALED else ''
    findings = {}
    for split in builder.info.splits:
        sample = people.draw(builder, split, choices.people, choices.seed)
        findings[split] = [*counts.judge(builder, split), *judge(sample, skeleton, scaled)]
        title = f'{builder.name}, {split}, {path.parent.name}: {contact_sheet.COLOURS}'
        order = np.random.default_rng(choices.seed).permutation(len(sample))
        page = contact_sheet.figure(sample.take(order), skeleton, title)
        picture = choices.pictures / f'{builder.name}-{path.parent.name}-{split}.png'
        contact_sheet.save(page, picture)
        findings[split].append(Finding('look', 'random crops', str(picture)))
    return findings


def judge(sample: people.People, skeleton: Skeleton, scaled: str = '') -> list[Finding]:
    """Findings about the joints, cameras and crops of people.

    Args:
      sample: the people.
      skeleton: their joint set.
      scaled: name of their 3D targets if these are scaled to one body height, or ''.
    """
    finite = sample.finite
    findings = [
        ok_if(
            bool(finite.all()),
            'numbers',
            f'{finite.sum()} of {len(finite)} people have finite joints',
            'joints are NaN or infinite: mend the labels and build the dataset again',
        )
    ]
    sample = sample.take(np.flatnonzero(finite))
    if len(sample):
        findings += anatomy.judge(sample.joints3d, skeleton)
        findings += pixels.judge(sample, skeleton, scaled=scaled)
    return findings
