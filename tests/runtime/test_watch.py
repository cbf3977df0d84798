"""A watch hears of a process that has fallen silent, or that says why it ends."""

import threading

import pytest

from capf_jax.runtime.watch import EndedError, Watch


class SharedDict:
    """A store in memory."""

    def __init__(self):
        self.values = {}

    def put(self, key, value):
        self.values[key] = value

    def folder(self, name):
        items = dict(self.values).items()
        return {
            key.removeprefix(f'{name}/'): value
            for key, value in items
            if key.startswith(f'{name}/')
        }


@pytest.fixture
def start():
    """Starts the watch of one process; all are stopped at the end."""
    watches = []

    def begin(store, index, count=3, silence=60.0, end=lambda _: None):
        watch = Watch(
            store, index, count, end, interval=0.01, silence=silence, short_silence=silence
        )
        watches.append(watch)
        return watch

    yield begin
    for watch in watches:
        watch.stop()


def test_a_silent_process_is_named_to_all_others(start):
    store = SharedDict()
    others = [start(store, 0, silence=0.5), start(store, 1)]  # There is no process 2.
    for watch in others:
        assert watch.heard_within(30).startswith('process 2 of this run has ended without a word')
        with pytest.raises(EndedError, match='process 2'):
            watch.check()


def test_last_words_reach_the_others(start):
    store = SharedDict()
    failed, other = start(store, 1, count=2), start(store, 0, count=2)
    failed.say_last_words('the disk is full')
    expected = 'process 1 of this run has ended, and so do the others: the disk is full'
    assert other.heard_within(30) == expected


def test_while_all_live_nothing_is_heard(start):
    store = SharedDict()
    watches = [start(store, index, count=2, silence=30) for index in range(2)]
    assert [watch.heard_within(0.2) for watch in watches] == ['', '']
    for watch in watches:
        watch.check()


def test_a_main_thread_that_waits_for_ever_is_ended(start):
    called = threading.Event()
    watch = start(SharedDict(), 1, count=2, end=lambda _: called.set())
    watch.lose(0)
    assert called.wait(30)
