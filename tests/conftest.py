"""Fixtures that many tests share."""

import pathlib

import pytest

REAL = pathlib.Path(__file__).resolve().parents[2] / 'shared' / 'real'


@pytest.fixture(scope='session')
def real_samples() -> pathlib.Path:
    """Folder of small real samples, which lie outside the repository; skips where it is absent."""
    if not REAL.is_dir():
        pytest.skip(f'real samples are not at {REAL}')
    return REAL
