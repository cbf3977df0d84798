"""Checks that a built dataset holds as many people as the published one."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from data_pipeline import stored_examples
from data_pipeline.checks.findings import NOTE, OK, Finding, ok_if
from data_pipeline.datasets.human36m.settings import PUBLISHED_SIZES
from data_pipeline.datasets.mpi_inf_3dhp.published import published_sizes
from data_pipeline.records import LABELS

_BLOCK = 20_000  # Number of records to read between two steps of the progress bar.
# The name of a dataset that holds all of its source; the name of a part says which part it is.
_WHOLE = re.compile(r'\d+x\d+-(quality\d+(_444)?|png|webp)(-annot3)?')
_LISTED = 4  # Number of values of a label to print.


def published(name: str) -> Mapping[str, int | Mapping[str, int]]:
    """Numbers of people of a published dataset.

    Args:
      name: name of the dataset.

    Returns:
      The number of people by split, or by split and `Record.sequence`; empty for a dataset that
      is not published.
    """
    return {'human36m': PUBLISHED_SIZES, 'mpi_inf_3dhp': published_sizes()}.get(name, {})


def judge(builder: tfds.core.DatasetBuilder, split: str) -> Iterator[Finding]:
    """Findings about the number of records of a split.

    Args:
      builder: the built dataset, all of whose labels are read.
      split: name of the split.
    """
    labels = read_labels(builder, split)
    yield Finding(OK, 'people', _description(labels))
    keys = list(zip(*(labels[name] for name in LABELS), strict=True))
    repeated = len(keys) - len(set(keys))
    # A user's own data may show several people in a frame or leave labels out.
    if builder.name in ('human36m', 'mpi_inf_3dhp'):
        yield ok_if(
            not repeated,
            'frames',
            f'{repeated} are there more than once' if repeated else 'each is there once',
            'build the dataset again',
        )
    expected = published(builder.name).get(split)
    if expected is None:
        return
    whole = _WHOLE.fullmatch(builder.builder_config.name if builder.builder_config else '')
    if isinstance(expected, int):
        yield _against(len(keys), expected, 'people of the published split', bool(whole))
        return
    yield _against(len(keys), sum(expected.values()), 'people of the published split', bool(whole))
    actual = collections.Counter(labels['sequence'].tolist())
    odd = [
        f'{sequence} has {actual[sequence]:,} of {count:,}'
        for sequence, count in expected.items()
        if actual[sequence] != count and (whole or actual[sequence] > count)
    ]
    yield ok_if(
        not odd,
        'people of each sequence',
        '; '.join(odd) or ('as published' if whole else 'none has more than published'),
        'frames or label files differ from the published ones',
    )


def read_labels(builder: tfds.core.DatasetBuilder, split: str) -> dict[str, np.ndarray]:
    """The labels of all N records of a split by their names, [N] each."""
    total = builder.info.splits[split].num_examples
    blocks = []
    with tqdm(total=total, desc=f'counting {split}', unit=' people', leave=False) as progress:
        for start in range(0, total, _BLOCK):
            stop = min(start + _BLOCK, total)
            blocks.append(stored_examples.labels(builder, f'{split}[{start}:{stop}]'))
            progress.update(stop - start)
    return {name: np.concatenate([getattr(block, name) for block in blocks]) for name in LABELS}


def _against(actual: int, expected: int, what: str, whole: bool) -> Finding:
    """Whether an actual number is the expected one, or at most that for a part of a dataset."""
    says = f'{actual:,} of {expected:,}'
    if actual == expected:
        return Finding(OK, what, says)
    if whole or actual > expected:
        return ok_if(False, what, says, 'label files or pictures differ from the published ones')
    return Finding(NOTE, what, f'{says}, a subset')


def _description(labels: Mapping[str, np.ndarray]) -> str:
    """The number of records and the values of each label, as text."""
    parts = []
    for name in ('subject', 'action', 'sequence', 'camera'):
        values = sorted(set(labels[name].tolist()) - {''})
        if values:
            text = ', '.join(values[:_LISTED]) + (', ...' if len(values) > _LISTED else '')
            parts.append(f'{len(values)} {name}s ({text})')
    return f'{len(labels["frame"]):,}; ' + '; '.join(parts)
