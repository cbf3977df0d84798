"""Timing in turns, and what is said of turns while the cores were apart."""

import itertools

import pytest

from benchmarks import handover, machine


def test_calls_while_cores_are_apart_have_medians_of_their_own():
    medians = machine.Medians(
        together={'ours': [1.0, 2.0, 9.0], 'torch': [4.0]}, apart={'ours': [5.0], 'torch': [6.0]}
    )
    assert medians == {'ours': 2.0, 'torch': 4.0}
    assert medians.apart == {'ours': 5.0, 'torch': 6.0}
    assert medians.note('ours', 'torch') == 'cores apart: 5000.00 ms, 1.20x'


def test_without_cores_apart_there_is_nothing_to_note():
    medians = machine.Medians(together={'ours': [1.0]}, apart={'ours': []})
    assert medians.note('ours', 'ours') == ''


def test_with_cores_apart_throughout_all_calls_count():
    medians = machine.Medians(
        together={'ours': [1.0], 'torch': []}, apart={'ours': [3.0], 'torch': [6.0]}
    )
    assert medians == {'ours': 2.0, 'torch': 6.0}
    assert medians.note('ours', 'torch') == 'cores apart'


def test_a_turn_is_apart_if_it_begins_or_ends_so(monkeypatch):
    answers = itertools.cycle([False, True, False, False])  # at the end of every other turn
    monkeypatch.setattr(machine, 'cores_are_apart', lambda: next(answers))
    monkeypatch.setattr(machine, '_turn', lambda program: [program()] * 2)
    seconds = machine.median_seconds({'a': lambda: 1.0, 'b': lambda: 2.0}, seconds=0, least=2)
    assert seconds.throughout  # 'a' ran in these turns only
    assert seconds == {'a': 1.0, 'b': 2.0}


@pytest.mark.parametrize(('times', 'apart'), [(1.4, False), (2.8, True)])
def test_slow_reading_of_what_another_core_has_written_means_apart(monkeypatch, times, apart):
    monkeypatch.setattr(handover.os, 'sched_getaffinity', lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(handover.os, 'sched_setaffinity', lambda *_: None, raising=False)
    monkeypatch.setattr(handover, '_times_of_rereading', lambda cores: times)
    assert handover.cores_are_apart() is apart


def test_one_core_is_never_apart(monkeypatch):
    monkeypatch.setattr(handover.os, 'sched_setaffinity', lambda *_: None, raising=False)
    monkeypatch.setattr(handover.os, 'sched_getaffinity', lambda _: {3}, raising=False)
    assert not handover.cores_are_apart()


@pytest.mark.skipif(not hasattr(handover.os, 'sched_setaffinity'), reason='asks Linux for cores')
def test_asking_leaves_the_thread_its_cores():
    before = handover.os.sched_getaffinity(0)
    handover.cores_are_apart()
    assert handover.os.sched_getaffinity(0) == before
