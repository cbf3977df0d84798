"""The names of all that is done for a CPU, and switches for the benchmark that measures each.

`python -m benchmarks.run tricks` prints a row for each, with it and without it; one that no longer
gains goes. A switch acts while a program is traced: a program that is compiled stays as it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

# What each avoids.
TRICKS = {
    'ynnpack': 'the library YNNPACK for convolutions and groups of operations',
    'few_rows': 'the library YNNPACK for matrix products of few rows',
    'wide_vectors': 'half-used vector registers',
    'sampling': 'gathers with a batch dimension, and a scatter for each corner behind them',
    'lanes': 'additions of a long sum that wait for one another',
    'rows': 'recomputing the sums of a residual stream in whatever reads them',
    'few_tokens': 'thousands of tiny matrix products in attention among few tokens',
    'sum_before_product': 'a matrix product for each sampling point behind weighted sums',
    'winograd': 'a third to a half of the multiplications of convolutions',
    'folding': 'BatchNorms of a frozen detector',
    'chunks': 'maps that leave the caches between one layer and the next',
    'relu_of_sum': 'recomputing the sums of a chain of residual blocks in each of its readers',
    'pyramid': 'a convolution of maps that were enlarged before',
    'depthwise': 'loops over single numbers in convolutions of one channel each',
    'deconvolution': 'the zeros between the pixels of a transposed convolution',
}

_off: set[str] = set()


def is_on(name: str) -> bool:
    """Whether a trick is used in programs traced now; all are, unless a benchmark says otherwise.

    Raises:
      KeyError: there is no such trick.
    """
    if name not in TRICKS:
        raise KeyError(name)
    return name not in _off


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Programs traced inside do without these tricks; for the benchmark and for tests.

    Raises:
      KeyError: there is no such trick.
    """
    turned_off = {name for name in names if is_on(name)}
    _off.update(turned_off)
    try:
        yield
    finally:
        _off.difference_update(turned_off)
