"""Every trick has a row, whose program really differs without it."""

import time

from benchmarks import tricks as benchmark
from capf_jax.backends.cpu import tricks


def test_every_trick_has_a_row():
    assert benchmark.CASES.keys() == tricks.TRICKS.keys()


def test_the_program_without_a_trick_is_made_while_it_is_off(monkeypatch):
    states = []

    def build():
        states.append(tricks.is_on('rows'))
        return lambda: time.sleep(0.05)

    monkeypatch.setattr(benchmark, 'SECONDS', 0)
    monkeypatch.setitem(benchmark.CASES, 'rows', benchmark.Case('nothing', build))
    (row,) = benchmark.rows('rows')
    assert states == [True, False]
    assert row.name == 'rows: nothing'
