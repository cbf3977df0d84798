"""Process 0 stays until no other process looks whether it lives."""

import jax
import pytest

from capf_jax.runtime import processes, watch


class Store:
    """A store into which one more of the other processes writes at every look."""

    def __init__(self):
        self.values, self.looks = {}, 0

    def put(self, key, value):
        self.values[key] = value

    def folder(self, name):
        self.looks += 1
        self.values[f'{name}/{self.looks}'] = ''
        return self.values


@pytest.fixture
def three_processes(monkeypatch):
    """Makes this process one of three, by its number."""
    monkeypatch.setattr(jax, 'process_count', lambda: 3)
    return lambda index: monkeypatch.setattr(jax, 'process_index', lambda: index)


def test_process_0_looks_until_both_others_have_parted(three_processes):
    three_processes(0)
    store = Store()
    processes._part(store)
    assert store.looks == 2


def test_process_0_does_not_wait_for_ever(three_processes, monkeypatch):
    three_processes(0)
    monkeypatch.setattr(watch, 'SILENCE', 0.0)
    store = Store()
    processes._part(store)
    assert store.looks == 1


def test_another_process_says_that_it_parts_and_goes(three_processes):
    three_processes(2)
    store = Store()
    processes._part(store)
    assert (store.values, store.looks) == ({'parted/2': ''}, 0)
