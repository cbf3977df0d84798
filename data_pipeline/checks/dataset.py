"""All checks of one built dataset, and the page of crops to look at."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import tensorflow_datasets as tfds
from google.protobuf import json_format

from capf_jax.figures.drawing import save
from capf_jax.pose import skeletons
from capf_jax.pose.skeletons import Skeleton
from data_pipeline import datasets
from data_pipeline.checks import bodies, contact_sheet, counts, people, pixels
from data_pipeline.checks.findings import Finding, ok_if

# 3D targets that are scaled to one body height, by `targets` of a dataset's information.
_SCALED = ('univ_annot3',)


@dataclasses.dataclass(frozen=True)
class Choices:
    """What a check may be asked for."""

    people: int = 2000  # drawn at random from each split
    seed: int = 0
    pictures: pathlib.Path = pathlib.Path('runs/check')  # folder of the pages of crops


def find(data_dir: pathlib.Path, name: str) -> list[pathlib.Path]:
    """Folders of all built datasets of a name, whole or not; temporary ones are left out."""
    paths = (data_dir / name).glob('*/*/')
    return sorted(path for path in paths if path.name.replace('.', '').isdigit())


def check(path: pathlib.Path, choices: Choices) -> dict[str, list[Finding]]:
    """Findings about a built dataset by split; prints nothing, writes a page for each split.

    Raises:
      RuntimeError: the dataset is not whole.
      ValueError: a record does not decode, or its joint set is unknown.
    """
    if not (path / 'dataset_info.json').is_file():
        raise RuntimeError(
            f'the dataset in {path} is not whole: dataset_info.json is missing; delete this '
            'folder and build it again'
        )
    try:
        builder = tfds.builder_from_directory(path)
    except (OSError, ValueError, json_format.ParseError) as error:
        raise RuntimeError(
            f'the dataset in {path} is not whole: its information does not read '
            f'({" ".join(str(error).split())}); delete this folder and build it again'
        ) from error
    datasets.check_whole(builder)
    noted = dict(builder.info.metadata.items() if builder.info.metadata is not None else ())
    skeleton = skeletons.get(noted.get('skeleton', 'h36m17'))
    scaled = noted.get('targets', '') if noted.get('targets') in _SCALED else ''
    findings = {}
    for split in builder.info.splits:
        drawn = people.draw(builder, split, choices.people, choices.seed)
        findings[split] = [*counts.judge(builder, split), *judge(drawn, skeleton, scaled)]
        colours = 'left blue, right orange, detected yellow'
        title = f'{builder.name}, {split}, {path.parent.name}: {colours}'
        shuffled = np.random.default_rng(choices.seed).permutation(len(drawn))
        page = contact_sheet.figure(drawn.take(shuffled), skeleton, title)
        to = choices.pictures / f'{builder.name}-{path.parent.name}-{split}.png'
        findings[split].append(Finding('look', 'random crops', str(save(page, to))))
    return findings


def judge(drawn: people.People, skeleton: Skeleton, scaled: str = '') -> list[Finding]:
    """Findings about drawn records; `scaled` as `pixels.judge` takes it."""
    finite = drawn.finite
    found = [
        ok_if(
            bool(finite.all()),
            'numbers',
            f'{finite.sum()} of {len(finite)} drawn people have finite joints',
            'joints are NaN or infinite: mend the labels and build the dataset again',
        )
    ]
    drawn = drawn.take(np.flatnonzero(finite))
    if len(drawn):
        found += bodies.judge(drawn.joints3d, skeleton)
        found += pixels.judge(drawn, skeleton, scaled=scaled)
    return found
