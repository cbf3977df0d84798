"""Whether a built dataset holds as many people as the published one."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from data_pipeline import reader
from data_pipeline.checks.findings import NOTE, OK, Finding, ok_if
from data_pipeline.datasets.human36m.settings import PUBLISHED_SIZES
from data_pipeline.datasets.mpi_inf_3dhp.published import published_sizes
from data_pipeline.records import LABELS

_BLOCK = 20_000  # records read between two steps of the progress bar
# What a builder calls a dataset of everything: a subset is named after its parts.
_WHOLE = re.compile(r'\d+x\d+-quality\d+(-annot3)?')
_LISTED = 4  # values of a label that are spelt out


def published(name: str) -> Mapping[str, int | Mapping[str, int]]:
    """People by split, or by split and `Record.sequence`; empty for a dataset of one's own."""
    return {'human36m': PUBLISHED_SIZES, 'mpi_inf_3dhp': published_sizes()}.get(name, {})


def judge(builder: tfds.core.DatasetBuilder, split: str) -> Iterator[Finding]:
    """Findings about the number of records of a split; reads all of them."""
    labels = read_labels(builder, split)
    yield Finding(OK, 'people', _described(labels))
    keys = list(zip(*(labels[name] for name in LABELS), strict=True))
    repeated = len(keys) - len(set(keys))
    # Own data may show several people in a frame, or leave labels out.
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
    found = collections.Counter(labels['sequence'].tolist())
    odd = [
        f'{sequence} has {found[sequence]:,} of {count:,}'
        for sequence, count in expected.items()
        if found[sequence] != count and (whole or found[sequence] > count)
    ]
    yield ok_if(
        not odd,
        'people of each sequence',
        '; '.join(odd) or ('as published' if whole else 'none has more than published'),
        'frames or label files differ from the published ones',
    )


def read_labels(builder: tfds.core.DatasetBuilder, split: str) -> dict[str, np.ndarray]:
    """Labels of a whole split by name, [N] each."""
    total = builder.info.splits[split].num_examples
    blocks = []
    with tqdm(total=total, desc=f'counting {split}', unit=' people', leave=False) as progress:
        for start in range(0, total, _BLOCK):
            stop = min(start + _BLOCK, total)
            blocks.append(reader.labels(builder, f'{split}[{start}:{stop}]'))
            progress.update(stop - start)
    return {name: np.concatenate([getattr(block, name) for block in blocks]) for name in LABELS}


def _against(found: int, expected: int, what: str, whole: bool) -> Finding:
    says = f'{found:,} of {expected:,}'
    if found == expected:
        return Finding(OK, what, says)
    if whole or found > expected:
        return ok_if(False, what, says, 'label files or pictures differ from the published ones')
    return Finding(NOTE, what, f'{says}, a subset')


def _described(labels: Mapping[str, np.ndarray]) -> str:
    parts = []
    for name in ('subject', 'action', 'sequence', 'camera'):
        values = sorted(set(labels[name].tolist()) - {''})
        if values:
            listed = ', '.join(values[:_LISTED]) + (', ...' if len(values) > _LISTED else '')
            parts.append(f'{len(values)} {name}s ({listed})')
    return f'{len(labels["frame"]):,}; ' + '; '.join(parts)
