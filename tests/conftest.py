"""Fixtures that many tests share, and the rule that a parity test is never skipped."""

import pathlib

import pytest

REAL = pathlib.Path(__file__).resolve().parents[2] / 'shared' / 'real'


@pytest.fixture(scope='session')
def real_samples() -> pathlib.Path:
    """Folder of small real samples, which lie outside the repository; skips where it is absent."""
    if not REAL.is_dir():
        pytest.skip(f'real samples are not at {REAL}')
    return REAL


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A skipped test marked `parity` counts as failed: its numbers were not checked."""
    report = yield
    if report.skipped and item.get_closest_marker('parity'):
        report.outcome = 'failed'
        report.longrepr = f'{item.nodeid}: a parity test may not be skipped'
    return report
